"""How many workers a machine is good for."""

import math
import os
from pathlib import Path

from bridges.store.location import file_of
from system.settings import Settings

CPU_LIMIT = Path("/sys/fs/cgroup/cpu.max")
"""Where Linux tells a container how much it may use: microseconds of CPU in so many, or `max`."""


def usable_cores(limit: Path = CPU_LIMIT) -> int:
    """The cores that this process may run on, and may use up."""
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    try:
        quota, period = limit.read_text().split()
        return max(1, min(cores, math.ceil(int(quota) / int(period))))
    except (OSError, ValueError):
        return cores


def worker_count(settings: Settings) -> int:
    """How many workers the settings ask for: one a core, and none that would have no shard.

    A database in memory is one process's alone.
    """
    if not settings.kafka and file_of(settings.database) is None:
        return 1
    return min(settings.workers or usable_cores(), settings.partitions)
