"""The default number of workers on this machine."""

import math
import os
from pathlib import Path

from bridges.store.location import file_of
from system.settings import Settings

CPU_LIMIT = Path("/sys/fs/cgroup/cpu.max")
"""The CPU limit of a container on Linux: microseconds of CPU time (or `max`) in each period."""


def usable_cores(limit: Path = CPU_LIMIT) -> int:
    """The number of cores that this process may use: by its affinity and its container's limit."""
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    try:
        quota, period = limit.read_text().split()
        return max(1, min(cores, math.ceil(int(quota) / int(period))))
    except (OSError, ValueError):
        return cores


def worker_count(settings: Settings) -> int:
    """The number of workers to start: as set, or one for each core; at most one for each shard.

    An in-memory database can be used by one process only, so it gets one worker.
    """
    if not settings.kafka and file_of(settings.database) is None:
        return 1
    return min(settings.workers or usable_cores(), settings.partitions)
