"""The demonstration: seeded orders, services with deterministic failures, and their outcomes."""

from order_sagas.system.demo.figures import Figures, figures_of
from order_sagas.system.demo.run import Demo, run_demo

__all__ = ["Demo", "Figures", "figures_of", "run_demo"]
