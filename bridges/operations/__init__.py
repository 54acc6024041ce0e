"""Operators' commands, for every way of giving them: for one saga, for many, for a service.

A command is first checked against the database, so that the operator sees at once if it is not
possible. Then it is appended to the log as a record, and the saga checks it again when it arrives.
"""

from order_sagas.bridges.operations.action_log import API, COMMAND_LINE, PAGE, Origin
from order_sagas.bridges.operations.approvals import Approvals
from order_sagas.bridges.operations.checks import check
from order_sagas.bridges.operations.errors import (
    AlreadySoError,
    NoSuchActionError,
    NoSuchMessageError,
    NoSuchSagaError,
    NoSuchStepError,
    NoSuchTargetError,
    NotPossibleError,
    OperationError,
    ReasonNeededError,
    SamePersonError,
)
from order_sagas.bridges.operations.pauses import Paused, PauseOperations, pauses_that_last
from order_sagas.bridges.operations.sagas import SagaOperations, Sent
from order_sagas.bridges.operations.selection import Choice, Chosen, SagaFilter, usual_statuses

__all__ = [
    "API",
    "COMMAND_LINE",
    "PAGE",
    "AlreadySoError",
    "Approvals",
    "Choice",
    "Chosen",
    "NoSuchActionError",
    "NoSuchMessageError",
    "NoSuchSagaError",
    "NoSuchStepError",
    "NoSuchTargetError",
    "NotPossibleError",
    "OperationError",
    "Origin",
    "PauseOperations",
    "Paused",
    "ReasonNeededError",
    "SagaFilter",
    "SagaOperations",
    "SamePersonError",
    "Sent",
    "check",
    "pauses_that_last",
    "usual_statuses",
]
