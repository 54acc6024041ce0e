"""How the garbage collector is set for a process that runs the system."""

import gc

YOUNG = 50_000
"""Allocations between two looks at the youngest objects; Python's own default is 700 or 2,000."""


def tune_garbage_collection() -> None:
    """Call it once everything is imported and made.

    What lives as long as the process is never looked at again. A batch makes tens of thousands of
    objects that die with it by their reference counts, so that frequent looks find nothing.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, 20, 50)
