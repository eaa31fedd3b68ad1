"""The tests; a package, so that `tests.corpus` means this one and no other."""
