"""Base class of services that do one thing for each order in this system's own database."""

from typing import Any, ClassVar

import msgspec
from msgspec.structs import replace

from order_sagas.actors.entities import Entity
from order_sagas.actors.errors import DefinitionError
from order_sagas.actors.messages import Failed, Message
from order_sagas.actors.sagas.field_checks import check_message, shown
from order_sagas.actors.services.call_outcomes import Declined
from order_sagas.actors.services.service import Answer, Handler, Service

_ENVELOPE = frozenset(Message.__struct_fields__) - {"order_id"}


class LocalEffect(Entity):
    """What a service did for an order, or that it will not do it: the entity of the order.

    A status other than these is the service's own, and counts as done. `code` and `reason` say why
    it was not done, or is no longer.
    """

    DONE: ClassVar[str] = "DONE"
    FAILED: ClassVar[str] = "FAILED"
    UNDONE: ClassVar[str] = "UNDONE"
    BLOCKED: ClassVar[str] = "BLOCKED"
    """It was undone before it was done; a command that comes later is refused."""

    order_id: str
    status: str = DONE
    code: str = ""
    reason: str = ""

    @property
    def is_done(self) -> bool:
        """True if it was done, and not undone since."""
        return self.status not in (self.FAILED, self.UNDONE, self.BLOCKED)


class LocalEffectService(Service):
    """Does one thing for each order by storing an entity, and undoes it.

    Everything happens in the batch of the command, in one commit with the reply. A repeated command
    gets the first reply again, made from what is stored. An undo that comes before its command
    blocks it.

    A subclass names its messages and its entity, and may have `make` and `take_back`. It gets
    handlers for `do` and `undo`, beside those of its own `handlers`, or else of its base class. A
    class without a participant is a base of others. Raises DefinitionError when the class is made
    if something is missing.
    """

    entity: ClassVar[type[Any]]
    """The entity of an order, a `LocalEffect`. All its fields but `order_id` need a default."""
    do: ClassVar[type[Message]]
    """The command that does it."""
    done: ClassVar[type[Message]]
    """The reply if it was done, with the fields that the entity has under the same names."""
    failed: ClassVar[type[Failed] | None] = None
    """The reply if it was refused, or undone before. None: it is never refused."""
    undo: ClassVar[type[Message] | None] = None
    """The command that undoes it. None: it cannot be undone."""
    undone: ClassVar[type[Message] | None] = None
    """The reply if it was undone, or will never be done."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not hasattr(cls, "participant"):
            return
        _check(cls)
        made: dict[type[Message], Handler] = {cls.do: cls.process}
        if cls.undo:
            made[cls.undo] = cls.roll_back
        inherited = {} if "handlers" in vars(cls) else getattr(cls, "handlers", {})
        cls.handlers = {**inherited, **made, **vars(cls).get("handlers", {})}

    # --- what a subclass says -----------------------------------------------------------------

    def make(self, command: Any) -> Any:
        """Return the entity that is stored, or `Declined` if the command is refused for good.

        The default is an entity with the fields that the command has under the same names. It must
        be pure; anything that it raises makes the command a dead letter.
        """
        return self.entity(**_shared(command, self.entity))

    def take_back(self, known: Any, command: Any) -> Any:
        """Return the entity that is stored after the undo of `known`.

        The default is one whose fields have their defaults. Its status becomes UNDONE.
        """
        return self.entity(order_id=known.order_id)

    # --- the handlers -------------------------------------------------------------------------

    def process(self, known: Any, command: Any, now: float) -> Answer:
        """Do it, unless it was decided before, and answer what was decided."""
        if known is None:
            known = self.make(command)
            if isinstance(known, Declined):
                known = self.entity(
                    order_id=command.order_id,
                    status=LocalEffect.FAILED,
                    code=known.code,
                    reason=known.reason,
                )
        return Answer((known,), (self._answer(known),))

    def roll_back(self, known: Any, command: Any, now: float) -> Answer:
        """Undo it, or make sure that it is never done."""
        assert self.undone
        if known is None:
            known = self.entity(
                order_id=command.order_id,
                status=LocalEffect.BLOCKED,
                code="undone",
                reason="undone before it was done",
            )
        elif known.is_done:
            known = replace(
                self.take_back(known, command),
                status=LocalEffect.UNDONE,
                code="undone",
                reason="undone",
            )
        return Answer((known,), (self.undone(order_id=command.order_id),))

    def _answer(self, known: LocalEffect) -> Message:
        if known.is_done:
            return self.done(**_shared(known, self.done))
        if self.failed is None:
            raise TypeError(f"{type(self).__name__} declined a command, and has no `failed` reply")
        return self.failed(order_id=known.order_id, code=known.code, reason=known.reason)


def _shared(source: msgspec.Struct, target: type[msgspec.Struct]) -> dict[str, Any]:
    """The fields of a struct that another struct has under the same names."""
    names = set(source.__struct_fields__) & set(target.__struct_fields__) - _ENVELOPE
    return {name: getattr(source, name) for name in names}


def _check(service: type[LocalEffectService]) -> None:
    def refuse(rule: str) -> None:
        raise DefinitionError(f"service {service.__name__!r}: {rule}")

    for name in ("entity", "do", "done"):
        if getattr(service, name, None) is None:
            refuse(f"needs `{name}`")
    for name in ("do", "done", "failed", "undo", "undone"):
        if (message := getattr(service, name)) is not None:
            check_message(f"service {service.__name__!r}: `{name}`", message)
    if not isinstance(service.entity, type) or not issubclass(service.entity, LocalEffect):
        refuse(f"its entity must be a `LocalEffect`, not {shown(service.entity)}")
    for field in msgspec.structs.fields(service.entity):
        if field.required and field.name != "order_id":
            refuse(f"field {field.name!r} of its entity needs a default")
    if (service.undo is None) != (service.undone is None):
        refuse("needs `undo` and `undone`, or neither of them")
    if service.undo and service.failed is None:
        refuse("can be undone before it was done, so it needs `failed`")
