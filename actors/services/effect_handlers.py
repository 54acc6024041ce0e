"""What a service does about an effect in another system: the commands, the outcomes, the calls."""

from abc import abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

import msgspec
from msgspec.structs import replace

from order_sagas.actors.errors import error_text
from order_sagas.actors.messages import DECLINED, EXCEPTION, NO_ANSWER, Failed, Message
from order_sagas.actors.protocol import ExternalCall
from order_sagas.actors.services.call_limits import UNLIMITED, CallLimits
from order_sagas.actors.services.call_outcomes import After, Declined, NoAnswer
from order_sagas.actors.services.effect import EffectSettled, owing, refused
from order_sagas.actors.services.logger import logger_of
from order_sagas.actors.services.service import NOTHING, Answer, Service, reply_to

UNKNOWN = "outcome_unknown"
"""Code of an effect whose last call ended without an answer."""

Making = tuple[str, Callable[[], Any]]
"""An idempotency key, and the function that makes the call."""


class EffectHandlers(Service):
    """The handlers of `EffectService`. How an effect is stored is up to the subclass."""

    do: ClassVar[type[Message]]
    """The command that makes the effect."""
    done: ClassVar[type[Message]]
    """The reply if it was made: what `perform` returns."""
    failed: ClassVar[type[Failed]]
    """The reply if it was refused."""
    undo: ClassVar[type[Message] | None] = None
    """The command that undoes the effect. None: it cannot be undone."""
    undone: ClassVar[type[Message] | None] = None
    """The reply if the effect was undone, or will never be made."""
    operations: ClassVar[tuple[str, str]] = ("do", "undo")
    """What the two calls are named in logs, metrics and idempotency keys."""
    limits: ClassVar[CallLimits] = UNLIMITED
    """How many calls are made, and how often; see `CallLimits`."""

    settled_by: ClassVar[type[EffectSettled]]
    """The outcomes of this service's calls. Made with the class if it is not given."""

    _commands: ClassVar[msgspec.json.Decoder[Any]]
    _results: ClassVar[msgspec.json.Decoder[Any]]

    @property
    @abstractmethod
    def client(self) -> Any:
        """What calls are made with."""

    @abstractmethod
    def intended(self, command: Any) -> Any:
        """The new entity, with all that the call is made from."""

    @abstractmethod
    def blocked(self, command: Any, now: float) -> Any:
        """The new entity of an effect that was undone before it was made."""

    @abstractmethod
    def is_made(self, effect: Any) -> bool:
        """True if the effect was made, even if it has been undone since."""

    @abstractmethod
    def made(self, effect: Any, value: Any, now: float) -> Any:
        """The entity after the effect was made, with the `value` that the call returned."""

    @abstractmethod
    def taken_back(self, effect: Any, now: float) -> Any:
        """The entity after the effect was undone."""

    @abstractmethod
    def first_answer(self, effect: Any) -> Message:
        """The reply to the command: `done`, or `failed` if the effect was refused or undone."""

    @abstractmethod
    def undo_answer(self, effect: Any) -> Message:
        """The reply to the undo command."""

    @abstractmethod
    def doing(self, effect: Any, owed: Any) -> Making:
        """The call that makes the effect. `owed` is what is answered, which may be the undo."""

    @abstractmethod
    def undoing(self, effect: Any, command: Any) -> Making:
        """The call that undoes the effect."""

    @classmethod
    @abstractmethod
    def check_result(cls, order_id: str, value: Any) -> None:
        """Raise TypeError or ValueError if a call returned `value`, which it must not."""

    # --- commands -----------------------------------------------------------------------------

    def process(self, effect: Any, command: Any, now: float) -> Answer:
        """Make the effect, or repeat the reply to an earlier command."""
        if effect is None:
            return self._do(self.intended(command), command, now, known=False)
        if effect.status == effect.pending:
            if isinstance(self._commands.decode(effect.command), self.do):
                return self._do(effect, command, now, known=True)
            return NOTHING  # being undone: only the undo is answered
        return Answer(replies=(self.first_answer(effect),))

    def roll_back(self, effect: Any, command: Any, now: float) -> Answer:
        """Undo the effect, or block it if it has not been made."""
        if effect is None:
            blocked = self.blocked(command, now)
            return Answer((blocked,), (self.undo_answer(blocked),))
        if effect.status == effect.COMPLETED:
            return self._undo(effect, command, now)
        if effect.status == effect.pending:
            if self.is_made(effect):
                return self._undo(effect, command, now)
            if isinstance(self._commands.decode(effect.command), self.do):
                # The call is being made: undo the effect as soon as its outcome is known.
                return Answer((owing(effect, command, now),))
            return self._do(effect, command, now, known=True)
        return Answer(replies=(self.undo_answer(effect),))

    # --- the other system's side --------------------------------------------------------------

    def settled(self, effect: Any, outcome: Any, now: float) -> Answer:
        """Store the outcome of a call, and reply to the command that waits for it."""
        if effect is None or effect.status != effect.pending:
            return NOTHING
        owed = self._commands.decode(effect.command)
        doing = isinstance(owed, self.do)
        if outcome.undo:
            if doing:
                return NOTHING
            if outcome.unknown or outcome.code:
                return Answer((self._unsettled(effect, outcome, now),))
            undone = self.taken_back(effect, now)
            return Answer((undone,), (reply_to(owed, self.undo_answer(undone), now),))
        if self.is_made(effect):
            return NOTHING  # already stored: the call was made twice with the same key
        if outcome.unknown:
            return Answer((self._unsettled(effect, outcome, now),))
        if outcome.code:
            failed = refused(effect, outcome.code, outcome.reason, now)
            answer = self.first_answer(failed) if doing else self.undo_answer(failed)
            return Answer((failed,), (reply_to(owed, answer, now),))
        made = self.made(effect, outcome.value, now)
        if not doing:
            return self._undo(made, owed, now)
        return Answer((made,), (reply_to(owed, self.first_answer(made), now),))

    def owed(self, effect: Any, owed: Any, now: float) -> Answer:
        """Repeat the call of a pending effect.

        It was not answered, or not made because all threads were busy.
        """
        if effect is None or effect.status != effect.pending:
            return NOTHING
        command = self._commands.decode(effect.command)
        if self.is_made(effect):
            return self._undo(effect, command, now)
        return self._do(effect, command, now, known=True)

    def _do(self, effect: Any, owed: Any, now: float, *, known: bool) -> Answer:
        """Make the effect. `owed` is the command to answer, which may be the undo."""
        key, make = self.doing(effect, owed)
        if not getattr(self.client, "local", False):
            return Answer((owing(effect, owed, now),), calls=(self._call(effect, key, make, 0),))
        outcome = make()
        if isinstance(outcome, After):
            settled = self._settlement(effect.order_id, False, outcome.outcome, None)
            return Answer((owing(effect, owed, now),), later=((outcome.seconds, settled),))
        if isinstance(owed, self.do):
            if isinstance(outcome, Declined):
                failed = refused(effect, outcome.code, outcome.reason, now)
                return Answer((failed,), (self.first_answer(failed),))
            if not isinstance(outcome, NoAnswer):
                made = self.made(effect, outcome, now)
                return Answer((made,), (self.first_answer(made),))
        if isinstance(outcome, NoAnswer):
            return NOTHING if not known else Answer((owing(effect, owed, now),))
        settled = self._settlement(effect.order_id, False, outcome, None)
        return self.settled(effect, settled, now)

    def _undo(self, effect: Any, command: Any, now: float) -> Answer:
        key, make = self.undoing(effect, command)
        if not getattr(self.client, "local", False):
            return Answer((owing(effect, command, now),), calls=(self._call(effect, key, make, 1),))
        outcome = make()
        if isinstance(outcome, After):
            settled = self._settlement(effect.order_id, True, outcome.outcome, None)
            return Answer((owing(effect, command, now),), later=((outcome.seconds, settled),))
        if isinstance(outcome, (Declined, NoAnswer)):
            settled = self._settlement(effect.order_id, True, outcome, None)
            if isinstance(outcome, Declined):
                # From a local client. `ExternalCalls` logs those of the others.
                logger_of("effects").warning(
                    "effect.undo_declined", service=self.participant.name,
                    order_id=effect.order_id, key=key, error=settled.error,
                )  # fmt: skip
            return Answer((self._unsettled(owing(effect, command, now), settled, now),))
        undone = self.taken_back(effect, now)
        return Answer((undone,), (reply_to(command, self.undo_answer(undone), now),))

    def _call(self, effect: Any, key: str, make: Callable[[], Any], undo: int) -> ExternalCall:
        return ExternalCall(
            service=self.participant.name,
            operation=self.operations[undo],
            key=key,
            order_id=effect.order_id,
            make=make,
            then=partial(self._settlement, effect.order_id, bool(undo)),
            limits=self.limits,
        )

    @classmethod
    def _settlement(
        cls, order_id: str, undo: bool, outcome: Any, error: BaseException | None
    ) -> EffectSettled:
        if error is None and not isinstance(outcome, (Declined, NoAnswer)):
            if not undo:
                cls.check_result(order_id, outcome)
            return cls.settled_by(order_id=order_id, undo=undo, value=outcome)
        if isinstance(outcome, Declined):
            code, reason = outcome.code or DECLINED, outcome.reason
            if not undo:  # an ordinary answer, which the saga handles
                return cls.settled_by(order_id=order_id, code=code, reason=reason)
            return cls.settled_by(
                order_id=order_id, undo=True, code=code, reason=reason,
                failure=DECLINED, error=f"{code}: {reason}",
            )  # fmt: skip
        return cls.settled_by(
            order_id=order_id,
            undo=undo,
            unknown=True,
            failure=EXCEPTION if error else NO_ANSWER,
            error=error_text(error) if error else "the provider gave no answer",
        )

    def _unsettled(self, effect: Any, outcome: EffectSettled, now: float) -> Any:
        """The effect, still PENDING, with the reason why its last call did not succeed.

        The saga's retry repeats the call with the same key if its outcome is unknown, or if an undo
        was declined, until the saga needs attention.
        """
        what = self.operations[outcome.undo]
        if outcome.unknown:
            code, reason = UNKNOWN, f"{what}, outcome unknown: {outcome.error}"
        else:
            code, reason = outcome.code, f"{what} declined: {outcome.error}"
        return replace(effect, code=code, reason=reason, updated_at=now)
