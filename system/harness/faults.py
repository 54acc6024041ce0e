"""What may go wrong, as data: a plan of faults is a list of these, and can be written as JSON.

Times are seconds since the harness began. `nth` counts what matches, from 1; 0 means each of them.
"""

import msgspec

FOREVER = 1e12
"""A time that never comes."""


def _tag(name: str) -> str:
    return name[0].lower() + name[1:]


class Fault(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="fault", tag=_tag, gc=False):
    """One thing that goes wrong."""


# --- records on their way -----------------------------------------------------------------------


class RecordFault(Fault, frozen=True, omit_defaults=True):
    """Hits records of this status, about this order; empty means any."""

    status: str = ""
    order: str = ""
    nth: int = 1
    since: float = 0.0
    until: float = FOREVER


class Drop(RecordFault, frozen=True, omit_defaults=True):
    """The record is lost."""


class Duplicate(RecordFault, frozen=True, omit_defaults=True):
    """The record comes once more, some seconds later."""

    later: float = 0.0
    times: int = 1


class Delay(RecordFault, frozen=True, omit_defaults=True):
    """The record comes late."""

    seconds: float = 1.0


class Reorder(RecordFault, frozen=True, omit_defaults=True):
    """The record comes after those that were written behind it."""


class Corrupt(RecordFault, frozen=True, omit_defaults=True):
    """The record comes damaged: `truncated`, `garbled`, `emptied`, or with an `unknown` status."""

    how: str = "truncated"


# --- services -----------------------------------------------------------------------------------


class ServiceFault(Fault, frozen=True, omit_defaults=True):
    """Befalls a service, named as its participant is, for a time."""

    service: str = ""
    order: str = ""
    since: float = 0.0
    until: float = FOREVER


class Silent(ServiceFault, frozen=True, omit_defaults=True):
    """It hears no command that somebody waits for; compensations it still carries out, unless
    `undo`."""

    undo: bool = False


class Declines(ServiceFault, frozen=True, omit_defaults=True):
    """It refuses commands; a service that has nothing to refuse with is refused this fault."""


class LosesReplies(ServiceFault, frozen=True, omit_defaults=True):
    """It does what it is told, but nobody hears of it."""


class Slow(ServiceFault, frozen=True, omit_defaults=True):
    """Its replies take so many seconds."""

    seconds: float = 5.0


class AnswersTwice(ServiceFault, frozen=True, omit_defaults=True):
    """Each of its replies comes once more, some seconds later."""

    later: float = 0.0


class Raises(ServiceFault, frozen=True, omit_defaults=True):
    """Its handler raises, so many times; a record on which it raises twice is a dead letter."""

    status: str = ""
    times: int = 1
    outright: bool = False
    """Past the service's own care for errors: the runtime finds out."""


# --- the worker and its database ----------------------------------------------------------------


class Crash(Fault, frozen=True, omit_defaults=True):
    """The worker dies when it comes to a point for the nth time, and is back `down` seconds later.

    Points are `before commit`, `after commit`, `after publish`, `before send`, `after send`,
    `before message` and `before wakeup`.
    """

    point: str = "before commit"
    nth: int = 1
    down: float = 0.0


class CommitFails(Fault, frozen=True, omit_defaults=True):
    """The database is away for `times` commits, from the nth: `before` anything was written, when
    all was written and not committed (`during`), or when it was, and no answer came (`after`)."""

    nth: int = 1
    times: int = 1
    where: str = "before"


class ReadFails(Fault, frozen=True, omit_defaults=True):
    """The database is away when the nth batch looks for records."""

    nth: int = 1


class LosesShard(Fault, frozen=True, omit_defaults=True):
    """At the nth commit, another worker turns out to own a shard."""

    nth: int = 1


class CallFails(Fault, frozen=True, omit_defaults=True):
    """The nth external call about an order fails `before` it was made, or `after` it was made and
    before the answer came; or the answer is `lost`, and the client gives up after 45 seconds."""

    order: str = ""
    nth: int = 1
    how: str = "before"


class ClockJump(Fault, frozen=True, omit_defaults=True):
    """The wall clock is set forward, or back."""

    at: float = 0.0
    seconds: float = 60.0


# --- people -------------------------------------------------------------------------------------


class Operator(Fault, frozen=True, omit_defaults=True):
    """A person meddles: `cancel`, `retry`, `skip` or `resume`."""

    at: float = 0.0
    order: str = ""
    action: str = "cancel"
    step: str = ""


class Put(Fault, frozen=True, omit_defaults=True):
    """Somebody puts a record on a topic: its value, as text."""

    at: float = 0.0
    topic: str = "order-events"
    value: str = ""
    key: str = ""


AnyFault = (
    Drop | Duplicate | Delay | Reorder | Corrupt
    | Silent | Declines | LosesReplies | Slow | AnswersTwice | Raises
    | Crash | CommitFails | ReadFails | LosesShard | CallFails | ClockJump
    | Operator | Put
)  # fmt: skip

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(list[AnyFault])


def to_json(plan: list[Fault]) -> str:
    """A plan as one line of text."""
    return _encoder.encode(plan).decode()


def from_json(text: str) -> list[Fault]:
    """The plan that `to_json` wrote; raises msgspec.ValidationError for anything else."""
    return list(_decoder.decode(text))
