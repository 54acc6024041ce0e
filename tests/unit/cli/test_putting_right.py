"""`inject`, `retry`, `skip`, `resume`, `cancel` and `dead-letters`."""

import json

import pytest

from order_sagas.actors.messages import PaymentCompleted
from order_sagas.actors.sagas.definition import hours
from order_sagas.actors.services.payment_gateway import NoAnswer
from order_sagas.actors.services.simulated_gateway import SimulatedGateway
from order_sagas.actors.words import many
from tests.support.embedded import EmbeddedSystem, an_order


class NeverRefunds(SimulatedGateway):
    """A provider that approves charges, and answers refunds only once the test lets it."""

    answers = False

    def refund(self, refund):
        return super().refund(refund) if NeverRefunds.answers else NoAnswer()


@pytest.fixture
def stuck(tmp_path, system, monkeypatch):
    """A system with order A, whose payment cannot be refunded."""
    monkeypatch.setattr(NeverRefunds, "answers", False)
    with EmbeddedSystem(tmp_path, gateway=NeverRefunds()) as system:
        system.put(an_order("A"))
        system.advance(hours(5))
        assert "NEEDS_ATTENTION" == system.status("A")
        yield system


def test_any_record_can_be_put_on_any_topic(run, system):
    """With a key by its order, and headers."""
    result = run("inject", "payment-events", '{"orderId": "A", "status": "PAYMENT_COMPLETED"}',
                 "--header", "x=1")  # fmt: skip

    assert 0 == result.exit_code
    assert [(b"A", '[["x","MQ=="]]')] == [
        (bytes(key), bytes(headers).decode())
        for key, headers in system.log.db.rows("SELECT key, headers FROM log", ())
    ]


def test_a_command_to_a_warehouse_is_keyed_by_the_warehouse(run, system):
    """Its stock is on the shard of this key."""
    run("inject", "stock-events",
        '{"orderId": "A", "status": "RESERVE_STOCK", "warehouse": "north"}')  # fmt: skip
    run("inject", "stock-events", '{"orderId": "A", "status": "STOCK_RESERVED"}')

    assert [b"north", b"A"] == [
        bytes(key) for (key,) in system.log.db.rows("SELECT key FROM log ORDER BY position", ())
    ]


@pytest.mark.parametrize("value", ["oops", "[]", '{"orderId": "A"}', '{"orderId": 1, "status": 2}'])
def test_an_unreadable_record_needs_raw(run, system, value):
    """And becomes a dead letter."""
    refused = run("inject", "order-events", value)
    put = run("inject", "order-events", value, "--raw")
    system.start()

    assert (2, 0) == (refused.exit_code, put.exit_code)
    assert "it will be a dead letter" in put.stderr
    assert 1 == len(json.loads(run("dead-letters", "list", "--json").stdout))


def test_an_unknown_topic_is_refused_with_the_known_ones(run):
    """A record there would never be read."""
    result = run("inject", "orders", "{}", "--raw")

    assert 2 == result.exit_code
    assert "there are notification-events, operator-commands, order-events," in result.stderr


def test_late_duplicates_are_shown_once_with_their_count(run, run_json, stuck):
    """The history of a saga does not grow with their number."""
    for _ in range(2):
        stuck.put(*[PaymentCompleted(order_id="A")] * 500)
    (late,) = [
        entry
        for entry in run_json("show", "A")["sagas"][0]["history"]
        if entry["event"] == "saga.message_ignored"
    ]

    assert 1000 == late["times"]
    assert "already sent (1,000 times, last at +18000.000 s)" in run("show", "A").stdout


def test_a_stuck_step_is_retried_after_its_cause_is_fixed(run, stuck):
    """The saga continues; the operator is stored."""
    NeverRefunds.answers = True
    result = run("retry", "A", "--step", "process payment", "--by", "ada")
    stuck.run()

    assert 0 == result.exit_code
    assert "CANCELLED" == stuck.status("A")
    assert any("retry by ada" in entry.note for entry in stuck.saga("A").history)


def test_a_stuck_step_is_skipped_with_a_reason(run, stuck):
    """Somebody has refunded it by hand."""
    result = run("skip", "A", "--step", "process payment", "--why", "refunded by hand")
    stuck.run()

    assert 0 == result.exit_code
    assert "CANCELLED" == stuck.status("A")
    assert any("refunded by hand" in entry.note for entry in stuck.saga("A").history)


def test_all_stuck_steps_are_resumed_together(run, stuck):
    """Without naming them."""
    NeverRefunds.answers = True
    run("resume", "A")
    stuck.run()

    assert "CANCELLED" == stuck.status("A")


@pytest.mark.parametrize(
    ("args", "code", "problem"),
    [
        (("retry", "A", "--step", "pay"), 2, "there is no step 'pay'; there are 'create order'"),
        (("retry", "A", "--step", "reserve stock"), 1, "is not stuck; stuck: 'process payment'"),
        (("skip", "A", "--step", "process payment", "--why", " "), 2, "needs a reason"),
        (("resume", "B"), 1, "order B has no saga"),
        (("resume", "A", "--saga", "return"), 1, "has no saga 'return'; it has 'place-order'"),
    ],
)
def test_an_impossible_command_is_refused_before_it_is_sent(run, stuck, args, code, problem):
    """Instead of being ignored by the saga later, unnoticed."""
    result = run(*args)
    stuck.run()

    assert code == result.exit_code
    assert problem in result.stderr
    assert "NEEDS_ATTENTION" == stuck.status("A")


def test_an_order_in_flight_is_cancelled_and_an_ended_one_is_not(run, tmp_path, system):
    """An ended saga has nothing left to undo."""

    class Silent(SimulatedGateway):
        def charge(self, charge):
            return NoAnswer()

    with EmbeddedSystem(tmp_path, gateway=Silent()) as system:
        system.put(an_order("A"))
        first = run("cancel", "A", "--why", "the customer called")
        system.run()
        second = run("cancel", "A", "--why", "again")

        assert "CANCELLED" == system.status("A")
        assert "the customer called" == system.saga("A").reason
    assert 0 == first.exit_code
    assert (1, "has ended: cancelled") == (second.exit_code, second.stderr.strip()[-20:])


def test_nothing_is_injected_as_a_dead_letter(run, run_json):
    """It could be taken for a letter, or for the mark of one."""
    put = run("inject", "dead-letters", "--raw", "--header", "dead-letter-mark=1", "garbage")

    assert 2 == put.exit_code
    assert "only workers write to dead-letters" in put.stderr
    assert [] == run_json("dead-letters", "list")


@pytest.fixture
def letter(run, system):
    """The id of a dead letter: a payment for an order, on a topic where nobody takes it."""
    system.start()
    run("inject", "stock-events", '{"orderId": "A", "status": "PAYMENT_COMPLETED"}',
        "--header", "trace=7")  # fmt: skip
    system.run()
    (letter,) = json.loads(run("dead-letters", "list", "--json").stdout)
    return letter["number"]


def test_a_dead_letter_shows_its_origin_and_error(run_json, letter):
    """With unchanged key, headers and value."""
    shown = run_json("dead-letters", "show", letter)

    assert ("stock-events", "A", {"trace": "7"}) == (
        shown["topic"],
        shown["key"],
        shown["headers"],
    )
    assert "no receiver on stock-events takes PaymentCompleted" in shown["error"]


def test_a_replayed_letter_is_the_original_record(run, run_json, system, letter):
    """With its own headers only, and the letter is out of the list."""
    result = run("dead-letters", "replay", letter, "--by", "ada")
    gone = run_json("dead-letters", "list")
    system.run()

    assert "1 record replayed.\n" == result.stdout
    assert [] == gone
    assert ["replayed", ""] == [
        each["action"] for each in run_json("dead-letters", "list", "--all")
    ]
    assert [{"trace": "7"}] * 2 == [
        each["headers"] for each in run_json("dead-letters", "list", "--all")
    ]


def test_a_resolved_letter_is_not_replayed_or_discarded_again(run, letter):
    """Two operators may act on the same list."""
    run("dead-letters", "discard", letter, "--why", "a test", "--by", "ada")
    twice = run("dead-letters", "replay", letter)

    assert 1 == twice.exit_code
    assert f"dead letter {letter} was discarded by ada" in twice.stderr
    assert 0 == run("dead-letters", "replay", letter, "--again").exit_code


def test_all_letters_need_the_option_all(run, letter):
    """An empty list of ids is probably a mistake."""
    assert 2 == run("dead-letters", "replay").exit_code
    assert 2 == run("dead-letters", "replay", letter, "--all").exit_code
    assert 1 == run("dead-letters", "replay", letter + 1000).exit_code
    assert "1 letter discarded.\n" == run("dead-letters", "discard", "--all", "--why", "x").stdout
    assert "1 replayed or discarded" in run("dead-letters", "list").stdout


@pytest.fixture
def letters(run, run_json, system):
    """The ids of three dead letters: one that is no JSON, two that nobody takes."""
    system.start()
    run("inject", "order-events", "oops", "--raw")
    for order_id in ("A", "B"):
        value = f'{{"orderId": "{order_id}", "status": "PAYMENT_COMPLETED"}}'
        run("inject", "stock-events", value)
    system.run()
    return [letter["number"] for letter in run_json("dead-letters", "list")]


@pytest.mark.parametrize(
    ("narrowed", "places"),
    [
        ((), [0, 1, 2]),
        (("--topic", "stock-events"), [1, 2]),
        (("--error", "NOT JSON"), [0]),
        (("--older-than", "1d"), [0, 1, 2]),
        (("--older-than", "36500d"), []),
        (("--topic", "stock-events", "--error", "not json"), []),
    ],
)
def test_letters_are_chosen_by_filters(run, run_json, letters, narrowed, places):
    """A dry run lists them, and changes nothing."""
    dry = run("dead-letters", "discard", "--all", *narrowed, "--why", "x", "--dry-run")
    assert letters == [letter["number"] for letter in run_json("dead-letters", "list")]
    done = run("dead-letters", "discard", "--all", *narrowed, "--why", "x")

    assert (
        f"{many(len(places), 'dead letter') if places else 'No dead letters'} to discard."
        in dry.stdout
    )
    assert len(places) == sum("PAYMENT" in x or "oops" in x for x in dry.stdout.splitlines())
    assert (0, bool(places)) == (done.exit_code, " discarded." in done.stdout)
    assert [each for n, each in enumerate(letters) if n not in places] == [
        letter["number"] for letter in run_json("dead-letters", "list")
    ]


def test_letters_are_listed_by_filters(run, run_json, letters):
    """By topic, error and time; as CSV too."""
    listed = [
        [letter["number"] for letter in run_json("dead-letters", "list", *narrowed)]
        for narrowed in (
            ("--topic", "stock-events"), ("--error", "NOT JSON"), ("--since", "2999-01-01"),
            ("--until", "2999-01-01"),
        )
    ]  # fmt: skip
    lines = run("dead-letters", "list", "--csv", "--error", "json").stdout.splitlines()
    none = run("dead-letters", "list", "--topic", "order-events", "--error", "no such")

    assert [letters[1:], letters[:1], [], letters] == listed
    assert lines[0].startswith("number,topic,partition,offset,time,error,key,headers,value")
    assert [f"{letters[0]},order-events"] == [",".join(lines[1].split(",")[:2])]
    assert "There are no such dead letters." in none.stdout


def test_the_action_on_a_letter_is_shown_with_its_reason(run, run_json, letters):
    """With operator and reason."""
    run("dead-letters", "replay", letters[1], "--by", "ada", "--why", "the route is there now")
    line = run("dead-letters", "list", "--all").stdout

    assert "replayed by ada: the" in line
    assert "the route is there now" == run_json("dead-letters", "show", letters[1])["why"]


def test_letters_are_named_or_chosen_and_never_both(run, letters):
    """A filter together with a number is probably a mistake."""
    result = run("dead-letters", "replay", letters[0], "--error", "JSON")

    assert (2, True) == (result.exit_code, "go with --all" in result.stderr)


@pytest.mark.parametrize(
    "words",
    [
        ["skip", "A", "--step", "process payment"],
        ["cancel", "A"],
        ["dead-letters", "discard", "1"],
        ["pause", "stock"],
    ],
)
def test_a_missing_reason_is_reported_with_its_flag(run, system, words):
    """So that the user can correct the command."""
    system.start()
    system.put(an_order("A"))
    result = run(*words)

    assert 2 == result.exit_code
    assert "needs a reason; give it with --why" in result.stderr
