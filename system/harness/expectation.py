"""Expectations about one order, as a fluent interface."""

from collections.abc import Sequence
from typing import Any, Protocol

from order_sagas.actors.sagas.state import SagaState, Status
from order_sagas.bridges.audit.commit_rules import Broken
from order_sagas.system.harness.committed_state import Books


class Observed(Protocol):
    """The part of a `Harness` that expectations read."""

    @property
    def books(self) -> Books:
        """The committed state."""
        ...

    def went_wrong(self, *order_ids: str) -> list[str]:
        """Return the errors of services about orders, one line for each."""
        ...

    def sent(self, order_id: str = "") -> list[str]:
        """Return the statuses of the records sent about an order."""
        ...

    def log(self, order_id: str = "") -> list[dict[str, Any]]:
        """Return the log lines about an order."""
        ...


class UnmetExpectation(AssertionError):
    """An expectation about an order was not met. `order_ids` holds its id."""

    def __init__(self, text: str, order_id: str) -> None:
        super().__init__(text)
        self.order_ids = [order_id]

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        return type(self), (str(self), self.order_ids[0])


class Violated(AssertionError):
    """Invariants were violated. `order_ids` holds the ids of at most three orders concerned.

    `wrong` are the errors of services about them, one line for each.
    """

    def __init__(self, violations: list[Broken], wrong: Sequence[str] = ()) -> None:
        super().__init__("\n".join([*wrong, *map(str, violations)]))
        self.violations = violations
        self.wrong = wrong
        self.order_ids = orders_of(violations)

    def __reduce__(self) -> tuple[type, tuple[list[Broken], Sequence[str]]]:
        return type(self), (self.violations, self.wrong)


def orders_of(violations: Sequence[Broken]) -> list[str]:
    """Return the ids of at most three orders that violations are about."""
    subjects = (violation.subject.rpartition("/")[2] for violation in violations)
    return list(dict.fromkeys(subjects))[:3]


class Expectation:
    """Each method checks at once, and returns this object or raises UnmetExpectation."""

    def __init__(self, harness: Observed, order_id: str, saga: str = "") -> None:
        self._harness = harness
        self._order_id = order_id
        self._saga = saga

    def to_be(self, status: Status) -> "Expectation":
        """The committed status of the saga is `status`."""
        saga = self._progress()
        found = Status(saga.status).name if saga else "unknown: it has no saga"
        why = f" ({saga.code}: {saga.reason})" if saga and saga.code else ""
        self._require(
            saga is not None and saga.status == status,
            f"to be {status.name}, and it is {found}{why}",
        )
        return self

    def because(self, code: str) -> "Expectation":
        """The saga was cancelled with this code."""
        saga = self._progress()
        found = saga.code if saga else "nothing"
        self._require(code == found, f"to have failed with {code}, and it did with {found}")
        return self

    def having_sent(self, *statuses: str) -> "Expectation":
        """These records were sent about the order, in this sequence; others may be between."""
        sent = self._harness.sent(self._order_id)
        rest = iter(sent)
        self._require(
            all(status in rest for status in statuses),
            f"to have sent {', '.join(statuses)}, and it sent {', '.join(sent) or 'nothing'}",
        )
        return self

    def not_having_sent(self, *statuses: str) -> "Expectation":
        """None of these records was sent about the order."""
        sent = self._harness.sent(self._order_id)
        wrong = [status for status in statuses if status in sent]
        self._require(not wrong, f"not to have sent {', '.join(wrong)}")
        return self

    def having_ignored(self, status: str, reason: str = "") -> "Expectation":
        """A message with this status was ignored, for a reason that contains this text."""
        ignored = [
            (line.get("status"), line.get("reason", ""))
            for line in self._harness.log(self._order_id)
            if line.get("event") == "saga.message_ignored"
        ]
        self._require(
            any(status == each and reason in why for each, why in ignored),
            f"to have ignored {status} ({reason or 'for any reason'}), and it ignored "
            + (", ".join(f"{each} ({why})" for each, why in ignored) or "nothing"),
        )
        return self

    def _progress(self) -> SagaState | None:
        sagas = self._harness.books.sagas(self._order_id)
        return next((s for s in sagas if self._saga in ("", s.saga)), None)

    def _require(self, true: bool, text: str) -> None:
        if not true:
            wrong = self._harness.went_wrong(self._order_id)
            expected = f"expected order {self._order_id} {text}"
            raise UnmetExpectation("\n".join([*wrong, expected]), self._order_id)
