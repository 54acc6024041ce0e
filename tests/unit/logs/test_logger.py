"""The fast path for level info does the same as structlog's logger."""

from typing import Any

import pytest
import structlog
from structlog.exceptions import DropEvent

from order_sagas.system.logs.logger import logger_class


def lines_of(wrapper, act):
    """What a logger of that class passes to its wrapped logger and processors, for `act`."""
    handed, seen = [], []

    class Wrapped:
        def __getattr__(self, method):
            return lambda line: handed.append((method, line))

    def note(logger, method, event):
        seen.append((method, dict(event)))
        return event

    def drop(logger, method, event):
        if event.get("drop"):
            raise DropEvent
        return event

    def render(logger, method, event):
        return repr(sorted(event.items())).encode()

    act(wrapper(Wrapped(), [note, drop, render], {}))
    return handed, seen


ACTS = {
    "fields": lambda log: log.info("said", a=1, b=None),
    "bound": lambda log: log.bind(order_id="o-1", a=1).info("said", a=2),
    "bound and unbound": lambda log: log.bind(a=1).unbind("a").info("said"),
    "a field named event": lambda log: log.bind(event="bound").info("said"),
    "arguments": lambda log: log.info("%d of %d", 1, 2, a=3),
    "a mapping": lambda log: log.info("%(one)s", {"one": 1}),
    "dropped": lambda log: log.info("said", drop=True),
    "another level": lambda log: log.warning("said", a=1),
    "by number": lambda log: log.log(20, "said", a=1),
    "debug": lambda log: log.debug("said", a=1),
}


@pytest.mark.parametrize("level", ["debug", "info", "warning"])
@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS.keys())
def test_a_line_is_the_same_either_way(level, act):
    """Fields, what was bound, formats, dropped lines and levels."""
    ours = lines_of(logger_class(level), act)
    theirs = lines_of(structlog.make_filtering_bound_logger(level), act)

    assert ours == theirs


def test_what_was_bound_stays_as_it_was():
    """A line does not change the context of its logger."""
    handed: list[bytes] = []

    class Wrapped:
        info = staticmethod(handed.append)

    def render(logger, method, event):
        event["left"] = True
        return b"line"

    wrapper: Any = logger_class("info")
    log = wrapper(Wrapped(), [render], {"a": 1})
    log.info("said", b=2)

    assert handed == [b"line"]
    assert structlog.get_context(log) == {"a": 1}
