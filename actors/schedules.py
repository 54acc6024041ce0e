"""Schedules: sagas that start at times which a cron expression gives."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import attrs
from cronsim import CronSim, CronSimError

from order_sagas.actors.errors import DefinitionError
from order_sagas.actors.messages import Message
from order_sagas.actors.sagas.field_checks import check_text

CatchUp = Literal["all", "latest", "none"]
"""What becomes of due times that passed while nothing ran."""

MOST_CAUGHT_UP = 100
"""Due times of a schedule that are settled in one batch; the next batch goes on."""


@attrs.frozen
class Due:
    """A time at which a schedule is due.

    `id` is made of the schedule's name and the time in UTC, and is never used twice: it serves as
    the order id of what is started. `at` is the time in the zone of the schedule.
    """

    schedule: str
    at: datetime

    @property
    def id(self) -> str:
        """Return the name and the UTC time, like `nightly-20261127T010000Z`."""
        return f"{self.schedule}-{self.at.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _check_cron(schedule: Any, _: Any, cron: str) -> None:
    check_text(f"schedule {schedule.name!r}: cron", cron)
    try:
        CronSim(cron, datetime(2000, 1, 1, tzinfo=UTC))
    except CronSimError as error:
        raise DefinitionError(f"schedule {schedule.name!r}: cron {cron!r}: {error}") from error


def _check_zone(schedule: Any, _: Any, name: str) -> None:
    check_text(f"schedule {schedule.name!r}: timezone", name)
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise DefinitionError(
            f"schedule {schedule.name!r}: timezone {name!r} is none; use a name of the IANA "
            "database like 'Europe/Berlin', or 'UTC'"
        ) from error


def _check_catch_up(schedule: Any, _: Any, given: str) -> None:
    if given not in get_args(CatchUp):
        known = ", ".join(get_args(CatchUp))
        raise DefinitionError(
            f"schedule {schedule.name!r}: catch_up must be one of {known}, not {given!r}"
        )


def _check_name(schedule: Any, _: Any, name: str) -> None:
    check_text("the name of a schedule", name)
    if not name or "/" in name:
        raise DefinitionError(f"schedule {name!r}: its name must not be empty or hold a '/'")


@attrs.frozen(kw_only=True)
class Schedule:
    """Starts one saga at each time that `cron` gives in `timezone`.

    `cron` has five fields (minute, hour, day of month, month, day of week), or six with seconds in
    front. `start` makes the message that starts the saga, of a `Due`; it must be pure, and should
    use `due.id` as the order id, so that each due time is an order of its own.

    At a change of daylight saving time, a time of day that does not exist is due right after the
    gap, and one that exists twice is due once; `*` in hours follows the clock that runs on.

    `catch_up` says what becomes of due times that passed while nothing ran: "all" are started one
    after the other, only the "latest", or "none". Due times count from the first start with the
    schedule, and go on where they were when `cron` changes.

    Raises DefinitionError if a field is wrong.
    """

    name: str = attrs.field(kw_only=False, validator=_check_name)
    cron: str = attrs.field(validator=_check_cron)
    start: Callable[[Due], Message]
    timezone: str = attrs.field(default="UTC", validator=_check_zone)
    catch_up: CatchUp = attrs.field(default="latest", validator=_check_catch_up)

    def after(self, time: float) -> Iterator[Due]:
        """Yield the due times after `time` (seconds since the Unix epoch), without end.

        Ends only if no such time comes in the next decades.
        """
        zone = ZoneInfo(self.timezone)
        for at in CronSim(self.cron, datetime.fromtimestamp(time, zone)):
            # An hour that exists twice begins again with times that have passed.
            if at.timestamp() > time:
                yield Due(self.name, at)

    def next(self, time: float) -> Due | None:
        """Return the first due time after `time` (seconds since the Unix epoch)."""
        return next(self.after(time), None)


def check_schedules(schedules: Any, starts: Any) -> None:
    """Raise DefinitionError if two schedules have one name, or one starts no saga.

    `starts` are the classes of the messages that start a saga.
    """
    names = [schedule.name for schedule in schedules]
    for schedule in schedules:
        if names.count(schedule.name) > 1:
            raise DefinitionError(f"two schedules are named {schedule.name!r}")
        try:
            message = schedule.start(Due(schedule.name, datetime(2000, 1, 1, tzinfo=UTC)))
        except Exception as error:
            raise DefinitionError(
                f"schedule {schedule.name!r}: `start` raises {type(error).__name__}: {error}"
            ) from error
        if type(message) not in starts:
            known = ", ".join(sorted(each.__name__ for each in starts)) or "none"
            raise DefinitionError(
                f"schedule {schedule.name!r}: no saga starts on {type(message).__name__}; sagas "
                f"start on {known}"
            )
