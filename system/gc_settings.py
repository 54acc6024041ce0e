"""Garbage collector settings for a process that runs the system."""

import gc

YOUNG = 50_000
"""Allocations between two collections of the youngest generation; default 700 or 2,000."""


def tune_garbage_collection() -> None:
    """Exclude existing objects from collection, and collect less often.

    Call it once everything is imported and created. A batch allocates tens of thousands of objects
    that reference counting frees, so that frequent collections find nothing.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, 20, 50)
