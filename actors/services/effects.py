"""Base class of services that call another system, each effect once.

A subclass is a few lines: see `examples/parcel_label.py`, and `docs/outside-calls.md`.
"""

from functools import partial
from typing import Any

import msgspec
from msgspec.structs import replace
from thespian.actors import ActorAddress

from order_sagas.actors.errors import DefinitionError
from order_sagas.actors.messages import Message
from order_sagas.actors.sagas.field_checks import check_message, shown
from order_sagas.actors.services.call_outcomes import Declined, NoAnswer
from order_sagas.actors.services.effect import (
    Effect,
    EffectOwed,
    EffectSettled,
    as_json,
)
from order_sagas.actors.services.effect_handlers import EffectHandlers, Making
from order_sagas.actors.services.service import Handler, UseClient


class EffectService(EffectHandlers):
    """Makes one effect in another system for each order, and undoes it.

    The intention is stored before the call, which is made after that commit, on another thread. It
    is repeated with the same key after a restart, and by each repetition of the command while its
    outcome is unknown. A duplicate command gets the first reply again. An undo that comes before
    its command blocks it; one that comes while the outcome is unknown first repeats the call,
    because only a known effect can be undone.

    A subclass names its messages and its entity, and has `perform` and `take_back`. It gets
    handlers for them, beside those of its own `handlers`. Raises DefinitionError when the class is
    made if something is missing.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        _check(cls)
        if "settled_by" not in vars(cls):
            cls.settled_by = _own(cls, EffectSettled)
        if "reminder" not in vars(cls):
            cls.reminder = _own(cls, EffectOwed)
        assert cls.reminder
        made: dict[type[Message], Handler] = {cls.do: cls.process}
        if cls.undo:
            made[cls.undo] = cls.roll_back
        made |= {cls.settled_by: cls.settled, cls.reminder: cls.owed}
        cls.handlers = made | vars(cls).get("handlers", {})
        cls._commands = msgspec.json.Decoder(cls.do if cls.undo is None else cls.do | cls.undo)
        cls._results = msgspec.json.Decoder(cls.done)

    def __init__(self) -> None:
        super().__init__()
        self._client: Any = None

    @property
    def client(self) -> Any:
        """What calls are made with. If none was set, it is opened at the first call."""
        if self._client is None:
            self._client = self.open_client()
        return self._client

    def receive_other(self, message: Any, sender: ActorAddress) -> None:
        """Handle `UseClient`."""
        if isinstance(message, UseClient):
            self._client = message.client
        else:
            super().receive_other(message, sender)

    # --- what a subclass says -----------------------------------------------------------------

    @staticmethod
    def open_client() -> Any:
        """Open a client, if the app sets none. It must have a timeout, and be safe in threads.

        A client with a true attribute `local` is called inside the batch; it must be pure and fast.
        """
        return None

    @staticmethod
    def perform(client: Any, command: Any, key: str) -> Message | Declined | NoAnswer:
        """Make the effect, once for each `key`, and return the reply `done`.

        Runs on another thread, and possibly more than once with the same key. Returns `Declined` if
        the effect was refused for good. An exception or `NoAnswer` means that the outcome is
        unknown, and the call is repeated.
        """
        raise NotImplementedError

    @staticmethod
    def take_back(client: Any, command: Any, done: Any, key: str) -> Declined | NoAnswer | None:
        """Undo the effect of which `done` is the reply, once for each `key`.

        `command` is the undo command. Returns None if the effect is undone. A refusal (`Declined`)
        or an unknown outcome is repeated by the saga, until it needs attention.
        """
        raise NotImplementedError

    # --- how the effect is stored; for entities that are not an `Effect` ----------------------

    def intended(self, command: Any) -> Any:
        """The new entity, with all that the call is made from."""
        entity: Any = self.entity
        return entity(order_id=command.order_id, status=Effect.PENDING, request=as_json(command))

    def blocked(self, command: Any, now: float) -> Any:
        """The new entity of an effect that was undone before it was made."""
        entity: Any = self.entity
        return entity(
            order_id=command.order_id,
            status=Effect.BLOCKED,
            code="undone",
            reason="undone before it was done",
            updated_at=now,
        )

    def is_made(self, effect: Any) -> bool:
        """True if the effect was made, even if it was undone later."""
        return bool(effect.made)

    def made(self, effect: Any, value: Any, now: float) -> Any:
        """The entity after the effect was made, with the `value` that the call returned."""
        return replace(
            effect,
            status=Effect.COMPLETED,
            result=as_json(value),
            made=effect.made + 1,
            code="",
            reason="",
            command="",
            updated_at=now,
        )

    def taken_back(self, effect: Any, now: float) -> Any:
        """The entity after the effect was undone."""
        return replace(
            effect,
            status=Effect.UNDONE,
            undone=effect.undone + 1,
            code="undone",
            reason="undone",
            command="",
            updated_at=now,
        )

    def first_answer(self, effect: Any) -> Message:
        """The reply to the command: `done`, or `failed` if the effect was refused or undone."""
        if effect.status == Effect.COMPLETED:
            done: Message = self._results.decode(effect.result)
            return done
        return self.failed(order_id=effect.order_id, code=effect.code, reason=effect.reason)

    def undo_answer(self, effect: Any) -> Message:
        """The reply to the undo command."""
        assert self.undone
        return self.undone(order_id=effect.order_id)

    def doing(self, effect: Any, owed: Any) -> Making:
        """The call that makes the effect. `owed` is what is answered, which may be the undo."""
        key = f"{effect.order_id}/{self.operations[0]}"
        command = msgspec.json.decode(effect.request, type=self.do)
        return key, partial(self.perform, self.client, command, key)

    def undoing(self, effect: Any, command: Any) -> Making:
        """The call that undoes the effect."""
        key = f"{effect.order_id}/{self.operations[1]}"
        done = self._results.decode(effect.result)
        return key, partial(self.take_back, self.client, command, done, key)

    @classmethod
    def check_result(cls, order_id: str, value: Any) -> None:
        """Raise TypeError or ValueError if `perform` returned `value`, which is no reply `done`."""
        if not isinstance(value, cls.done):
            raise TypeError(
                f"{cls.__name__}.perform returned {type(value).__name__}; "
                f"it must return {cls.done.__name__}, Declined or NoAnswer"
            )
        if value.order_id != order_id:
            raise ValueError(
                f"{cls.__name__}.perform replied about order {value.order_id!r}, not {order_id!r}"
            )


def _own(service: type[EffectService], base: type[Message]) -> Any:
    """A message class of this service alone, because messages are routed by their class."""
    make: Any = type(base)
    return make(f"{service.__name__}{base.__name__}", (base,), {"__module__": service.__module__})


def _check(service: type[EffectService]) -> None:
    def refuse(rule: str) -> None:
        raise DefinitionError(f"service {service.__name__!r}: {rule}")

    for name in ("participant", "entity", "do", "done", "failed"):
        if getattr(service, name, None) is None:
            refuse(f"needs `{name}`")
    for name in ("do", "done", "failed", "undo", "undone"):
        if (message := getattr(service, name)) is not None:
            check_message(f"service {service.__name__!r}: `{name}`", message)
    if not isinstance(service.entity, type) or not getattr(service.entity, "pending", ()):
        refuse(f"its entity must be an `Effect`: {shown(service.entity)} has no `pending`")
    if (service.undo is None) != (service.undone is None):
        refuse("needs `undo` and `undone`, or neither of them")
    own = issubclass(service.entity, Effect)
    if own and service.perform is EffectService.perform:
        refuse("needs `perform`")
    if own and service.undo and service.take_back is EffectService.take_back:
        refuse("can be undone (`undo`), so it needs `take_back`")
