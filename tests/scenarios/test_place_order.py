"""An order's scenarios, with the same outcome on every base that actors can run on."""

import pytest

from order_sagas.actors.sagas import minutes
from tests.scenarios.bases import OnThespiansBase
from tests.scenarios.place_order import SCENARIOS
from tests.scenarios.scenario import Scenario
from tests.support.embedded import EmbeddedSystem

IN_PROCESSES = (
    "everything goes well",
    "the goods are out of stock",
    "the payment is silent for good",
)
"""A process for each actor takes long to start."""


def expect(scenario: Scenario, system: EmbeddedSystem) -> None:
    """Check the outcome, every record, and the invariants."""
    saga = system.saga("o-1")

    assert saga
    assert (scenario.status, scenario.code) == (system.status("o-1"), saga.code)
    assert scenario.written == system.statuses_of("o-1")
    assert [] == system.violations()


@pytest.mark.parametrize("name", SCENARIOS)
def test_on_our_base_in_virtual_time(name, tmp_path) -> None:
    """Deadlines of any length take no real time."""
    scenario = SCENARIOS[name]
    with EmbeddedSystem(tmp_path, settings=scenario.settings) as system:
        system.load(scenario.stock)
        system.put(*scenario.given)
        system.advance(minutes(10))

        expect(scenario, system)


def run_on(base: str, scenario: Scenario, tmp_path) -> None:
    system = OnThespiansBase(tmp_path, base, scenario.settings)
    with system:
        system.load(scenario.stock)
        system.put(*scenario.given)
        system.until(lambda: system.status("o-1") in ("COMPLETED", "CANCELLED"))

        expect(scenario, system)


@pytest.mark.parametrize("name", SCENARIOS)
def test_on_thespians_simple_base(name, tmp_path) -> None:
    """In this process, in real time."""
    run_on("simpleSystemBase", SCENARIOS[name], tmp_path)


@pytest.mark.slow
@pytest.mark.processes
@pytest.mark.parametrize("name", IN_PROCESSES)
def test_with_a_process_for_every_actor(name, tmp_path) -> None:
    """Every message is pickled and sent by TCP; the bridge opens its own database."""
    run_on("multiprocTCPBase", SCENARIOS[name], tmp_path)
