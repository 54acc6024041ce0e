"""The intake accepts each order once, however often it is submitted."""

import msgspec
import pytest

from order_sagas.actors.messages import OrderLine
from order_sagas.bridges.intake.intake import Intake, Verdict
from order_sagas.bridges.records.wire_forms import spring_json_string
from order_sagas.bridges.storage.headers import unpack
from tests.support.embedded import EmbeddedSystem, an_order
from tests.support.traced import ELSEWHERE

PEN, INK = (OrderLine(sku=sku, quantity=1, unit_price=100) for sku in ("PEN", "INK"))


@pytest.fixture
def system(tmp_path):
    """A system that is not started yet."""
    system = EmbeddedSystem(tmp_path)
    yield system
    system.__exit__()


def test_an_order_is_accepted_once_while_it_waits_and_after_it_was_handled(system):
    """Its fingerprint is stored before it is handled."""
    intake = Intake(system.log)
    first = intake.take([an_order()])
    waiting = intake.take([an_order()])
    system.start()
    handled = intake.take([an_order()])

    assert [Verdict.ACCEPTED] == first
    assert [Verdict.DUPLICATE] == waiting == handled
    assert 1 == system.statuses_of("o-1").count("ORDER_CREATED")


def test_an_order_with_other_content_is_refused_and_changes_nothing(system):
    """While the first one waits, and after it was handled."""
    intake = Intake(system.log)
    intake.take([an_order(lines=(PEN,))])
    waiting = intake.take([an_order(lines=(INK,))])
    system.start()
    handled = intake.take([an_order(lines=(PEN,), currency="USD")])

    assert [Verdict.CONFLICT] == waiting == handled
    assert 1 == system.statuses_of("o-1").count("ORDER_CREATED")


def test_an_order_without_a_fingerprint_is_compared_by_content(system):
    """A record that another service wrote leaves no fingerprint."""
    system.start()
    system.put(an_order())
    intake = Intake(system.log)

    assert [Verdict.DUPLICATE, Verdict.CONFLICT] == [
        *intake.take([an_order()]),
        *intake.take([an_order(customer_id="another")]),
    ]


def test_an_order_that_is_twice_in_one_file_is_accepted_once(system):
    """Even within one transaction."""
    verdicts = Intake(system.log).take([an_order(), an_order(), an_order(lines=(INK,))])

    assert [Verdict.ACCEPTED, Verdict.DUPLICATE, Verdict.CONFLICT] == verdicts
    assert 1 == len(system.statuses_of("o-1"))


def test_an_order_too_large_for_readers_is_refused(system):
    """It would only become a dead letter."""
    lines = tuple(OrderLine(sku=f"{i:0200}", quantity=1) for i in range(6000))

    assert [Verdict.TOO_LARGE] == Intake(system.log).take([an_order(lines=lines)])
    assert [] == system.statuses_of("o-1")


def test_numbers_ascend_in_the_order_of_submitting(system):
    """`submit --wait` relies on it."""
    intake = Intake(system.log)
    ids = [f"o-{n}" for n in range(50)]
    intake.take([an_order(order_id) for order_id in ids])

    assert [intake.numbers([order_id])[0] for order_id in ids] == intake.numbers(ids)


def test_an_idempotency_key_belongs_to_its_first_order(system):
    """Whether the order was new or known then, and in any later intake."""
    Intake(system.log).take([an_order("o-1"), an_order("o-2")], ["key-1", ""])
    verdicts = Intake(system.log).take(
        [an_order("o-1"), an_order("o-2"), an_order("o-3"), an_order("o-1", lines=(INK,))],
        ["key-1", "key-2", "key-2", "key-1"],
    )

    assert [Verdict.DUPLICATE, Verdict.DUPLICATE, Verdict.KEY_REUSED, Verdict.KEY_REUSED] == (
        verdicts
    )
    assert [] == system.statuses_of("o-3")


def test_an_idempotency_key_of_a_refused_order_stays_free(system):
    """No order was accepted with it."""
    intake = Intake(system.log)
    intake.take([an_order("o-1")])

    assert [Verdict.CONFLICT, Verdict.ACCEPTED] == intake.take(
        [an_order("o-1", lines=(INK,)), an_order("o-2")], ["key", "key"]
    )


def test_an_order_within_a_trace_keeps_the_header_of_the_wire_form(system, monkeypatch):
    """Its record has the trace context and what the topic's readers need."""
    plain = system.log.outgoing

    def outgoing(topic, key, value, headers=()):
        return plain(topic, key, *spring_json_string(value, headers))

    monkeypatch.setattr(system.log, "outgoing", outgoing)
    traced = msgspec.structs.replace(an_order(), traceparent=ELSEWHERE, tracestate="a=1")
    Intake(system.log).take([traced])
    rows = system.log.db.rows("SELECT headers FROM log WHERE topic = 'order-events'", ())
    ((packed,),) = rows

    assert {
        "traceparent": ELSEWHERE.encode(),
        "tracestate": b"a=1",
        "__TypeId__": b"java.lang.String",
    } == dict(unpack(packed))
