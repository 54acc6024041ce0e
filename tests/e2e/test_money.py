"""Amounts on the page."""

import pytest
from playwright.sync_api import expect

# All of them share one browser, so they run on one xdist worker.
pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

SHOWN = {
    "EUR": "EUR 3.00",
    "JPY": "JPY 300",
    "KWD": "KWD 0.300",
    "HUF": "HUF 3.00",  # 0 decimals in CLDR, which browsers use
    "CLF": "CLF 0.0300",  # unknown to CLDR
    "ABC": "300 minor units of ABC",
}


def test_an_amount_is_shown_as_on_the_command_line(shop, open_page):
    """In the list and in the view of the order, in any currency, exact up to the largest amount."""
    for currency in SHOWN:
        shop.order(currency, currency=currency)
    most = [{"sku": "PEN", "quantity": 9_223, "unitPrice": 10**15 - 1}]
    shop.order("most", lines=most)
    page = open_page(f"{shop.url}#/orders")

    for currency, text in SHOWN.items():
        row = page.get_by_role("row").filter(
            has=page.get_by_role("link", name=currency, exact=True)
        )
        expect(row.locator("td[data-label=Amount]")).to_have_text(text)
    expect(page.get_by_text("EUR 92,229,999,999,999,907.77")).to_be_visible()
    page.goto(f"{shop.url}#/orders/KWD")
    expect(page.locator(".facts")).to_contain_text("KWD 0.300")
