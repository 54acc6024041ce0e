"""The pytest plugin: a `harness` fixture, and the seed and a report for each failure.

    def test_a_silent_provider_cancels_the_order(harness):
        order = harness.place(an_order())
        harness.payment.goes_silent()
        harness.advance(minutes(5))
        harness.expect(order).to_be(CANCELLED)

Each test run draws a new seed, and prints it at its head and with each failure;
`pytest --harness-seed N` repeats the run with that seed. `@pytest.mark.harness(stock={...})` passes
arguments to `Harness`.
"""

import random
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    # Every run of pytest in this environment imports this module, so it has to be fast.
    from order_sagas.system.harness.harness import Harness

_SEED = pytest.StashKey[int]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option `--harness-seed`."""
    parser.getgroup("order-sagas").addoption(
        "--harness-seed",
        type=int,
        metavar="N",
        help="The seed of every harness: replays a failure. By default a new one for each run.",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Draw the seed of this run, unless it is given; workers of pytest-xdist share it."""
    config.addinivalue_line("markers", "harness(**arguments): what the `harness` is made with")
    given = config.getoption("harness_seed")
    if given is None:
        given = getattr(config, "workerinput", {}).get("harness_seed")
    config.stash[_SEED] = random.SystemRandom().randrange(2**31) if given is None else given


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Pass the seed to a worker of pytest-xdist."""
    node.workerinput["harness_seed"] = node.config.stash[_SEED]


def pytest_report_header(config: pytest.Config) -> str:
    """Print the seed at the head of the results."""
    return f"harness seed: {config.stash[_SEED]}"


@pytest.fixture
def harness_seed(pytestconfig: pytest.Config) -> int:
    """The seed of this run, for tests that make their own `Harness(seed=harness_seed)`."""
    return pytestconfig.stash[_SEED]


@pytest.fixture
def harness(request: pytest.FixtureRequest, harness_seed: int) -> Iterator["Harness"]:
    """A `Harness` with the seed of this run and the arguments of the test's marker."""
    from order_sagas.system.harness.harness import Harness

    marker = request.node.get_closest_marker("harness")
    arguments = {"seed": harness_seed, **(marker.kwargs if marker else {})}
    with Harness(**arguments) as system:
        yield system


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the harness's report to a failure."""
    report = yield
    if report.when == "call" and report.failed:
        system = getattr(item, "funcargs", {}).get("harness")
        concerned = getattr(call.excinfo.value, "order_ids", None) if call.excinfo else None
        if system is not None:
            told = system.story(*(system.placed[:1] if concerned is None else concerned))
            report.sections.append(("harness", told))
    return report
