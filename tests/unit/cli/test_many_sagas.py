"""`retry`, `skip`, `resume` and `cancel` of many sagas at once."""

import pytest

from order_sagas.actors.clock import SystemClock
from order_sagas.actors.messages import LoadStock, OrderLine
from order_sagas.actors.sagas.definition import hours, minutes
from order_sagas.actors.services.payment_gateway import NoAnswer
from order_sagas.actors.services.simulated_gateway import SimulatedGateway
from tests.support.embedded import BEGAN, EmbeddedSystem, an_order


class NeverRefunds(SimulatedGateway):
    """A provider that approves charges, and answers refunds only once the test lets it."""

    answers = False

    def refund(self, refund):
        return super().refund(refund) if NeverRefunds.answers else NoAnswer()


class Silent(SimulatedGateway):
    """A provider that never answers."""

    def charge(self, charge):
        return NoAnswer()


@pytest.fixture
def stuck(tmp_path, system, monkeypatch):
    """Orders A, B and C, whose payments cannot be refunded, and D, which is complete."""
    monkeypatch.setattr(NeverRefunds, "answers", False)
    with EmbeddedSystem(tmp_path, gateway=NeverRefunds()) as system:
        system.put(an_order("A"), an_order("B"), an_order("C"))
        system.put(LoadStock(order_id="l", lines=(OrderLine(sku="PEN", quantity=9),)))
        system.put(an_order("D"))
        system.advance(hours(5))
        yield system


@pytest.fixture
def waiting(tmp_path, system):
    """Orders A and B, which wait for their payments, B for ten minutes less than A."""
    with EmbeddedSystem(tmp_path, gateway=Silent(), settings={"deadline_scale": 1000}) as system:
        system.put(an_order("A"))
        system.advance(minutes(10))
        system.put(an_order("B"))
        yield system


def age(after):
    """The age of a saga by the clock of the commands, from its start in system time."""
    return f"{SystemClock().now() - BEGAN - after:.0f}s"


def statuses(system, *order_ids):
    """The status of each order's saga, after all commands were handled."""
    system.run()
    return [system.status(order_id) for order_id in order_ids]


def test_all_stuck_sagas_are_retried_together(run, stuck):
    """The history of each has the operator and the reason."""
    NeverRefunds.answers = True
    result = run("retry", "--all", "--step", "process payment", "--by", "ada", "--why", "it is up")

    assert (0, "Sent to 3 sagas.") == (result.exit_code, result.stdout.splitlines()[-1][:16])
    assert ["CANCELLED"] * 3 + ["COMPLETED"] == statuses(stuck, "A", "B", "C", "D")
    for order_id in "ABC":
        assert any("retry by ada: it is up" == e.note for e in stuck.saga(order_id).history)


def test_a_dry_run_lists_the_sagas_and_changes_nothing(run, stuck):
    """No record is written."""
    before = len(stuck.records())
    result = run("skip", "--all", "--step", "process payment", "--why", "x", "--dry-run")

    assert 0 == result.exit_code
    assert ["A", "B", "C"] == [
        line.split()[0] for line in result.stdout.splitlines() if "NEEDS_ATTENTION" in line
    ]
    assert "3 sagas to skip." in result.stdout
    assert before == len(stuck.records())


def test_a_limit_takes_the_oldest(run, stuck):
    """The rest stays as it is."""
    NeverRefunds.answers = True
    run("resume", "--all", "--limit", "2", "--code", "out_of_stock")

    assert ["CANCELLED"] * 2 + ["NEEDS_ATTENTION"] == statuses(stuck, "A", "B", "C")


@pytest.mark.parametrize(
    "narrowed",
    [("--code", "timed_out"), ("--step", "reserve stock"), ("--status", "running"),
     ("--saga", "place-order", "--older-than", age(-hours(24)))],
)  # fmt: skip
def test_sagas_that_do_not_match_are_not_changed(run, stuck, narrowed):
    """And no confirmation is requested."""
    result = run("resume", "--all", *narrowed)

    assert (0, "There is no such saga to resume.\n") == (result.exit_code, result.stdout)


def test_sagas_are_chosen_by_their_age_and_cancelled_with_a_reason(run, waiting):
    """B is younger."""
    result = run("cancel", "--all", "--status", "running", "--older-than", age(minutes(5)),
                 "--why", "too old")  # fmt: skip

    assert 0 == result.exit_code
    assert "1 saga to cancel" in result.stdout
    waiting.run()
    assert ("too old", "") == (waiting.saga("A").reason, waiting.saga("B").reason)


def test_matching_sagas_that_refuse_are_counted(run, stuck):
    """With the reason of the refusal."""
    result = run("cancel", "--all", "--why", "x")

    assert 0 == result.exit_code
    assert "3 sagas left alone: it is being compensated already" in result.stdout


@pytest.mark.parametrize(
    ("args", "problem"),
    [
        (("resume",), "name an ORDER_ID, or say --all"),
        (("resume", "A", "--all"), "name an ORDER_ID, or say --all"),
        (("resume", "A", "--limit", "3"), "go with --all"),
        (("resume", "A", "--step", "process payment"), "--step goes with --all"),
        (("resume", "--all", "--step", "pay"), "there is no step 'pay'; there are 'create order'"),
        (("resume", "--all", "--status", "completed"), "is not one of running, compensating"),
        (("resume", "--all", "--older-than", "old"), "'old' is not seconds, or a number with"),
        (("retry", "--all"), "--step needs the name of the stuck step"),
        (("skip", "--all", "--step", "process payment"), "needs a reason"),
        (("cancel", "--all"), "needs a reason"),
    ],
)
def test_ambiguous_arguments_are_refused(run, stuck, args, problem):
    """Either one saga or a filter has to be given."""
    result = run(*args)

    assert (2, True) == (result.exit_code, problem in result.stderr), result.stderr


def test_an_unknown_saga_is_refused_with_the_known_ones(run, stuck):
    """Instead of an empty result."""
    result = run("resume", "--all", "--saga", "return")

    assert 1 == result.exit_code
    assert "there is no saga 'return'; there are 'place-order'" in result.stderr
