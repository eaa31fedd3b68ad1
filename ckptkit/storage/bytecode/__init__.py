"""Read what a class by value says it computes, from the arguments of its code objects.

Nothing is executed and no code object is made. A function's bytes are followed one instruction after
the other over symbols: `nn.Linear(n, 64)` is noted as a call of `torch.nn.Linear`, and never made. Only
integers are added and ranges counted, so that loops with a known number of rounds can be followed.
What is not understood for certain (a branch, a name of unknown origin, a method of the class's own)
gives no reading at all, with the reason; `spec/legacy/code-objects.md` says when a reading counts.
"""
