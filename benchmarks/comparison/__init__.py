"""ckptkit beside what people use today, each in a process of its own, in turn, in one run."""
