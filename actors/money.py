"""Formats amounts of money for people, for the command line, the API, the page and the mails.

Amounts are stored and sent as whole minor units of their currency. The number of decimals comes
from ISO 4217, whose table the package `iso4217` contains. CLDR, which browsers use, differs for
some currencies (it gives IQD and HUF no decimals), so the page gets formatted texts too.
"""

import re
from functools import lru_cache

from order_sagas.actors.words import many

_AMOUNT = re.compile(r"([A-Z]{3}) (\d{1,15})(?:\.(\d{1,6}))?", re.ASCII)


@lru_cache(maxsize=1024)  # bounded, because codes come from outside and can be any text
def minor_digits(currency: str) -> int | None:
    """The number of decimals of a currency (EUR 2, JPY 0, KWD 3, CLF 4).

    None for a code that is not in the table, and for one without a minor unit, such as XAU.
    """
    from iso4217 import Currency  # imported late: it parses its table, which takes some 25 ms

    try:
        digits: int | None = Currency(currency).exponent
    except ValueError:
        return None
    return digits


def amount_of(text: str) -> tuple[str, int]:
    """Return the currency and the minor units of an amount such as `EUR 499.50`.

    Raises ValueError if the text has another form, more decimals than the currency, or a currency
    without known decimals.
    """
    found = _AMOUNT.fullmatch(text)
    digits = minor_digits(found[1]) if found else None
    if found is None or digits is None or len(found[3] or "") > digits:
        raise ValueError(f"{text!r} is no amount with its currency, such as EUR 499.50")
    return found[1], int(found[2] + (found[3] or "").ljust(digits, "0"))


def money(amount: int, currency: str) -> str:
    """Format an amount: 123450 minor units of EUR are `EUR 1,234.50`.

    If the number of decimals is unknown, the text gives the minor units: `123,450 minor units of
    ABC`. Zero without a currency is `0`.
    """
    digits = minor_digits(currency) if currency else None
    if digits is None:
        if not amount and not currency:
            return "0"
        of = f" of {currency}" if currency else ""
        return f"{many(amount, 'minor unit')}{of}"
    # No floats: they have 53 bits, an amount 63.
    whole, part = divmod(abs(amount), 10**digits)
    sign = "-" if amount < 0 else ""
    return f"{sign}{currency} {whole:,}" + (f".{part:0{digits}}" if digits else "")
