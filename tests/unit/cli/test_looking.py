"""`orders`, `sagas` and `show`."""

import pytest

from order_sagas.actors.clock import iso
from order_sagas.actors.entities import Notification
from order_sagas.actors.messages import OrderLine, PaymentCompleted
from order_sagas.actors.sagas.definition import hours
from order_sagas.actors.services.payment_gateway import Declined
from order_sagas.actors.services.simulated_gateway import Silence, SimulatedGateway
from tests.support.embedded import EmbeddedSystem, an_order


def test_orders_are_listed_newest_first_with_their_outcome(run, run_json, system):
    """Also filtered by status."""
    system.load({"PEN": 3})
    system.start()
    system.put(an_order("A"))
    system.put(an_order("B"))

    assert [("B", "CANCELLED", "out_of_stock"), ("A", "COMPLETED", "")] == [
        (row["orderId"], row["status"], row["code"]) for row in run_json("orders")
    ]
    assert ["A"] == [row["orderId"] for row in run_json("orders", "--status", "completed")]
    assert ["B"] == [row["orderId"] for row in run_json("orders", "--limit", 1)]
    assert "EUR 3.00" in run("orders").stdout


def test_an_empty_list_says_so(run, system):
    """Instead of an empty table."""
    assert "There are no such orders.\n" == run("orders").stdout
    assert "There are no such sagas.\n" == run("sagas").stdout


def test_a_saga_in_flight_is_listed_with_what_it_waits_for(run_json, tmp_path, system):
    """And until when."""
    silent = SimulatedGateway(silence=Silence(1.0, where="payment"))
    with EmbeddedSystem(tmp_path, gateway=silent) as system:
        system.put(an_order("A"))
        (row,) = run_json("sagas", "--status", "running")

        assert ("A", "process payment") == (row["orderId"], row["step"])
        assert iso(system.clock.now() + 30) == row["deadline"]


def test_an_order_is_shown_with_all_its_data(run, run_json, system):
    """For people on a page, for programs as JSON."""
    system.load({"PEN": 3})
    system.start()
    system.put(an_order("A"))
    whole = run_json("show", "A")
    shown = run("show", "A").stdout

    assert ["COMPLETED", "COMPLETED", "HELD", "SENT"] == [
        whole[name]["status"] for name in ("order", "payment", "reservation", "notification")
    ]
    assert ["create order", "process payment", "reserve stock", "complete order",
            "notify customer"] == [s["step"] for s in whole["sagas"][0]["steps"]]  # fmt: skip
    assert "completed" == whole["sagas"][0]["history"][-1]["event"].removeprefix("saga.")
    for word in ("COMPLETED", "process payment", "EUR 3.00", "2 PEN", "step_completed"):
        assert word in shown


def test_an_order_that_waits_is_shown_as_submitted(run, system, tmp_path):
    """Although nothing has handled it yet."""
    (tmp_path / "o.jsonl").write_text('{"orderId": "A", "customerId": "c"}')
    run("submit", tmp_path / "o.jsonl")

    assert "SUBMITTED" in run("show", "A").stdout


def test_an_unknown_order_is_an_error(run, system):
    """With the id, which may be mistyped."""
    result = run("show", "nobody")

    assert (1, "Error: there is no order nobody\n") == (result.exit_code, result.stderr)


def test_markup_in_user_data_is_shown_literally(run, system):
    """A SKU or a customer may be called anything."""
    system.load({"[red]PEN[/]": 3})
    system.start()
    system.put(an_order("[bold]A", customer_id="[/nonsense]"))

    assert "[/nonsense]" in run("show", "[bold]A").stdout
    assert "[/nonsense]" in run("orders").stdout
    assert "[red]PEN[/]" in run("stock", "show").stdout
    assert "[bold]A" in run("sagas").stdout


class RefusesRefunds(SimulatedGateway):
    """A provider that declines refunds."""

    def refund(self, refund):
        """Decline."""
        return Declined("account_frozen", "ask the bank")


class RefusesRefundsOutside(RefusesRefunds):
    """The same, called after the commit."""

    local = False


@pytest.mark.parametrize("gateway", [RefusesRefunds, RefusesRefundsOutside])
def test_a_saga_that_needs_attention_shows_the_providers_error(
    run, run_json, tmp_path, system, gateway
):
    """The saga itself only knows that no reply came."""
    with EmbeddedSystem(tmp_path, gateway=gateway()) as system:
        system.put(an_order("A", lines=(OrderLine(sku="GONE", quantity=1, unit_price=100),)))
        system.advance(hours(5))

        shown = run("show", "A").stdout
        whole = run_json("show", "A")
    payment, steps = whole["payment"], whole["sagas"][0]["steps"]
    cause = "refund declined: account_frozen: ask the bank"

    assert "needs attention" in shown
    assert f"Stuck in the undo of process payment: {cause}\n" in shown
    assert {"process payment": cause} == {each["step"]: each["cause"] for each in steps
                                          if each["cause"]}  # fmt: skip
    assert ("PENDING", "account_frozen") == (payment["status"], payment["code"])


class NoMailServer:
    """A channel that always fails."""

    name = "mail"
    local = False

    def send(self, notification: Notification, now: float) -> None:
        """Refuse."""
        raise ConnectionRefusedError("port 25 is closed")


def test_the_error_of_a_failed_notification_is_shown(run, tmp_path, system):
    with EmbeddedSystem(tmp_path, channel=NoMailServer()) as system:
        system.load({"PEN": 3})
        system.put(an_order("A"))

        assert "ConnectionRefusedError: port 25 is closed" in run("show", "A").stdout


def test_a_reply_that_came_too_early_is_shown(run, run_json, system):
    """Also for an order without a saga."""
    system.start()
    system.put(PaymentCompleted(order_id="A"))
    early = run_json("show", "A")["earlyReplies"]

    assert ["payment-events"] == [each["topic"] for each in early]
    assert "came too early: " in run("show", "A").stdout
    assert '"status":"PAYMENT_COMPLETED"' in run("show", "A").stdout
    assert 1 == run_json("status")["earlyReplies"]
    assert "1 reply kept for a later step" in run("status").stdout


def test_early_replies_of_all_orders_are_listed(run, run_json, system):
    system.start()
    assert "No reply is kept.\n" == run("sagas", "early").stdout

    system.put(PaymentCompleted(order_id="A"), PaymentCompleted(order_id="B"))
    first, second = run_json("sagas", "early")

    assert ["A", "B"] == [first["orderId"], second["orderId"]]
    assert ("PAYMENT_COMPLETED", "payment-events") == (first["status"], first["topic"])
    shown = run("sagas", "early", "--limit", "1").stdout
    assert "A " in shown
    assert "1 more: --limit 0 lists all." in shown
    assert "B " not in shown
