"""A field of a definition that has another type than it must is refused, with what to write."""

from collections.abc import Callable
from typing import Any

import pytest

from order_sagas import (
    App,
    Child,
    Delay,
    Each,
    Entity,
    Message,
    Notice,
    Parallel,
    Participant,
    Remind,
    Retry,
    Saga,
    Schedule,
    Service,
    Step,
    StepMapping,
    Wait,
)
from order_sagas.actors.errors import DefinitionError

SHOP = Participant("shop", topic="shop-events")


class Asked(Message):
    """The start."""


class Given(Message):
    """A reply."""


class Stored(Entity):
    """What the service stores."""

    table = "wrong_fields"
    order_id: str


def a_step(**fields: Any) -> Step[Any, Any]:
    """A valid step, except for `fields`."""
    return Step("pay", **{"to": SHOP, "do": Asked, "needs_no_undo": True, **fields})


def a_saga(**fields: Any) -> Saga[Any]:
    """A valid saga, except for `fields`."""
    right = {"name": "shop", "version": 1, "starts_on": Asked, "steps": [a_step()]}
    return Saga(**{**right, **fields})


def an_app(**fields: Any) -> App:
    """An app with a valid service, except for the attributes of its class in `fields`."""
    right = {"participant": SHOP, "entity": Stored, "handlers": {Asked: print}}
    made = {name: value for name, value in {**right, **fields}.items() if value is not None}
    return App(sagas=[a_saga()], services=[type("Shop", (Service,), made)])


def a_list() -> Any:
    """A list with a valid step."""
    return [a_step()]


ANY_CLASS: Any = Given
ANY_STEP: Any = Step
ANY_SAGA: Any = a_saga()
FIVE: Any = 5
TEXT: Any = "5m"
NUMBER = "must be a number of seconds, such as seconds(30) or minutes(5), not '5m'"
MESSAGE = "must be a message class, a subclass of Message, not "

WRONG: dict[str, Callable[[], Any]] = {
    # durations
    f"step 'd': `time` {NUMBER}": lambda: Delay("d", TEXT),
    f"step 'pay': `within` {NUMBER}": lambda: a_step(done=Given, within=TEXT),
    f"step 'pay': `undo_within` {NUMBER}": lambda: a_step(undo_within=TEXT),
    f"step 'w': `within` {NUMBER}": lambda: Wait("w", for_=Given, within=TEXT),
    f"a reminder: `every` {NUMBER}": lambda: Remind(TEXT, SHOP, Asked),
    f"saga 'shop': its deadline {NUMBER}": lambda: a_saga(deadline=TEXT),
    f"saga 'shop': `exclusive_within` {NUMBER}": lambda: a_saga(
        exclusive=lambda start: "key", exclusive_within=TEXT
    ),
    "step 'd': `time` must be positive, not nan": lambda: Delay("d", float("nan")),
    # messages
    f"step 'w': `for_` {MESSAGE}5": lambda: Wait("w", for_=FIVE, within=1),
    f"step 'w': `refused` {MESSAGE}'5m'": lambda: Wait("w", for_=Given, refused=TEXT, within=1),
    f"step 'pay': `done` {MESSAGE}5": lambda: a_step(done=5, within=1),
    f"step 'pay': `failed` {MESSAGE}the class int": lambda: a_step(
        done=Given, failed=int, within=1
    ),
    f"step 'pay': `undone` {MESSAGE}Given(...)": lambda: a_step(
        undo=Asked, needs_no_undo=False, undone=Given(order_id="1")
    ),
    f"saga 'shop': `starts_on` {MESSAGE}the class Stored": lambda: a_saga(starts_on=Stored),
    "`reads` must be a list of message classes and names of steps, not the class Given": (
        lambda: a_step(reads=Given)
    ),
    "`reads` must be a list of message classes and names of steps; 5 is none": (
        lambda: a_step(reads=[5])
    ),
    # participants
    "5 is no participant: `to` must be a Participant": lambda: a_step(to=5),
    "'5m' is no participant: `to` must be a Participant": lambda: Notice(TEXT, Given),
    "participant 'shop': its topic must be a text, not 5": lambda: Participant("shop", FIVE),
    "participant 'shop': `keyed_by` must be a function, not 5": (
        lambda: Participant("shop", "shop", FIVE)
    ),
    "`remote` of a participant must be a list of message classes, not the class Given": (
        lambda: Participant("shop", "shop", remote=ANY_CLASS)
    ),
    # tables
    "saga 'shop': `steps` must be a list of rows, such as Step(...) and Parallel(...), not 5": (
        lambda: a_saga(steps=5)
    ),
    "and Parallel(...), not Step(...)": lambda: a_saga(steps=a_step()),
    "and Parallel(...); 5 is none": lambda: a_saga(steps=[a_step(), 5]),
    "saga 'shop': `cancelled` must be a list of notices, as Notice(...) makes; 5 is": (
        lambda: a_saga(cancelled=[5])
    ),
    "its version must be a whole number, such as 1, not '5m'": lambda: a_saga(version="5m"),
    "the name of a saga must be a text, not 5": lambda: a_saga(name=5),
    "the name of a step must be a text, not 5": lambda: Step(FIVE, to=SHOP, do=Asked),
    "saga 'shop': `exclusive` must be a function, not 5": lambda: a_saga(exclusive=5),
    "`migrates` must be a StepMapping for each other version, such as {1: StepMapping()}": (
        lambda: a_saga(version=2, migrates=[StepMapping()])
    ),
    "a parallel group takes steps: write Parallel(Step(...), Step(...)), not [": (
        lambda: Parallel(a_list())
    ),
    "step 'pay' has no field 'wihtin'; its fields are to, do, done, failed, within": (
        lambda: a_step(wihtin=5)
    ),
    "step 'pay' needs `to`: a Participant, or the class of a service": (
        lambda: ANY_STEP("pay", do=Asked)
    ),
    "step 'all': its `step` must be a Step, not 5": lambda: Each(
        "all", over=lambda start: [], step=FIVE
    ),
    "step 'w': `remind` must be a Remind": lambda: Wait("w", for_=Given, within=1, remind=FIVE),
    "step 'pay': `retry` must be a Retry, such as Retry(attempts=3), not 5": (
        lambda: a_step(retry=5)
    ),
    "step 'c': `start` must be a function or a message class, not 5": (
        lambda: Child("c", saga=a_saga(), start=FIVE)
    ),
    "Retry: `attempts` must be a whole number of 1 or more, not '5m'": lambda: Retry(TEXT),
    "Retry: `jitter` must be a number from 0 to 1, not 5": lambda: Retry(jitter=5),
    "schedule 'night': cron must be a text, not 5": lambda: Schedule(
        "night", cron=FIVE, start=lambda due: Asked(order_id=due.id)
    ),
    # apps
    "`sagas` of the app must be a list of sagas, not Saga(...)": lambda: App(sagas=ANY_SAGA),
    "`sagas` of the app must be a list of sagas; 5 is none": lambda: App(sagas=[FIVE]),
    "`services` takes classes, subclasses of Service, not 5": lambda: App(
        sagas=[a_saga()], services=[FIVE]
    ),
    'service Shop has no participant; name one: participant = Participant("shop"': (
        lambda: an_app(participant=5)
    ),
    "service Shop has no entity; name the class": lambda: an_app(entity=None),
    "service Shop has no handlers; name the method for each": lambda: an_app(handlers=None),
    "takes: handlers = {PayOrder: pay}": lambda: an_app(handlers={}),
    f"service Shop: a key of `handlers` {MESSAGE}'5m'": lambda: an_app(handlers={"5m": print}),
    "service Shop: the handler of Asked must be a method, not 5": (
        lambda: an_app(handlers={Asked: 5})
    ),
    "the client of 'shop' must be a function that makes it from the settings, not 5": (
        lambda: App(sagas=[a_saga()], services=an_app().services, clients={"shop": FIVE})
    ),
}


@pytest.mark.parametrize("problem", WRONG)
def test_a_field_of_another_type_is_refused(problem: str) -> None:
    """In one line, when it is built."""
    with pytest.raises(DefinitionError) as refused:
        WRONG[problem]()

    assert problem in str(refused.value)
    assert "\n" not in str(refused.value)
