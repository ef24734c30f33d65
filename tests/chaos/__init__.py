"""Faults on purpose, against real processes, with a ledger of what was promised. See docs/reliability.md.

`ledger` says what counts as broken and knows no database; `points` says where a process is killed; `forkserver`
makes processes that die there; `kills` and `load` drive the two kinds of runs; `python -m tests.chaos` prints them.
Nothing of it is known to the product: a point is a name of the product's code that is wrapped in the process that
is to die.
"""
