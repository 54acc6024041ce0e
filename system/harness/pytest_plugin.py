"""The pytest plugin: a `harness` for each test, and the seed and the story of those that fail.

    def test_a_silent_provider_cancels_the_order(harness):
        order = harness.place(an_order())
        harness.payment.goes_silent()
        harness.advance(minutes(5))
        harness.expect(order).to_be(CANCELLED)

Each run of the tests draws a new seed, and says which at its head and beside each failure;
`pytest --harness-seed N` runs them with that one again. `@pytest.mark.harness(stock={...})` hands
arguments to `Harness`.
"""

import random
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    # Every run of pytest loads this module where the package is installed, whether needed or not.
    from order_sagas.system.harness.harness import Harness

_SEED = pytest.StashKey[int]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--harness-seed`."""
    parser.getgroup("order-sagas").addoption(
        "--harness-seed",
        type=int,
        metavar="N",
        help="The seed of every harness: replays a failure. By default a new one for each run.",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Draw the seed of this run, unless it is given; all workers of pytest-xdist have the same."""
    config.addinivalue_line("markers", "harness(**arguments): what the `harness` is made with")
    given = config.getoption("harness_seed")
    if given is None:
        given = getattr(config, "workerinput", {}).get("harness_seed")
    config.stash[_SEED] = random.SystemRandom().randrange(2**31) if given is None else given


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Hand the seed to a worker of pytest-xdist."""
    node.workerinput["harness_seed"] = node.config.stash[_SEED]


def pytest_report_header(config: pytest.Config) -> str:
    """The seed, above the results."""
    return f"harness seed: {config.stash[_SEED]}"


@pytest.fixture
def harness_seed(pytestconfig: pytest.Config) -> int:
    """The seed of this run, for tests that make their own `Harness(seed=harness_seed)`."""
    return pytestconfig.stash[_SEED]


@pytest.fixture
def harness(request: pytest.FixtureRequest, harness_seed: int) -> Iterator["Harness"]:
    """A system on virtual time, to be made to fail."""
    from order_sagas.system.harness.harness import Harness

    marker = request.node.get_closest_marker("harness")
    arguments = {"seed": harness_seed, **(marker.kwargs if marker else {})}
    with Harness(**arguments) as system:
        yield system


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put the story of the harness beside the failure."""
    report = yield
    if report.when == "call" and report.failed:
        system = getattr(item, "funcargs", {}).get("harness")
        concerned = getattr(call.excinfo.value, "order_ids", None) if call.excinfo else None
        if system is not None:
            told = system.story(*(system.placed[:1] if concerned is None else concerned))
            report.sections.append(("harness", told))
    return report
