"""Faults, as data: a plan is a list of faults, and can be written as JSON.

Times are seconds since the start of the harness. `nth` counts matches from 1; 0 means every match.
"""

from collections.abc import Callable

import msgspec

FOREVER = 1e12
"""A time later than the end of any run."""


def _tag(name: str) -> str:
    return name[0].lower() + name[1:]


class Fault(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="fault", tag=_tag, gc=False):
    """Base of all faults."""


Strike = Callable[..., None]
"""Notes that a fault took effect: the fault, the order id or "", and what it struck, in words."""


# --- records in transit -----------------------------------------------------------------------


class RecordFault(Fault, frozen=True, omit_defaults=True):
    """Affects records with this status and order id; an empty text matches any."""

    status: str = ""
    order: str = ""
    nth: int = 1
    since: float = 0.0
    until: float = FOREVER


class Drop(RecordFault, frozen=True, omit_defaults=True):
    """The record is lost."""


class Duplicate(RecordFault, frozen=True, omit_defaults=True):
    """The record arrives `times` more times, `later` seconds after the first."""

    later: float = 0.0
    times: int = 1


class Delay(RecordFault, frozen=True, omit_defaults=True):
    """The record arrives `seconds` late."""

    seconds: float = 1.0


class Reorder(RecordFault, frozen=True, omit_defaults=True):
    """The record arrives after records that were written later."""


class Corrupt(RecordFault, frozen=True, omit_defaults=True):
    """The record is damaged: `truncated`, `garbled`, `emptied`, or with an `unknown` status."""

    how: str = "truncated"


# --- services -----------------------------------------------------------------------------------


class ServiceFault(Fault, frozen=True, omit_defaults=True):
    """Affects a service (the name of its participant) from `since` to `until`."""

    service: str = ""
    order: str = ""
    since: float = 0.0
    until: float = FOREVER


class Silent(ServiceFault, frozen=True, omit_defaults=True):
    """The service ignores commands that expect a reply; compensations too if `undo`."""

    undo: bool = False


class Declines(ServiceFault, frozen=True, omit_defaults=True):
    """The service refuses commands; only for services that have a failure reply.

    It is not asked, and remembers nothing of a command that it refuses. A command that it has
    executed before is not refused when it is repeated.
    """


class LosesReplies(ServiceFault, frozen=True, omit_defaults=True):
    """The service executes commands, but its replies are lost."""


class Slow(ServiceFault, frozen=True, omit_defaults=True):
    """The replies of the service arrive `seconds` late."""

    seconds: float = 5.0


class AnswersTwice(ServiceFault, frozen=True, omit_defaults=True):
    """Each reply of the service arrives a second time, `later` seconds after the first."""

    later: float = 0.0


class Raises(ServiceFault, frozen=True, omit_defaults=True):
    """The handler raises `times` times; a record on which it raises twice is a dead letter."""

    status: str = ""
    times: int = 1
    outright: bool = False
    """Raise outside of the service's own error handling, so that the runtime handles it."""


# --- the worker and its database ----------------------------------------------------------------


class Crash(Fault, frozen=True, omit_defaults=True):
    """The worker crashes at the nth occurrence of a point, and restarts `down` seconds later.

    Points are `before commit`, `after commit`, `after publish`, `before send`, `after send`,
    `before message` and `before wakeup`.
    """

    point: str = "before commit"
    nth: int = 1
    down: float = 0.0


class CommitFails(Fault, frozen=True, omit_defaults=True):
    """The database is unavailable for `times` commits, from the nth.

    `where` is `before` (nothing was written), `during` (all was written, and the transaction is
    lost) or `after` (the transaction is committed, and its answer is lost).
    """

    nth: int = 1
    times: int = 1
    where: str = "before"


class ReadFails(Fault, frozen=True, omit_defaults=True):
    """The database is unavailable when the nth batch reads records."""

    nth: int = 1


class LosesShard(Fault, frozen=True, omit_defaults=True):
    """The nth commit is refused, as if another worker had claimed a shard."""

    nth: int = 1


class LateAcks(Fault, frozen=True, omit_defaults=True):
    """From the nth acknowledgement by an actor, `times` reach the batch processor `seconds` late.

    So it is with a busy actor in another process. Acknowledgements are counted while this fault is
    in force. If the batch is rolled back meanwhile, they arrive during a later one.
    """

    nth: int = 1
    times: int = 1
    seconds: float = 1.0


class CallFails(Fault, frozen=True, omit_defaults=True):
    """The nth external call about an order fails.

    `how` is `before` (the call is not made), `after` (it is made, and then the connection fails) or
    `lost` (it is made, and the client gives up after 45 seconds without an answer).
    """

    order: str = ""
    nth: int = 1
    how: str = "before"


class ClockJump(Fault, frozen=True, omit_defaults=True):
    """The wall clock is set forward, or back if `seconds` is negative."""

    at: float = 0.0
    seconds: float = 60.0


class ClockSkew(Fault, frozen=True, omit_defaults=True):
    """From a time on, the wall clock of a worker is ahead of the true time, or behind it.

    The difference is `seconds` plus `drift` for each second since then. Workers are counted from 0.
    """

    at: float = 0.0
    worker: int = 0
    seconds: float = 5.0
    drift: float = 0.0


class Pause(Fault, frozen=True, omit_defaults=True):
    """A worker is paused at the nth occurrence of a point, for `seconds`.

    The points are those of `Crash`. The whole process is paused, or only its event loop if `whole`
    is false: then its Kafka client stays a member of its group. If the pause is longer than the
    session timeout (10 s), other workers own its shards when it continues: it is a zombie.
    """

    point: str = "before commit"
    nth: int = 1
    seconds: float = 30.0
    whole: bool = True


# --- Kafka and the workers of its group; without effect on the embedded log ----------------------


class RefusedAsTooLarge(RecordFault, frozen=True, omit_defaults=True):
    """Kafka refuses the record, which is too large for its topic."""


class AckFails(Fault, frozen=True, omit_defaults=True):
    """From the nth published record, `times` records are not acknowledged.

    `written` says if they are written nevertheless.
    """

    nth: int = 1
    times: int = 1
    written: bool = False


class BrokerAway(Fault, frozen=True, omit_defaults=True):
    """Kafka is unavailable for `seconds`, from the nth request to publish or to fetch."""

    nth: int = 1
    seconds: float = 5.0


class Rebalance(Fault, frozen=True, omit_defaults=True):
    """At the nth occurrence of a point a worker leaves the group, and joins again `seconds` later.

    Its shards are revoked. If `lost`, they are assigned to others without waiting for the worker to
    release them, as after a session timeout.
    """

    point: str = "before message"
    nth: int = 1
    seconds: float = 1.0
    lost: bool = False


class WorkerStarts(Fault, frozen=True, omit_defaults=True):
    """One more worker joins the group, with the next number."""

    at: float = 0.0


class WorkerStops(Fault, frozen=True, omit_defaults=True):
    """A worker stops in good order, or is killed.

    If `down` is given, it starts again after so many seconds; otherwise it does not.
    """

    at: float = 0.0
    worker: int = 0
    killed: bool = False
    down: float = FOREVER


# --- operators ----------------------------------------------------------------------------------


class Operator(Fault, frozen=True, omit_defaults=True):
    """An operator's command: `cancel`, `retry`, `skip` or `resume`."""

    at: float = 0.0
    order: str = ""
    action: str = "cancel"
    step: str = ""


class Put(Fault, frozen=True, omit_defaults=True):
    """A record is appended to a topic; `value` is its text."""

    at: float = 0.0
    topic: str = "order-events"
    value: str = ""
    key: str = ""


AnyFault = (
    Drop | Duplicate | Delay | Reorder | Corrupt
    | Silent | Declines | LosesReplies | Slow | AnswersTwice | Raises
    | Crash | CommitFails | ReadFails | LosesShard | LateAcks | CallFails | ClockJump
    | ClockSkew | Pause | RefusedAsTooLarge | AckFails | BrokerAway | Rebalance
    | WorkerStarts | WorkerStops
    | Operator | Put
)  # fmt: skip

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(list[AnyFault])


def to_json(plan: list[Fault]) -> str:
    """Encode a plan as one line of JSON."""
    return _encoder.encode(plan).decode()


def from_json(text: str) -> list[Fault]:
    """Decode a plan from `to_json`. Raises msgspec.DecodeError for anything else."""
    return list(_decoder.decode(text))
