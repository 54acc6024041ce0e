"""The registry of saga definitions: by version, by the message that starts them, by reply."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from order_sagas.actors.errors import DefinitionError, UnknownSagaError
from order_sagas.actors.messages import Message, OperatorCommand
from order_sagas.actors.sagas.child_messages import CHILDREN, UndoChild
from order_sagas.actors.sagas.definition import Participant, Saga
from order_sagas.actors.sagas.state import saga_id_of


class Registry:
    """The saga definitions that a system runs.

    A new saga uses the newest version of its definition and keeps it until it ends. Keep an old
    version registered as long as sagas of it are in flight. Raises DefinitionError if a version is
    given twice, or if two sagas start on the same message.
    """

    def __init__(self, sagas: Iterable[Saga[Any]]) -> None:
        self._by_version: dict[tuple[str, int], Saga[Any]] = {}
        for saga in sagas:
            if (saga.name, saga.version) in self._by_version:
                raise DefinitionError(f"saga {saga.name!r}: version {saga.version} comes twice")
            self._by_version[saga.name, saga.version] = saga
        self.newest: dict[str, Saga[Any]] = {}
        """The newest version of each definition, by name."""
        for saga in self:
            known = self.newest.get(saga.name)
            if known is None or known.version < saga.version:
                self.newest[saga.name] = saga
        self.started_by: dict[type[Message], Saga[Any]] = {}
        """The saga that each message starts."""
        for saga in self.newest.values():
            other = self.started_by.setdefault(saga.starts_on, saga)
            if other is not saga:
                raise DefinitionError(
                    f"{saga.starts_on.__name__} starts both {other.name!r} and {saga.name!r}"
                )
        self._check_children()
        self.answered_by: dict[type[Message], tuple[str, ...]] = {}
        """The names of the sagas that wait for each reply."""
        for saga in self:
            for reply in saga.answers:
                names = self.answered_by.get(reply, ())
                if saga.name not in names:
                    self.answered_by[reply] = (*names, saga.name)

        self.may_be_early = frozenset(
            reply
            for saga in self
            for reply, places in saga.answers.items()
            if any(kind in ("done", "failed") for _, kind in places)
        )
        """The replies that may come before their saga begins, or before their step is sent."""

    def _check_children(self) -> None:
        for saga in self:
            for row in saga.rows:
                if row.is_child and row.runs.name not in self.newest:
                    raise DefinitionError(
                        f"saga {saga.name!r}: step {row.name!r} runs the saga {row.runs.name!r}, "
                        "which is not registered"
                    )

    def __iter__(self) -> Iterator[Saga[Any]]:
        return iter(self._by_version.values())

    def get(self, name: str, version: int) -> Saga[Any]:
        """The definition of a stored saga; raises UnknownSagaError if it is not registered."""
        try:
            return self._by_version[name, version]
        except KeyError:
            known = sorted(v for n, v in self._by_version if n == name)
            raise UnknownSagaError(
                f"a stored saga was begun with version {version} of {name!r}; "
                f"registered here: {known or 'none'}"
            ) from None

    def get_newest(self, name: str) -> Saga[Any]:
        """The newest version of a definition; raises UnknownSagaError if it is not registered."""
        try:
            return self.newest[name]
        except KeyError:
            raise UnknownSagaError(
                f"no saga {name!r} is registered here, only {sorted(self.newest)}"
            ) from None

    def saga_ids_of(self, message: Message) -> Sequence[str]:
        """The ids of the sagas that a message may belong to; an order may have several sagas.

        For a message that starts a saga there is exactly one. A reply without a saga id, as
        services written elsewhere send it, may answer any saga of the order that waits for such a
        reply.
        """
        saga = self.started_by.get(type(message))
        if saga is not None:
            return (saga_id_of(saga.name, message.order_id),)
        if message.saga_id:
            return (message.saga_id,)
        names: Iterable[str] = self.answered_by.get(type(message), ())
        if isinstance(message, OperatorCommand):
            names = (message.saga,) if message.saga else self.newest
        return [saga_id_of(name, message.order_id) for name in names]

    def participants(self) -> dict[str, Participant]:
        """Every participant of every saga, by name."""
        return {p.name: p for saga in self for p in saga.sent_to()}

    def messages(self) -> set[type[Message]]:
        """Every message class that a definition names: starts and replies."""
        children = {UndoChild} if CHILDREN.name in self.participants() else set()
        return {saga.starts_on for saga in self} | set(self.answered_by) | children
