"""An operator clears stuck orders with several causes on the page alone."""

import json
import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.shop import Shop
from tests.e2e.states import seen
from tests.support.http_service import TOKENS, tokens_file
from tests.support.waiting import wait_until

# All of them share one browser, so they run on one xdist worker.
pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

UNDELIVERED, DAMAGED, CANCELLED = 24, 16, 10
STUCK = UNDELIVERED + DAMAGED + CANCELLED
PENS = [{"sku": "PEN", "quantity": 1, "unitPrice": 150}]
TIMES = "\N{MULTIPLICATION SIGN}"
OPERATE = TOKENS["shop"][1]


@pytest.fixture
def troubled(tmp_path):
    """Fifty orders whose payments cannot be refunded, for three causes; dead letters; a pause."""
    with Shop(tmp_path, quick=True, tokens=tokens_file(tmp_path)) as shop:
        shop.load(PEN=1000)
        shop.provider.is_down, shop.provider.frozen = True, "B-"
        missing = [{"sku": "INK", "quantity": 1, "unitPrice": 150}]
        undelivered = [f"A-{number:02}" for number in range(UNDELIVERED)]
        for order_id in undelivered:
            shop.order(order_id, OPERATE, customerId="ann", lines=missing)
        # Another reply comes from the warehouse while its service is paused.
        shop.ask("services/stock/pause", OPERATE, why="it is counted")
        damaged = [f"B-{number:02}" for number in range(DAMAGED)]
        for order_id in damaged:
            shop.order(order_id, OPERATE, customerId="bob", lines=PENS)
            failed = {"orderId": order_id, "status": "STOCK_RESERVATION_FAILED", "code": "damaged"}
            shop.put_raw("stock-events", json.dumps(failed), key=order_id)
        for order_id in (*undelivered, *damaged):
            shop.wait_for(order_id, OPERATE)
        shop.ask("services/stock/unpause", OPERATE)
        shop.ask("services/payments/pause", OPERATE, why="the provider moves")
        for number in range(CANCELLED):
            shop.order(f"C-{number:02}", OPERATE, customerId="cas", lines=PENS)
        every = {"saga": "place-order", "step": "process payment", "statuses": ["RUNNING"]}
        about = {"action": "cancel", "filter": every, "why": "a wrong price"}

        def waiting() -> bool:
            found = shop.ask("sagas/actions", OPERATE, **about, dryRun=True)
            return bool(found["count"] == CANCELLED)

        wait_until(waiting, "sagas that wait for their payments")
        shop.ask("sagas/actions", OPERATE, **about)
        for number in range(3):
            shop.put_raw("order-events", f'{{"orderId": "X", "status": "NO_SUCH_{number}"}}')
        yield shop


def groups(page: Page):
    """The groups of sagas that need attention."""
    return page.get_by_role("list", name="Groups", exact=True).get_by_role("listitem")


def use_token(page: Page, token: str) -> None:
    """Enter the token on the page."""
    page.get_by_label("Bearer token").fill(token)
    page.get_by_role("button", name="Use it").click()


def finished(page: Page, name: str):
    """Return the line with the results of a bulk action once it has ended, and dismiss it."""
    line = (
        page.get_by_role("region", name="Actions under way")
        .get_by_role("listitem")
        .filter(has_text=name)
    )
    expect(line.get_by_role("button", name="Dismiss")).to_be_visible()
    return line


def test_fifty_stuck_orders_are_cleared(troubled, tmp_path, open_page):
    """Each cause in its own way, while a pause ends, a token expires, an order comes twice."""
    page = open_page(troubled.url, who="")
    seen(page, "token")
    use_token(page, "os_wrong")
    expect(page.get_by_role("alert")).to_contain_text("the token is not known")
    seen(page, "token-unknown")
    use_token(page, OPERATE)
    paused = page.get_by_role("region", name="Paused")
    expect(paused).to_contain_text("payments is paused since")
    expect(groups(page)).to_have_count(2)
    seen(page, "overview-stuck-and-paused")

    # The pause ends: what was cancelled meanwhile cannot be refunded either.
    paused.get_by_role("button", name="Unpause payments").click()
    page.get_by_role("dialog").get_by_label("Reason").fill("the provider has moved")
    page.get_by_role("dialog").get_by_role("button", name="Unpause").click()
    expect(page.locator("#attention-section .badge")).to_have_text(str(STUCK))
    expect(groups(page)).to_have_count(3)
    seen(page, "overview-three-causes")

    # The first cause: the provider is back, and the group is retried in parts.
    troubled.provider.is_down = False
    group = groups(page).filter(has_text="out of stock")
    expect(group).to_contain_text(
        f"{UNDELIVERED} {TIMES} undo of process payment: refund, outcome "
        "unknown: the provider gave no answer, since "
    )
    expect(group).to_contain_text("place-order, compensated because: out of stock.")
    group.get_by_role("button", name="Retry all of place-order").click()
    dialog = page.get_by_role("dialog", name=f"Retry {UNDELIVERED} sagas")
    expect(dialog).to_contain_text("A-00, A-01")
    expect(dialog).to_contain_text("done by “shop”")
    dialog.get_by_label("Reason").fill("the provider is back")
    seen(page, "group-retry")
    dialog.get_by_role("button", name="Retry", exact=False).dblclick()
    line = finished(page, f"Retry {UNDELIVERED} sagas")
    expect(line).to_have_count(1)
    expect(line).to_contain_text(f"{UNDELIVERED} sagas: {UNDELIVERED} cancelled")
    expect(groups(page)).to_have_count(2)
    seen(page, "group-retried")
    line.get_by_role("button", name="Dismiss").click()

    # The second cause: refunded by hand, so the step is skipped, with a reason.
    troubled.provider.is_down = True
    group = groups(page).filter(has_text=f"{DAMAGED} {TIMES} undo of process payment")
    expect(group).to_contain_text("refund declined: account_frozen: ask the bank, since ")
    group.get_by_role("button", name="Retry all of place-order").click()
    page.get_by_role("dialog").get_by_role("button", name=f"Retry {DAMAGED} sagas").click()
    line = finished(page, f"Retry {DAMAGED} sagas")
    expect(line).to_contain_text(f"{DAMAGED} still stuck")  # it did not help
    seen(page, "group-still-stuck")
    line.get_by_role("button", name="Dismiss").click()
    group.get_by_role("button", name="Skip all of place-order").click()
    dialog = page.get_by_role("dialog", name=f"Skip {DAMAGED} sagas")
    dialog.get_by_role("button", name="Skip", exact=False).click()
    expect(dialog.get_by_role("alert")).to_contain_text("reason")
    dialog.get_by_label("Reason").fill("refunded by hand, says the provider")

    # Meanwhile the token expires: nothing is lost, and another one goes on.
    tokens = tmp_path / "tokens.toml"
    valid = tokens.read_text()
    tokens.write_text(
        valid.replace("shop =", "former_shop =").replace('role = "operate"', 'role = "read"')
    )
    dialog.get_by_role("button", name="Skip", exact=False).click()
    expect(dialog.get_by_role("alert")).to_contain_text("may only read")
    seen(page, "token-expired")
    tokens.write_text(valid)
    dialog.get_by_role("button", name="Skip", exact=False).click()
    line = finished(page, f"Skip {DAMAGED} sagas")
    expect(line).to_contain_text(f"{DAMAGED} cancelled")
    line.get_by_role("button", name="Dismiss").click()
    expect(groups(page)).to_have_count(1)

    # The third: chosen in the list, and retried together.
    troubled.provider.is_down = False
    groups(page).get_by_role("link", name="Show them").click()
    expect(page.get_by_label("Stuck because")).to_have_value(re.compile("gave no answer$"))
    expect(page.locator(".orders tbody tr").first).to_contain_text(
        "undo of process payment: refund"
    )
    page.get_by_label("Choose C-00").check()
    expect(page.locator(".chosen")).to_contain_text("1 chosen")
    page.get_by_label("All on this page").check()
    expect(page.locator(".chosen")).to_contain_text(f"{CANCELLED} chosen")
    seen(page, "sagas-chosen")
    page.get_by_role("button", name="Retry the chosen").click()
    page.get_by_role("dialog").get_by_label("Reason").fill("the provider is back")
    page.get_by_role("dialog").get_by_role("button", name=f"Retry {CANCELLED} sagas").click()
    finished(page, f"Retry {CANCELLED} sagas").get_by_role("button", name="Dismiss").click()
    expect(page.get_by_text("No saga matches.")).to_be_visible()
    seen(page, "sagas-none-like-that")

    # Dead letters of one kind are discarded as a group.
    page.goto(f"{troubled.url}#/dead-letters")
    letters = page.get_by_role("list", name="Groups of dead letters").get_by_role("listitem")
    expect(letters).to_contain_text(f"3 {TIMES} order-events")
    seen(page, "dead-letters")
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save as CSV").click()
    assert "dead-letters.csv" == saved.value.suggested_filename
    assert "order-events" in saved.value.path().read_text()
    letters.get_by_role("button", name="Discard all of order-events").click()
    page.get_by_role("dialog").get_by_label("Reason").fill("a test of the other team")
    page.get_by_role("dialog").get_by_role("button", name="Discard 3 dead letters").click()
    finished(page, "Discard 3 dead letters").get_by_role("button", name="Dismiss").click()
    expect(page.get_by_text("There are no open dead letters.")).to_be_visible()

    # An order that came twice is one order.
    for _ in range(2):
        troubled.order("D-1", OPERATE, customerId="dan", lines=PENS)
    page.goto(f"{troubled.url}#/orders?customer=dan")
    expect(page.locator(".orders tbody tr")).to_have_count(1)
    expect(page.locator(".orders tbody tr")).to_contain_text("completed")
    seen(page, "orders-found")
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save as CSV").click()
    assert "orders.csv" == saved.value.suggested_filename
    assert "D-1" in saved.value.path().read_text()

    # The actions are in the log, and the overview shows that nothing needs attention.
    page.goto(f"{troubled.url}#/actions?outcome=done")
    rows = page.locator(".log tbody tr")
    expect(rows).to_have_count(50)
    expect(rows.filter(has_text="now cancelled")).not_to_have_count(0)
    page.get_by_label("Saga, letter or service").fill("place-order/B-03")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(rows).to_have_count(2)  # it was retried before
    expect(rows.first).to_contain_text("shop (page)")
    expect(rows.first).to_contain_text("refunded by hand, says the provider")
    seen(page, "actions")
    page.goto(f"{troubled.url}#/")
    expect(page.locator("#attention-section")).to_contain_text("Nothing needs attention.")
    expect(page.locator("#letters-section")).to_contain_text("There are no open dead letters.")
    seen(page, "overview-clear")


def test_without_tokens_the_operators_name_is_asked_for_once(quick_shop, open_page):
    """The name is stored, shown with each action, and can be changed."""
    quick_shop.provider.is_down = True
    for number in range(2):
        quick_shop.order(f"A-{number}")
    page = open_page(quick_shop.url, who="")
    stuck = page.locator("#attention-section ul:not(.groups) > li")
    expect(stuck).to_have_count(2)
    stuck.filter(has_text="A-0").get_by_role("button", name="Skip").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Reason").fill("refunded by hand")
    dialog.get_by_role("button", name="Skip").click()
    expect(dialog.get_by_role("alert")).to_contain_text("Enter your name")
    dialog.get_by_label("Your name").fill("Zoë")
    seen(page, "who")
    dialog.get_by_role("button", name="Skip").click()
    expect(page.get_by_text("Skip: asked by Zoë.")).to_be_visible()
    page.reload()
    expect(stuck).to_have_count(1)
    stuck.get_by_role("button", name="Skip").click()
    expect(dialog).to_contain_text("done by “Zoë”")
    expect(dialog.get_by_label("Your name")).to_have_count(0)
    dialog.get_by_label("Reason").fill("refunded too")
    dialog.get_by_role("button", name="Not you?").click()
    dialog.get_by_label("Your name").fill("Bob")
    dialog.get_by_role("button", name="Skip").click()
    page.goto(f"{quick_shop.url}#/orders/A-1")

    expect(page.locator(".story")).to_contain_text(re.compile("skip by Bob: refunded too"))


def test_a_large_amount_needs_the_approval_of_a_second_person(tmp_path, open_page):
    """The person who asked for the action cannot approve it; another person can."""
    limit = (("EUR", 100),)
    with Shop(tmp_path, quick=True, approval_above=limit) as shop:
        shop.provider.is_down = True
        shop.order("A-1")
        first = open_page(shop.url, who="ann")
        stuck = first.locator("#attention-section ul:not(.groups) > li")
        stuck.get_by_role("button", name="Skip").click()
        first.get_by_label("Reason").fill("refunded by hand")
        first.get_by_role("dialog").get_by_role("button", name="Skip").click()
        expect(first.get_by_text("Another person has to approve it: see Actions.")).to_be_visible()
        waiting = first.get_by_role("region", name="Waits for approval")
        expect(waiting).to_contain_text("ann: refunded by hand")
        seen(first, "approval")
        waiting.get_by_role("button", name="Approve").click()
        first.get_by_role("dialog").get_by_role("button", name="Approve").click()
        expect(first.get_by_role("alert")).to_contain_text("another person has to approve it")
        second = open_page(f"{shop.url}#/actions?outcome=pending", who="bob")
        second.get_by_role("button", name="Approve").click()
        second.get_by_role("dialog").get_by_role("button", name="Approve").click()
        second.goto(f"{shop.url}#/actions")
        row = second.locator(".log tbody tr")

        expect(row).to_contain_text("approved by bob")
        expect(row).to_contain_text("done")
        seen(second, "actions-approved")
        expect(stuck).to_have_count(0)
