"""Actions of an operator on the page."""

import re

import pytest
from playwright.sync_api import expect

from tests.e2e.shop import Shop
from tests.support.http_service import TOKENS, tokens_file

# All of them share one browser, so they run on one xdist worker.
pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


@pytest.fixture
def broken_shop(quick_shop):
    """A shop with an order that has to be undone, while the provider does not answer refunds."""
    quick_shop.provider.is_down = True
    quick_shop.order("A-1")
    return quick_shop


def the_queue(page):
    """The list of single sagas that need attention."""
    return page.locator("#attention-section ul:not(.groups) > li")


def the_groups(page):
    """The groups of sagas that need attention, by step and cause."""
    return page.get_by_role("list", name="Groups").get_by_role("listitem")


def test_a_stuck_step_is_skipped_with_a_reason(broken_shop, open_page):
    """A skip without a reason is refused. After it the saga ends, with the reason in its
    history."""
    page = open_page(broken_shop.url)
    expect(the_queue(page)).to_contain_text(
        "A-1 stuck in undo of process payment: refund, outcome unknown"
    )
    expect(the_queue(page)).to_contain_text("out of stock")
    the_queue(page).get_by_role("button", name="Skip").click()
    dialog = page.get_by_role("dialog", name="Skip the undo of “process payment”")
    dialog.get_by_role("button", name="Skip").click()
    expect(dialog.get_by_role("alert")).to_contain_text("skipping a step needs a reason")
    dialog.get_by_label("Reason").fill("refunded by hand")
    dialog.get_by_role("button", name="Skip").click()
    expect(page.get_by_text("Skip: asked by local.")).to_be_visible()
    expect(the_queue(page)).to_have_count(0)
    page.goto(f"{broken_shop.url}#/orders/A-1")
    saga = page.get_by_role("region", name="place-order/A-1")

    expect(saga.locator(".saga-head .status")).to_have_text("cancelled")
    expect(saga.locator(".story")).to_contain_text("skip by local: refunded by hand")
    expect(saga.locator(".story")).to_contain_text("because an operator asked")


def test_a_stuck_step_is_retried_after_its_cause_is_fixed(broken_shop, open_page):
    """From the view of the order, which then shows that the step was undone."""
    page = open_page(f"{broken_shop.url}#/orders/A-1")
    row = page.get_by_role("table", name="Steps").get_by_role("row", name="process payment")
    expect(row).to_contain_text("undo stuck")
    expect(page.locator(".waits")).to_contain_text(
        "Stuck in the undo of process payment: refund, outcome unknown"
    )
    broken_shop.provider.is_down = False
    row.get_by_role("button", name="Retry").click()
    page.get_by_label("Reason").fill("the provider is back")
    page.get_by_role("dialog").get_by_role("button", name="Retry").click()

    expect(row).to_contain_text("undone")
    expect(page.locator(".saga-head .status")).to_have_text("cancelled")
    expect(page.locator(".story")).to_contain_text("retry by local: the provider is back")
    attempts = page.get_by_role("table", name="Attempts").get_by_role("row")
    again = attempts.filter(has_text="undo process payment").last
    expect(again).to_contain_text(re.compile(r"attempt \d+\s*undone"))


def test_all_stuck_sagas_are_retried_with_the_keyboard(broken_shop, open_page):
    """Their number is shown first; the reason is in the history of each. One alone has no
    button."""
    page = open_page(broken_shop.url)
    retry_all = page.get_by_role("button", name="Retry all that need attention")
    expect(the_queue(page)).to_have_count(1)
    expect(retry_all).to_be_hidden()
    broken_shop.order("A-2")
    expect(the_queue(page)).to_have_count(2)
    broken_shop.provider.is_down = False
    page.get_by_role("main").focus()
    page.keyboard.press("Tab")
    expect(page.get_by_role("checkbox", name="All of these")).to_be_focused()
    page.keyboard.press("Tab")
    expect(retry_all).to_be_focused()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Retry 2 sagas")
    expect(dialog).to_contain_text("A-1, A-2")
    expect(dialog.get_by_label("Reason")).to_be_focused()
    page.keyboard.type("the provider is back")
    for _ in range(3):  # past the name, which is filled in
        page.keyboard.press("Tab")
    expect(dialog.get_by_role("button", name="Retry 2 sagas")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Retry 2 sagas: asked by local.")).to_be_visible()
    expect(the_queue(page)).to_have_count(0)
    for order_id in ("A-1", "A-2"):
        page.goto(f"{broken_shop.url}#/orders/{order_id}")

        expect(page.locator(".saga-head .status")).to_have_text("cancelled")
        expect(page.locator(".story")).to_contain_text("resume by local: the provider is back")


def test_a_token_with_role_read_shows_no_actions(tmp_path, open_page):
    """Neither for one saga nor for all; with another token the buttons appear."""
    reader, shopkeeper = TOKENS["reader"][1], TOKENS["shop"][1]
    with Shop(tmp_path, quick=True, tokens=tokens_file(tmp_path)) as shop:
        shop.provider.is_down = True
        for order_id in ("A-1", "A-2"):
            shop.order(order_id, token=shopkeeper)
        page = open_page(shop.url)
        page.get_by_label("Bearer token").fill(reader)
        page.get_by_role("button", name="Use it").click()
        expect(the_queue(page)).to_have_count(2)
        expect(page.get_by_role("button", name="Retry")).to_have_count(0)
        page.get_by_role("button", name="Token").click()
        page.get_by_label("Bearer token").fill(shopkeeper)
        page.get_by_role("button", name="Use it").click()

        expect(page.get_by_role("button", name="Retry all that need attention")).to_be_visible()
        the_queue(page).first.get_by_role("button", name="Retry").click()
        expect(page.get_by_role("dialog")).to_contain_text("as done by “shop”")


def test_the_page_claims_no_state_before_it_has_data(tmp_path, open_page):
    """Behind the dialog that asks for a token, the page does not claim that nothing is stuck."""
    with Shop(tmp_path, tokens=tokens_file(tmp_path)) as shop:
        page = open_page(shop.url)
        expect(page.get_by_role("dialog", name="Token")).to_be_visible()
        attention = page.locator("#attention-section")
        expect(attention).to_contain_text("Not known yet.")
        expect(page.locator("#deadlines-section")).to_contain_text("Not known yet.")
        expect(page.locator("body")).not_to_contain_text("Nothing needs attention")
        page.get_by_label("Bearer token").fill(TOKENS["reader"][1])
        page.get_by_role("button", name="Use it").click()

        expect(attention).to_contain_text("Nothing needs attention.")


def test_stuck_orders_are_resolved_by_their_cause(quick_shop, open_page):
    """A group is a step and a cause: one is retried, another skipped with a reason."""
    quick_shop.provider.is_down = True
    for number in range(3):
        quick_shop.order(f"A-{number}")  # nothing is in stock
    page = open_page(quick_shop.url)
    expect(the_groups(page)).to_have_count(1)
    expect(the_groups(page)).to_contain_text("undo of process payment: refund, outcome unknown")
    expect(the_groups(page)).to_contain_text("compensated because: out of stock")
    expect(the_queue(page)).to_have_count(0)  # those of a group are not listed besides
    the_groups(page).get_by_role("button", name="Skip all of place-order").click()
    dialog = page.get_by_role("dialog", name="Skip 3 sagas")
    expect(dialog).to_contain_text("A-0, A-1, A-2")
    dialog.get_by_role("button", name="Skip 3 sagas").click()
    expect(dialog.get_by_role("alert")).to_contain_text("reason")
    dialog.get_by_role("button", name="Close").click()
    quick_shop.provider.is_down = False
    the_groups(page).get_by_role("button", name="Retry all of place-order").click()
    page.get_by_role("dialog", name="Retry 3 sagas").get_by_role("button", name="Retry 3").click()

    expect(page.get_by_text("Retry 3 sagas: asked by local.")).to_be_visible()
    expect(page.locator("#attention-section")).to_contain_text("Nothing needs attention.")


def test_a_refused_action_is_shown_in_the_dialog(broken_shop, open_page):
    """Another person was faster: the dialog stays open with the error text of the API."""
    page, other = open_page(broken_shop.url), open_page(broken_shop.url)
    for each in (page, other):
        the_queue(each).get_by_role("button", name="Skip").click()
        each.get_by_label("Reason").fill("refunded by hand")
    page.get_by_role("dialog").get_by_role("button", name="Skip").click()
    expect(the_queue(page)).to_have_count(0)
    other.get_by_role("dialog").get_by_role("button", name="Skip").click()

    expect(other.get_by_role("alert")).to_contain_text("409 Conflict")
    expect(other.get_by_role("alert")).to_contain_text("its saga has ended: cancelled")


def test_a_token_is_asked_for_and_used(tmp_path, open_page):
    """A wrong token is refused; a token with role read can only read."""
    reader, shopkeeper = TOKENS["reader"][1], TOKENS["shop"][1]
    with Shop(tmp_path, quick=True, tokens=tokens_file(tmp_path)) as shop:
        shop.provider.is_down = True
        shop.order("A-1", token=shopkeeper)
        page = open_page(shop.url)
        dialog = page.get_by_role("dialog", name="Token")
        dialog.get_by_label("Bearer token").fill("os_wrong")
        dialog.get_by_role("button", name="Use it").click()
        expect(dialog.get_by_role("alert")).to_contain_text("the token is not known")
        expect(dialog.get_by_label("Bearer token")).to_have_value("os_wrong")
        dialog.get_by_label("Bearer token").fill(reader)
        dialog.get_by_role("button", name="Use it").click()
        expect(page.locator("#live-text")).to_have_text("Live")
        page.reload()

        expect(page.locator("#live-text")).to_have_text("Live")
        assert reader == page.evaluate("sessionStorage.getItem('order-sagas.token')")


def test_a_saga_is_resolved_with_the_keyboard_alone(broken_shop, open_page):
    """From the top of the page to a reason that is sent; a dialog keeps the focus inside."""
    page = open_page(broken_shop.url)
    expect(the_queue(page)).to_have_count(1)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    expect(page.get_by_role("link", name="Skip to the content")).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()
    page.keyboard.press("Tab")
    expect(the_queue(page).get_by_role("checkbox", name="Choose A-1")).to_be_focused()
    page.keyboard.press("Tab")
    expect(the_queue(page).get_by_role("link", name="A-1")).to_be_focused()
    page.keyboard.press("x")
    expect(the_queue(page).get_by_role("checkbox")).to_be_checked()
    page.keyboard.press("x")
    expect(the_queue(page).get_by_role("checkbox")).not_to_be_checked()
    page.keyboard.press("Tab")
    retry = the_queue(page).get_by_role("button", name="Retry")
    expect(retry).to_be_focused()
    assert "solid" == retry.evaluate("node => getComputedStyle(node).outlineStyle")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Reason")).to_be_focused()
    inside = (
        "document.activeElement === document.body || document.activeElement.matches('dialog *')"
    )
    for _ in range(8):
        page.keyboard.press("Tab")
        assert page.evaluate(inside)
    page.keyboard.press("Escape")
    expect(retry).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.type("refunded by hand")
    for _ in range(3):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(the_queue(page)).to_have_count(0)

    expect(page.get_by_role("heading", name=re.compile("^Needs attention"))).to_be_focused()


def test_groups_and_single_sagas_are_chosen_on_the_overview(broken_shop, open_page):
    """A group and a single saga of another cause are retried together; the others are unchanged."""
    for number in range(2, 8):
        broken_shop.order(f"A-{number}")
        broken_shop.wait_for(f"A-{number}")  # stuck, before there are goods for it
    broken_shop.load(PEN=2)
    broken_shop.ask("services/stock/pause", why="it is counted")
    broken_shop.order("B-1")
    failed = '{"orderId": "B-1", "status": "STOCK_RESERVATION_FAILED", "code": "damaged"}'
    broken_shop.put_raw("stock-events", failed, key="B-1")
    page = open_page(broken_shop.url)
    expect(page.locator("#attention-section .badge")).to_have_text("8")
    expect(the_groups(page)).to_contain_text("7 \N{MULTIPLICATION SIGN} undo of process payment")
    expect(the_queue(page)).to_have_count(1)  # the sagas of the group are listed there
    page.get_by_label("Choose B-1").check()
    the_groups(page).get_by_role("checkbox").check()
    broken_shop.provider.is_down = False
    page.get_by_role("button", name="Retry the chosen").click()
    dialog = page.get_by_role("dialog", name="Retry 8 sagas")
    dialog.get_by_role("button", name="Retry 8 sagas").click()

    expect(page.locator("#attention-section")).to_contain_text("Nothing needs attention.")


def test_a_pause_is_shown_and_can_be_ended(shop, open_page):
    """With person, reason and a button to end it; then the deferred messages are handled."""
    shop.load(PEN=10)
    shop.ask("services/payments/pause", why="the provider moves")
    shop.order("A-1")
    page = open_page(shop.url)
    paused = page.get_by_role("region", name="Paused")
    expect(paused).to_contain_text("payments is paused since")
    expect(paused).to_contain_text("1 message deferred")
    expect(paused).to_contain_text("local: the provider moves")
    paused.get_by_role("button", name="Unpause payments").click()
    page.get_by_role("dialog").get_by_role("button", name="Unpause").click()
    expect(paused).to_be_hidden()
    page.goto(f"{shop.url}#/orders/A-1")

    expect(page.locator(".saga-head .status")).to_have_text("completed")


def test_an_order_under_way_is_cancelled_with_a_reason(shop, open_page):
    """Offered only while it is possible."""
    shop.ask("services/payments/pause", why="the provider moves")
    shop.order("A-1")
    page = open_page(f"{shop.url}#/orders/A-1")
    expect(page.locator(".waits")).to_contain_text("Waits for process payment")
    cancel = page.get_by_role("button", name="Cancel order of order A-1")
    cancel.click()
    page.get_by_label("Reason").fill("the customer called")
    page.get_by_role("dialog").get_by_role("button", name="Cancel order").click()
    expect(page.locator(".saga-head .status")).to_have_text("compensating")
    expect(cancel).to_have_count(0)
    shop.ask("services/payments/unpause")

    expect(page.locator(".saga-head .status")).to_have_text("cancelled")
    expect(page.locator(".story")).to_contain_text("cancel by local: the customer called")
