"""Amounts as people read them."""

import pytest
from iso4217 import Currency

from actors.money import minor_digits, money


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [
        (300, "EUR", "EUR 3.00"),
        (49_350, "EUR", "EUR 493.50"),
        (5, "EUR", "EUR 0.05"),
        (0, "EUR", "EUR 0.00"),
        (-300, "EUR", "-EUR 3.00"),
        (-5, "EUR", "-EUR 0.05"),
        (123_456_789, "EUR", "EUR 1,234,567.89"),
        (300, "JPY", "JPY 300"),
        (-1_234, "JPY", "-JPY 1,234"),
        (300, "KWD", "KWD 0.300"),
        (1_234_567, "KWD", "KWD 1,234.567"),
        (300, "CLF", "CLF 0.0300"),
        (300, "HUF", "HUF 3.00"),  # CLDR, and so a browser, says 0 decimals
        (300, "IQD", "IQD 0.300"),  # the same
        (2**63 - 1, "EUR", "EUR 92,233,720,368,547,758.07"),  # a float has 53 bits only
        (-(2**63 - 1), "JPY", "-JPY 9,223,372,036,854,775,807"),
        (12_345, "ABC", "12,345 minor units of ABC"),
        (1, "ABC", "1 minor unit of ABC"),
        (0, "ABC", "0 minor units of ABC"),
        (-7, "ABC", "-7 minor units of ABC"),
        (300, "XAU", "300 minor units of XAU"),  # in the table, without a minor unit
        (300, "XXX", "300 minor units of XXX"),
        (300, "eur", "300 minor units of eur"),  # no code: the intake writes capitals
        (300, "", "300 minor units"),
        (0, "", "0"),
    ],
)
def test_an_amount_is_shown_by_the_minor_units_of_its_currency(amount, currency, shown):
    """Never guessed: what is not in the table stays in minor units, and says so."""
    assert shown == money(amount, currency)


def test_every_currency_of_the_standard_is_shown_with_its_own_decimals():
    """178 codes and more; those without a minor unit are shown as what they are."""
    for currency in Currency:
        digits = currency.exponent
        shown = money(-1_234_567, currency.code)
        if digits is None:
            assert f"-1,234,567 minor units of {currency.code}" == shown
            continue
        sign, _, number = shown.rpartition(f"{currency.code} ")
        whole, _, part = number.partition(".")
        assert ("-", 1_234_567) == (sign, int(whole.replace(",", "") + part)), shown
        assert digits == len(part) == minor_digits(currency.code), shown


def test_amounts_have_no_spaces_that_only_look_like_spaces():
    """So that what is shown can be searched for."""
    for currency in ("EUR", "JPY", "ABC", ""):
        assert money(-1_234_567_890, currency).isascii()
