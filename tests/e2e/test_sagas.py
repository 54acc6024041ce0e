"""The views of a saga, of the definitions, and of the figures of the last hours."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from order_sagas.bridges.durations import BUCKETS, bucket_of
from order_sagas.bridges.storage.connection import connect
from order_sagas.bridges.storage.history import Figures, HistoryTable
from tests.e2e.shop import Shop
from tests.e2e.states import seen
from tests.support.waiting import wait_until

# All of them share one browser, so they run on one xdist worker.
pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


@pytest.fixture
def travel(tmp_path: Path) -> Iterator[Shop]:
    """The travel agency of the examples: parallel steps, conditions, a wait and a child."""
    with Shop(tmp_path, app="examples.travel.app:APP") as shop:
        yield shop


def test_a_waiting_saga_is_sent_its_signal(travel, open_page):
    """With the form of the signal. Then the saga is shown until its end, with a link to its
    child."""
    travel.begin("book-trip", "T-1", travellers=3, nights=1, card="4242", car=True, insured=True)
    page = open_page(f"{travel.url}#/sagas/book-trip%2FT-1")
    waits = page.locator(".waits")
    flow = page.get_by_role("img", name="Flow of book-trip/T-1")
    steps = page.get_by_role("table", name="Steps")
    expect(waits).to_contain_text("Waits in approval for TRIP_APPROVED or TRIP_REJECTED")
    expect(flow).to_have_attribute("aria-label", re.compile("rent car: done; approval: waits"))
    expect(flow.locator("[data-phase=SENT]")).to_have_count(1)
    expect(flow.locator("rect.group")).to_have_count(1)
    expect(steps.get_by_role("row", name="confirm flight")).to_contain_text("not begun")
    waits.get_by_role("button", name="Send TRIP_APPROVED").click()
    page.get_by_role("dialog").get_by_role("button", name="Send").click()

    expect(page.locator(".title .status")).to_have_text("completed")
    expect(flow.locator("[data-phase=DONE]")).to_have_count(8)
    expect(waits.locator("li")).to_have_count(0)
    child = page.locator(".related").get_by_role("link", name="insure-trip/")
    child.click()
    expect(page.locator(".related")).to_contain_text("Runs for insurance of book-trip/T-1")


def test_sagas_show_who_holds_and_who_waits_for_a_lock(tmp_path, open_page):
    """A waiting saga shows its place and the holder of the lock; the holder shows who waits."""
    with Shop(tmp_path, app="tests.e2e.exclusive_app:APP") as shop:
        for order_id in ("T-1", "T-2", "T-3"):
            shop.begin("approve-trip", order_id, travellers=2, card="4242")
        page = open_page(f"{shop.url}#/sagas/approve-trip%2FT-3")
        waits = page.locator(".waits")
        expect(waits).to_contain_text("Waits for its turn, as number 2 of 2: the lock")
        seen(page, "saga-waits-for-lock")
        waits.get_by_role("link", name="approve-trip/T-1").click()
        holder = page.locator(".related")
        expect(holder.get_by_role("link", name="approve-trip/T-2")).to_be_visible()
        seen(page, "saga-holds-lock")
        waits.get_by_role("button", name="Send TRIP_APPROVED").click()
        seen(page, "signal")
        page.get_by_role("dialog").get_by_role("button", name="Send").click()
        expect(page.locator(".title .status")).to_have_text("completed")
        page.goto(f"{shop.url}#/sagas/approve-trip%2FT-3")

        expect(waits).to_contain_text("Waits for its turn, as number 1 of 1")
        expect(waits).to_contain_text(re.compile("approve-trip/T-2.*, deadline in 59 min"))


def test_an_app_without_orders_has_a_list_of_sagas(travel, open_page):
    """In place of the list of orders: of any status, by definition, with a link to each."""
    travel.begin("book-trip", "T-1", travellers=1, nights=1, card="4242", insured=True)
    travel.begin("book-trip", "T-2", travellers=3, nights=1, card="4242", car=True)
    page = open_page(f"{travel.url}#/orders")
    rows = page.locator("table.orders tbody tr")
    expect(page.get_by_role("heading", name="Sagas")).to_be_visible()
    expect(page.get_by_role("navigation")).to_contain_text("Sagas")
    expect(rows).to_have_count(3)
    expect(rows.filter(has_text="insure-trip 1")).to_contain_text("completed")
    page.get_by_text("Search by content").click()
    page.get_by_label("Saga", exact=True).fill("book-trip")
    page.get_by_role("button", name="Search").click()
    expect(rows).to_have_count(2)
    page.get_by_label("Status").select_option("running")
    expect(rows).to_have_count(1)
    expect(page).to_have_url(re.compile("saga=RUNNING&definition=book-trip$"))
    page.get_by_label("Choose T-2").check()
    expect(page.get_by_role("button", name="Cancel saga the chosen")).to_be_visible()
    rows.get_by_role("link", name="T-2").click()
    expect(page.get_by_role("heading", name="Saga book-trip/T-2")).to_be_visible()
    page.goto(f"{travel.url}#/")

    expect(page.get_by_role("region", name="All sagas")).to_contain_text("completed")


def test_each_event_shows_the_messages_sent_and_received(shop, open_page):
    """As they are in the log. The attempts are on a time axis that can be zoomed."""
    shop.load(PEN=10)
    shop.order("A-1")
    shop.wait_for("A-1")
    page = open_page(f"{shop.url}#/orders/A-1")
    paid = page.locator(".story li").filter(has_text="process payment done")
    # The cause of the event has the same text, so wait for the summary, which has the messages.
    paid.locator("summary").filter(has_text="PAYMENT_COMPLETED arrived").click()
    attempts = page.get_by_role("table", name="Attempts")
    zoom = page.locator(".zoom")

    expect(paid.locator("pre").first).to_be_visible()
    expect(paid.locator("pre").first).to_contain_text('"amount": 300')
    expect(paid.locator("details").nth(1)).to_contain_text("RESERVE_STOCK sent, reserve stock")
    expect(attempts.get_by_role("row")).to_have_count(6)
    expect(attempts.get_by_role("row", name="reserve stock")).to_contain_text("done")
    expect(zoom).to_contain_text("All ")
    attempts.get_by_role("button", name="reserve stock").click()
    expect(zoom).to_contain_text("after the start")
    page.get_by_role("button", name="Zoom in").click()
    page.get_by_role("button", name="Whole saga").click()
    expect(zoom).to_contain_text("All ")
    page.keyboard.press("+")
    expect(zoom).to_contain_text("after the start")
    page.keyboard.press("0")
    expect(zoom).to_contain_text("All ")
    page.locator(".lane").last.hover()
    page.mouse.wheel(0, -50)  # scrolls
    page.keyboard.down("Control")
    page.mouse.wheel(0, -50)
    page.keyboard.up("Control")
    expect(zoom).to_contain_text("after the start")


def test_a_reply_that_comes_too_early_is_shown_while_it_is_kept(shop, open_page):
    """With its order, on the overview; there is no such section while nothing is kept."""
    page = open_page(shop.url)
    expect(page.locator("#attention-section")).to_contain_text("Nothing needs attention.")
    expect(page.locator("#early-section")).to_be_hidden()
    shop.put_raw("payment-events", '{"orderId": "A-1", "status": "PAYMENT_COMPLETED"}', key="A-1")
    wait_until(lambda: shop.get("sagas/early")["count"], "the reply that is kept")
    page.reload()
    early = page.get_by_role("region", name="Early replies")
    expect(early).to_contain_text("A-1 payment completed from payment-events kept since")
    seen(page, "overview-early-reply")
    shop.load(PEN=10)
    shop.order("A-1")
    shop.wait_for("A-1")
    wait_until(lambda: not shop.get("sagas/early")["count"], "the reply that is delivered")
    page.reload()
    expect(page.locator("#attention-section")).to_contain_text("Nothing needs attention.")
    expect(early).to_be_hidden()


def test_a_saga_shows_the_pause_that_it_waits_for(shop, open_page):
    """With the deferred message, and a button that ends the pause."""
    shop.load(PEN=10)
    shop.ask("services/payments/pause", why="the provider moves")
    shop.order("A-1")
    page = open_page(f"{shop.url}#/orders/A-1")
    waits = page.locator(".waits")

    expect(waits).to_contain_text("payments is paused by local")
    expect(waits).to_contain_text("the provider moves")
    expect(page.locator(".kept")).to_contain_text("PROCESS_PAYMENT of payment-events")
    expect(page.locator(".flow [data-phase=SENT]")).to_contain_text("paused")
    row = page.get_by_role("table", name="Steps").get_by_role("row", name="process payment")
    expect(row).to_contain_text("payments is paused")  # in place of a deadline
    waits.get_by_role("button", name="Unpause payments").click()
    page.get_by_role("dialog").get_by_role("button", name="Unpause").click()
    expect(page.locator(".saga-head .status")).to_have_text("completed")
    expect(page.locator(".kept li")).to_have_count(0)


def test_definitions_are_shown_with_their_figures(travel, open_page):
    """Each with its flow chart, and a table of its steps."""
    travel.begin("book-trip", "T-1", travellers=1, card="declined")
    page = open_page(f"{travel.url}#/definitions")
    trip = page.get_by_role("region", name="book-trip version 1")

    expect(page.get_by_role("main").get_by_role("region")).to_have_count(3)
    expect(trip.get_by_role("row", name="charge card")).to_contain_text("100 %")
    expect(trip.get_by_role("img")).to_have_attribute("aria-label", re.compile("Flow of book-trip"))
    page.goto(f"{travel.url}#/definitions?saga=insure-trip")
    expect(page.get_by_role("main").get_by_role("region")).to_have_count(1)


def test_the_last_hours_are_shown_as_charts_and_text(shop, open_page):
    """A chart of each figure, the same as text, the workers, and the last audit."""
    durations = [0] * BUCKETS
    durations[bucket_of(0.3)] = 20
    begin = int(time.time()) // 10 * 10 - 600
    db = connect(shop.settings.database)
    for number in range(40):
        row = Figures(
            at=begin + 10 * number, source="a", ended=20 + number, cancelled=5, shards=4,
            durations=durations, waiting=number,
        )  # fmt: skip
        HistoryTable(db).add(row)
    db.close()
    page = open_page(f"{shop.url}#/history")
    charts = page.get_by_role("figure")

    expect(charts).to_have_count(6)
    expect(page.locator("canvas")).to_have_count(6)
    expect(charts.first).to_contain_text("ended 5.9 at the end; from 2 to 5.9")
    expect(charts.last).to_contain_text("waiting 39 at the end; from 0 to 39")
    expect(charts.nth(4)).to_contain_text("need attention not known")
    expect(page.get_by_role("region", name="Audit")).to_contain_text("No audit was run")
    expect(page.get_by_role("region", name="Workers")).to_contain_text("orchestrator")
    page.get_by_label("Shows").select_option("24 hours")
    expect(page).to_have_url(re.compile(r"hours=24$"))


def test_the_page_is_used_with_keys(shop, open_page):
    """Search, move, open, and a list of the keys; keys have no effect while text is entered."""
    for order_id in ("A-1", "A-2"):
        shop.order(order_id)
    page = open_page(f"{shop.url}#/orders")
    links = page.locator("table.orders .id")
    expect(links).to_have_count(2)
    page.keyboard.press("j")
    expect(links.nth(0)).to_be_focused()
    page.keyboard.press("j")
    expect(links.nth(1)).to_be_focused()
    page.keyboard.press("k")
    expect(links.nth(0)).to_be_focused()
    page.keyboard.press("/")
    search = page.locator("input[type=search], .filters input").first
    expect(search).to_be_focused()
    page.keyboard.type("jk?/")
    expect(search).to_have_value("jk?/")
    search.fill("")
    search.blur()
    expect(links).to_have_count(2)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Focus the filter")
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("h")
    expect(page.get_by_role("heading", name="History")).to_be_focused()
    page.go_back()
    expect(links).to_have_count(2)
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Order A-2")).to_be_focused()
