"""Several workers under one supervisor: each in a process of its own, started again if it dies."""

from system.supervision.run import Outcome, run_supervised
from system.supervision.status import ask_status

__all__ = ["Outcome", "ask_status", "run_supervised"]
