"""The views of the page, without any action."""

import re
import time

import pytest
from playwright.sync_api import expect

from order_sagas.bridges.records.record import Outgoing
from order_sagas.bridges.storage.connection import connect
from order_sagas.bridges.storage.history import Figures, HistoryTable

# All of them share one browser, so they run on one xdist worker.
pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


def test_an_order_is_shown_until_its_end(shop, open_page):
    """Its steps, and all events with their causes, at an address of its own."""
    shop.load(PEN=10)
    shop.order("A-1")
    page = open_page(f"{shop.url}#/orders/A-1")
    saga = page.get_by_role("region", name="place-order/A-1")

    expect(page.get_by_role("heading", name="Order A-1")).to_be_visible()
    expect(saga.locator(".saga-head .status")).to_have_text("completed")
    steps = saga.get_by_role("table", name="Steps")
    expect(steps.get_by_role("row", name="reserve stock")).to_contain_text("done")
    expect(saga.locator(".story li").first).to_contain_text("Started → process payment")
    expect(saga.locator(".story li").nth(1)).to_contain_text("because PAYMENT_COMPLETED arrived")
    expect(saga.locator(".story li").last).to_contain_text("Completed in")


def test_the_overview_updates_by_itself(shop, open_page):
    """Events after it was opened are shown without any action."""
    page = open_page(shop.url)
    expect(page.locator("#live-text")).to_have_text("Live")
    shop.load(PEN=10)
    shop.order("A-1")
    shop.order("A-2", lines=[{"sku": "NONE", "quantity": 1, "unitPrice": 5}])
    orders = page.get_by_role("region", name="All orders")

    expect(orders.get_by_role("listitem").filter(has_text="completed")).to_contain_text("1")
    expect(orders.get_by_role("listitem").filter(has_text="cancelled")).to_contain_text("1")
    expect(page.locator("[data-figure=flight] .value")).to_have_text("0")
    ended = page.locator("[data-figure=ended]")
    expect(ended).to_contain_text("no figures are kept yet")


def test_the_charts_of_the_overview_show_the_stored_figures(shop, open_page):
    """They are shown at once; figures that are no longer written are not shown as current."""
    begin = int(time.time()) // 10 * 10 - 600
    db = connect(shop.settings.database)
    for number in range(60):
        at = begin + 10 * number
        HistoryTable(db).add(Figures(at=at, source="a", ended=20, cancelled=5, in_flight=number))
    page = open_page(shop.url)
    figure = page.locator("[data-figure=ended]")

    expect(figure.locator(".value")).to_have_text("2.0")
    expect(figure.locator(".line")).to_have_attribute("d", re.compile("^M.*L"))
    expect(page.locator("[data-figure=flight] .line")).to_have_attribute("d", re.compile("^M.*L"))
    expect(page.locator("[data-figure=failed] .value")).to_have_text("25 %")
    expect(page.locator("#since")).to_contain_text("The last 10 min")
    with db.transaction() as cursor:
        cursor.execute(f"DELETE FROM history WHERE at > {begin + 300}")
    db.close()
    page.reload()
    expect(figure.locator(".value")).to_have_text("\N{EN DASH}")
    expect(figure).to_contain_text("not known since")


def test_a_compensation_is_shown_with_its_reason(shop, open_page):
    """The failed step, the steps to undo, and that they were undone."""
    shop.order("A-1")
    page = open_page(f"{shop.url}#/orders/A-1")
    story = page.locator(".story li")

    expect(story.filter(has_text="reserve stock failed")).to_contain_text(
        "→ to undo: process payment, create order"
    )
    expect(story.filter(has_text="process payment undone")).to_contain_text(
        "because PAYMENT_ROLLED_BACK arrived"
    )
    expect(story.last).to_contain_text("Cancelled: out_of_stock")


def test_orders_are_found_by_id_prefix_and_status(shop, open_page):
    """The text and the status filter the list; Enter opens the order."""
    shop.load(PEN=100)
    for order_id in ("A-1", "A-2", "B-1"):
        shop.order(order_id)
    shop.order("A-3", lines=[{"sku": "NONE", "quantity": 1, "unitPrice": 5}])
    page = open_page(f"{shop.url}#/orders")
    ids = page.locator("table.orders .id")
    expect(ids).to_have_text(["A-3", "B-1", "A-2", "A-1"])

    page.get_by_label("Id begins with").fill("A-")
    expect(ids).to_have_text(["A-3", "A-2", "A-1"])
    page.get_by_label("Status").select_option("completed")
    expect(ids).to_have_text(["A-2", "A-1"])
    expect(page.get_by_label("Id begins with")).to_have_value("A-")
    page.get_by_label("Id begins with").fill("A-1")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Order A-1")).to_be_focused()


def test_an_address_with_an_unknown_filter_shows_an_error(shop, open_page):
    """An unknown status or filter shows no list, which would look like a complete one."""
    shop.order("A-1")
    page = open_page(f"{shop.url}#/orders?status=NONSENSE")
    expect(page.get_by_role("alert")).to_contain_text("'NONSENSE' is none of SUBMITTED")
    expect(page.locator("table.orders .id")).to_have_count(0)
    page.goto(f"{shop.url}#/orders?customr=ann")
    expect(page.get_by_role("alert")).to_contain_text("customr: there is no such parameter")
    page.goto(f"{shop.url}#/orders?status=NEEDS_ATTENTION")  # of sagas: the list of them

    expect(page.get_by_text("No saga matches.")).to_be_visible()


def test_orders_are_read_page_by_page(shop, open_page):
    """Older orders are on a page of their own, with a link back."""
    for number in range(60):
        shop.order(f"A-{number:02}")
    page = open_page(f"{shop.url}#/orders")
    ids = page.locator("table.orders .id")
    expect(ids).to_have_count(50)
    page.get_by_role("link", name="Older orders").click()
    expect(ids).to_have_text([f"A-{number:02}" for number in reversed(range(10))])
    page.get_by_role("link", name="Newest").click()

    expect(ids).to_have_count(50)


def test_an_unknown_order_or_address_shows_an_error(shop, open_page):
    """The error text of the API, and an address without a view."""
    page = open_page(f"{shop.url}#/orders/NONE")
    expect(page.get_by_role("alert")).to_contain_text("404 Not Found")
    expect(page.get_by_role("alert")).to_contain_text("there is no order of this id")
    page.goto(f"{shop.url}#/nowhere")

    expect(page.get_by_role("heading", name="Page not found")).to_be_visible()


def test_the_page_shows_a_lost_connection_and_reconnects(shop, open_page):
    """The server stops and starts again; the page reconnects without any action."""
    page = open_page(shop.url)
    expect(page.locator("#live-text")).to_have_text("Live")
    shop.close_doors()
    expect(page.locator("#live-text")).to_have_text("Not live")
    expect(page.locator("#banner")).to_contain_text("Not live since")
    shop.open_doors()

    expect(page.locator("#live-text")).to_have_text("Live")
    expect(page.locator("#banner")).to_be_hidden()


def test_dead_letters_are_shown_and_discarded(shop, open_page):
    """The whole record is shown. Discarded with a reason, it can still be read."""
    shop.put([Outgoing("payment-events", 0, b"k", b"<b>no JSON</b>", ())])
    page = open_page(f"{shop.url}#/dead-letters")
    letter = page.locator(".letters .row")
    letter.get_by_text("The record").click()
    expect(letter.get_by_label("Value")).to_have_text("<b>no JSON</b>")
    letter.get_by_role("button", name="Discard").click()
    page.get_by_label("Reason").fill("a test record")
    page.get_by_role("dialog").get_by_role("button", name="Discard").click()
    expect(letter).to_have_count(0)
    page.get_by_label("Also those replayed or discarded").check()

    expect(letter).to_contain_text("discarded by local")
    expect(letter).to_contain_text("a test record")
