"""What people ask of a running system: of one saga, of many, of a service. For every way of asking.

A question is checked against what is stored, so that whoever asks hears at once what cannot be
done; then it is a record in the log like any other. The saga decides again when it gets it.
"""

from order_sagas.bridges.operations.checks import check
from order_sagas.bridges.operations.errors import (
    AlreadySoError,
    NoSuchSagaError,
    NoSuchStepError,
    NoSuchTargetError,
    NotPossibleError,
    OperationError,
    ReasonNeededError,
)
from order_sagas.bridges.operations.pauses import Paused, PauseOperations, pauses_that_last
from order_sagas.bridges.operations.sagas import SagaOperations
from order_sagas.bridges.operations.selection import Choice, Chosen, SagaFilter, usual_statuses

__all__ = [
    "AlreadySoError",
    "Choice",
    "Chosen",
    "NoSuchSagaError",
    "NoSuchStepError",
    "NoSuchTargetError",
    "NotPossibleError",
    "OperationError",
    "PauseOperations",
    "Paused",
    "ReasonNeededError",
    "SagaFilter",
    "SagaOperations",
    "check",
    "pauses_that_last",
    "usual_statuses",
]
