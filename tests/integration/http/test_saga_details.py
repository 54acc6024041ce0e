"""A saga in the API: its definition, what it waits for, its messages."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
import httpx

from order_sagas.actors.messages import Message, OrderCreated, OrderLine, StockReserved
from order_sagas.actors.place_order import PLACE_ORDER
from order_sagas.actors.sagas.definition import hours
from order_sagas.actors.sagas.registry import Registry
from order_sagas.actors.services.payment_gateway import Declined, Refund
from order_sagas.actors.services.simulated_gateway import SimulatedGateway
from order_sagas.system.order_app import APP as ORDERS
from tests.support.embedded import EmbeddedSystem, an_order
from tests.support.http_service import serving, tokens_file
from tests.support.insured_trips import BOOK_TRIP, INSURE_TRIP, SERVICES, TripPlanned
from tests.support.rentals import APP as RENTALS
from tests.unit.sagas.test_exclusive import HERE, exclusive

SAGAS = "/api/v1/sagas"


@contextmanager
def api_of(system: EmbeddedSystem, **options: Any) -> Iterator[httpx.Client]:
    """A client of the API beside a system, with the definitions that the system has."""
    with serving(system.settings, around={"registry": system.parts.registry}, **options) as api:
        yield api


def test_a_saga_has_its_definition(system: EmbeddedSystem, api: httpx.Client) -> None:
    """The stages, services, compensations and deadlines."""
    system.start()
    system.put(an_order("A"))
    definition = api.get(f"{SAGAS}/A").json()["definition"]
    pay, complete = definition["steps"][1], definition["steps"][3]

    assert ("place-order", 1, "ORDER_CREATED", True, True) == tuple(
        definition[name] for name in ("saga", "version", "startsOn", "registered", "newest")
    )
    assert (1, "payments", "PAYMENT_COMPLETED", True, False, 30, 3, 8) == tuple(
        pay[name]
        for name in ("stage", "to", "done", "undo", "pivot", "within", "attempts", "undoAttempts")
    )
    assert (True, "") == (complete["pivot"], complete["done"])


def test_a_version_that_is_only_stored_has_no_durations(
    system: EmbeddedSystem,
) -> None:
    """Another program starts its sagas; the shape is in the database."""
    system.start()
    system.put(an_order("A"))
    with serving(system.settings, around={"registry": Registry(())}) as api:
        saga = api.get(f"{SAGAS}/place-order/A").json()
    step = saga["definition"]["steps"][1]

    assert (False, None) == (saga["definition"]["registered"], saga["definition"]["deadline"])
    assert ("process payment", "payments", None) == (step["step"], step["to"], step["within"])
    assert ("step 2", []) == (saga["steps"][1]["step"], saga["waits"])


def test_a_failing_function_of_a_definition_hides_only_its_own_result(
    system: EmbeddedSystem,
) -> None:
    """The rest of the saga is shown, so that an operator can find out why it is stuck."""

    def fails(start: OrderCreated) -> Message:
        raise LookupError("no such price")

    def failing(row: Any) -> Any:
        return attrs.evolve(row, do=fails) if row.do else row

    steps = [failing(row) for row in PLACE_ORDER.rows]
    registry = Registry((attrs.evolve(PLACE_ORDER, steps=steps),))
    system.start()
    system.put(an_order("A"))
    with serving(system.settings, around={"registry": registry}) as api:
        found = api.get(f"{SAGAS}/place-order/A")

    assert 200 == found.status_code
    assert [] == found.json()["waits"]
    assert found.json()["history"]


def test_a_saga_has_its_messages(system: EmbeddedSystem, api: httpx.Client) -> None:
    """Commands and replies, each with why it was sent; also those with another key."""
    system.start()
    system.load({"PEN": 10})
    system.put(an_order("A"), an_order("B"))
    without = api.get(f"{SAGAS}/A").json()
    messages = api.get(f"{SAGAS}/A?messages=true").json()["messages"]
    by_status = {each["status"]: each for each in messages}

    assert without["messages"] is None
    assert [
        "ORDER_CREATED", "PROCESS_PAYMENT", "PAYMENT_COMPLETED", "RESERVE_STOCK", "STOCK_RESERVED",
    ] == [each["status"] for each in messages][:5]  # fmt: skip
    assert {"A"} == {each["body"]["orderId"] for each in messages}
    command, reply = by_status["PROCESS_PAYMENT"], by_status["PAYMENT_COMPLETED"]
    assert (300, "process payment", 1) == (
        command["body"]["amount"], command["step"], command["attempt"],
    )  # fmt: skip
    assert command["eventId"] == reply["causationId"]
    history = without["history"]
    assert [by_status["ORDER_CREATED"]["eventId"], reply["eventId"]] == [
        entry["cause"] for entry in history[:2]
    ]


def test_readers_see_no_card_numbers_in_messages(system: EmbeddedSystem, tmp_path: Path) -> None:
    """Nor mail addresses; operators see the unredacted record."""
    system.start()
    customer = "bob@example.com 4111 1111 1111 1111"
    system.put(an_order("A", customer_id=customer))
    tokens, found = tokens_file(tmp_path), {}
    for token in ("os_read", "os_operate"):
        with serving(system.settings, token=token, tokens=tokens) as api:
            saga = api.get(f"{SAGAS}/A?messages=true").json()
            found[token] = saga["messages"][0]["body"]["customerId"]

    assert {"os_read": "[address] [card ending 1111]", "os_operate": customer} == found


def test_a_saga_that_waits_for_a_paused_service_shows_the_pause(
    system: EmbeddedSystem, api: httpx.Client
) -> None:
    """With the operator, and the message that is deferred."""
    system.start()
    api.post("/api/v1/services/payments/pause", json={"why": "the provider moves"})
    system.put(an_order("A"))
    saga = api.get(f"{SAGAS}/A").json()
    (wait,), (kept,) = saga["waits"], saga["kept"]

    assert ("process payment", "reply", "payments", False) == (
        wait["step"], wait["kind"], wait["service"], wait["undo"],
    )  # fmt: skip
    assert ("local", "the provider moves") == (wait["pause"]["by"], wait["pause"]["why"])
    assert ("payments", "PROCESS_PAYMENT", 300) == (
        kept["why"], kept["status"], kept["body"]["amount"],
    )  # fmt: skip


def test_an_early_reply_is_listed(system: EmbeddedSystem, api: httpx.Client) -> None:
    """It arrived before the step that it answers was sent."""
    system.start()
    api.post("/api/v1/services/payments/pause", json={"why": "a test"})
    system.put(an_order("A"))
    system.put(StockReserved(order_id="A"))
    early = [each for each in api.get(f"{SAGAS}/A").json()["kept"] if each["why"] == "early"]

    assert [("stock-events", "STOCK_RESERVED", "A")] == [
        (each["topic"], each["status"], each["body"]["orderId"]) for each in early
    ]
    listed = api.get(f"{SAGAS}/early?limit=1").json()
    assert ["A", "stock-events", "STOCK_RESERVED", 1] == [
        *(listed["replies"][0][name] for name in ("orderId", "topic", "status")), listed["count"],
    ]  # fmt: skip


def test_a_wait_has_the_schemas_of_its_signals(tmp_path: Path) -> None:
    """A signal that matches the schema is accepted."""
    with (
        EmbeddedSystem(tmp_path, sagas=RENTALS.sagas, services=RENTALS.services) as system,
        api_of(system) as api,
    ):
        api.post(f"{SAGAS}/rent-car", json={"orderId": "r-9", "car": "van", "days": 90})
        system.run()
        (wait,) = api.get(f"{SAGAS}/rent-car/r-9").json()["waits"]
        approve, reject = wait["signals"]
        assert timedelta(days=2) == waited_for(wait)
        body = {next(iter(approve["schema"]["properties"])): "ada"}
        path = f"{SAGAS}/rent-car%2Fr-9/signals/{approve['message']}?why=she%20asked"
        sent = api.post(path, json=body, headers={"X-Operator": "ann"})
        (noted,) = api.get("/api/v1/operator-actions").json()["actions"]
        system.run()
        after = api.get(f"{SAGAS}/rent-car/r-9").json()

    assert ("signal", "approve long rental", None) == (
        wait["kind"], wait["step"], wait["service"],
    )  # fmt: skip
    assert [("RENTAL_APPROVED", "done"), ("RENTAL_REJECTED", "failed")] == [
        (each["message"], each["outcome"]) for each in (approve, reject)
    ]
    assert {"byWhom"} == {*approve["schema"]["properties"]}
    assert {"code", "reason"} == {*reject["schema"]["properties"]}
    assert (202, "take deposit") == (sent.status_code, after["step"])
    assert ("signal", "rent-car/r-9", "RENTAL_APPROVED", "ann", "she asked", "api") == tuple(
        noted[each] for each in ("action", "target", "step", "by", "why", "via")
    )


def test_a_child_and_its_parent_name_each_other(tmp_path: Path) -> None:
    """The parent waits for the child, which is found by its own order id."""
    with (
        EmbeddedSystem(tmp_path, sagas=[BOOK_TRIP, INSURE_TRIP], services=SERVICES) as system,
        api_of(system) as api,
    ):
        api.post("/api/v1/services/insurer/pause", json={"why": "a test"})
        system.put(TripPlanned(order_id="T-1", insurance="I-7"))
        parent = api.get(f"{SAGAS}/{BOOK_TRIP.name}/T-1").json()
        child = api.get(f"{SAGAS}/{INSURE_TRIP.name}/I-7").json()
    (wait,) = parent["waits"]
    link = {"sagaId": f"{INSURE_TRIP.name}/I-7", "orderId": "I-7", "status": "RUNNING"}

    assert ("child", {**link, "step": "insure"}) == (wait["kind"], wait["child"])
    assert [{**link, "step": "insure"}] == parent["children"]
    assert (f"{BOOK_TRIP.name}/T-1", "insure", "RUNNING") == tuple(
        child["parent"][name] for name in ("sagaId", "step", "status")
    )
    assert (None, []) == (parent["parent"], child["children"])


def waited_for(wait: dict[str, Any]) -> timedelta:
    """How long a saga waits at most, whatever it sends again meanwhile."""
    since, until = (datetime.fromisoformat(wait[name]) for name in ("since", "deadline"))
    return until - since


def test_a_saga_shows_the_queue_of_its_lock(tmp_path: Path) -> None:
    """The holder, the waiting sagas, and the place of this saga."""
    with EmbeddedSystem(tmp_path, sagas=[exclusive()], services=HERE) as system:
        for order_id in "ABC":
            system.put(an_order(order_id))
        with api_of(system) as api:
            last, holder = (api.get(f"{SAGAS}/place-order/{each}").json() for each in "CA")
            listed = [api.get(SAGAS, params=p).json()["sagas"][0] for p in ({}, {"prefix": "C"})]
    lock = last["lock"]

    assert ("c-1", "place-order/A", 2, 2) == (
        lock["key"], lock["holder"]["sagaId"], lock["place"], lock["waitingCount"],
    )  # fmt: skip
    assert ["B", "C"] == [each["orderId"] for each in lock["waiting"]]
    assert ["lock"] == [each["kind"] for each in last["waits"]]
    assert timedelta(hours=2) == waited_for(last["waits"][0])
    assert {last["waits"][0]["deadline"]} == {
        last["steps"][1]["deadline"], *(each["deadline"] for each in listed),
    }  # fmt: skip
    assert (0, "reply") == (holder["lock"]["place"], holder["waits"][0]["kind"])
    assert last["definition"]["exclusive"]
    assert "lock" == last["definition"]["steps"][1]["kind"]


class RefusesRefunds(SimulatedGateway):
    """Declines every refund."""

    def refund(self, refund: Refund) -> Declined:
        """Decline."""
        return Declined("account_frozen", "ask ann@example.com")


def test_a_stuck_step_has_its_cause(tmp_path: Path) -> None:
    """The same as its group of stuck sagas, which is of what the provider said."""
    with EmbeddedSystem(tmp_path, gateway=RefusesRefunds()) as system, api_of(system) as api:
        system.put(an_order("A", lines=(OrderLine(sku="GONE", quantity=1, unit_price=100),)))
        system.advance(hours(5))
        (wait,) = api.get(f"{SAGAS}/place-order/A").json()["waits"]
        (group,) = api.get(f"{SAGAS}/groups").json()["groups"]

    assert ("process payment", "person", True) == (wait["step"], wait["kind"], wait["undo"])
    assert "refund declined: account_frozen: ask [address]" == wait["cause"] == group["cause"]


def test_links_to_trace_and_logs_are_made_from_the_settings(tmp_path: Path) -> None:
    """The ids replace the names in braces, URL-encoded."""
    settings = {
        "http_trace_link": "https://traces.example/trace/{trace_id}",
        "http_log_link": "https://logs.example/?q={order_id}&s={saga_id}",
    }
    with EmbeddedSystem(tmp_path, settings=settings, sagas=ORDERS.sagas) as system:
        parent = f"00-{'ab' * 16}-{'cd' * 8}-01"
        system.put(an_order("A/1"), an_order("B", traceparent=parent))
        with serving(system.settings) as api:
            first, second = (
                api.get(f"{SAGAS}/place-order/{each}").json()["links"] for each in ("A%2F1", "B")
            )

    assert ["Trace", "Logs"] == [each["name"] for each in first]
    assert "https://logs.example/?q=A%2F1&s=place-order%2FA%2F1" == first[1]["url"]
    assert f"https://traces.example/trace/{'ab' * 16}" == second[0]["url"]
    assert first[0]["url"] != second[0]["url"]
