"""Appearance of the page: widths, themes, accessibility, and unusual content of orders."""

import re

import pytest
from playwright.sync_api import expect

from tests.e2e.states import seen

# All of them share one browser, so they run on one xdist worker.
pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

VIEWS = (
    "", "#/orders", "#/orders?sku=X", "#/orders/A-1", "#/dead-letters", "#/actions",
    "#/sagas/place-order%2FA-1",
    "#/definitions", "#/history",
)  # fmt: skip


@pytest.fixture
def busy_shop(quick_shop):
    """A shop with an order completed, one cancelled, and one stuck."""
    quick_shop.load(PEN=10)
    quick_shop.order("A-0")
    quick_shop.order("A-2", lines=[{"sku": "NONE", "quantity": 1, "unitPrice": 5}])
    quick_shop.wait_for("A-2")
    quick_shop.provider.is_down = True
    long_words = [{"sku": "A-SKU-WITH-A-VERY-LONG-NAME" * 2, "quantity": 1, "unitPrice": 5}]
    quick_shop.order("A-1", lines=long_words)
    return quick_shop


def settled(page, view):
    """Wait until the view has loaded its data."""
    words = {
        "": "stuck in undo of", "#/dead-letters": "There are no open dead letters.",
        "#/orders?sku=X": "No order matches.", "#/actions": "There are no actions yet.",
        "#/definitions": "New sagas begin with this version", "#/history": "No audit was run",
    }  # fmt: skip
    expect(page.get_by_role("main")).to_contain_text(words.get(view, "needs attention"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_view_is_accessible(busy_shop, open_page, scheme):
    """All rules of axe pass in both themes: contrast, names, structure."""
    page = open_page(busy_shop.url, color_scheme=scheme)
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    for view in VIEWS:
        page.goto(busy_shop.url + view)
        settled(page, view)
        seen(page, f"{scheme}-{name_of(view)}")

    assert {"light": "rgb(251, 251, 249)", "dark": "rgb(18, 22, 27)"}[scheme] == paper


def name_of(view):
    """The name of a view in the name of a screenshot."""
    return re.sub(r"\W+", "-", view).strip("-") or "overview"


def test_a_chosen_theme_is_kept_after_a_reload(shop, open_page):
    """It takes precedence over the theme of the operating system."""
    page = open_page(shop.url, color_scheme="dark")
    page.get_by_role("button", name="Theme: system").click()
    page.reload()

    expect(page.get_by_role("button", name="Theme: light")).to_be_visible()
    expect(page.locator("body")).to_have_css("background-color", "rgb(251, 251, 249)")


def test_the_page_fits_on_a_phone(busy_shop, open_page):
    """At a width of 360 pixels nothing scrolls sideways, and axe finds no problem."""
    page = open_page(busy_shop.url, viewport={"width": 360, "height": 740})
    widths = []
    for view in VIEWS:
        page.goto(busy_shop.url + view)
        settled(page, view)
        widths.append(page.evaluate("document.documentElement.scrollWidth"))
        seen(page, f"phone-{name_of(view)}")

    assert [360] * len(VIEWS) == widths


EVIL = '<img src=x onerror="document.body.dataset.stolen=1">'


def test_content_of_an_order_is_shown_as_text(quick_shop, open_page):
    """Markup in an id, a customer or a SKU is shown literally, and never becomes an element."""
    quick_shop.provider.is_down = True
    lines = [{"sku": EVIL, "quantity": 1, "unitPrice": 5}]
    quick_shop.order(EVIL, customerId=EVIL, lines=lines)
    page = open_page(quick_shop.url)
    queue = page.get_by_role("region", name="Needs attention")
    expect(queue.get_by_role("link", name=EVIL)).to_be_visible()
    expect(queue).to_contain_text(f"out of stock: {EVIL}: 1 wanted")
    page.goto(f"{quick_shop.url}#/orders")
    expect(page.get_by_role("row", name=EVIL)).to_be_visible()
    page.get_by_role("link", name=EVIL).click()
    expect(page.get_by_role("heading", name=f"Order {EVIL}")).to_be_visible()
    expect(page.locator(".facts")).to_contain_text(EVIL)
    page.get_by_role("button", name="Skip").click()
    expect(page.get_by_role("dialog")).to_contain_text(EVIL)

    assert 0 == page.locator("img").count()
    assert page.evaluate("document.body.dataset.stolen === undefined")
