"""Amounts of money as people read them: the one rule for the command line, API, page and mails.

Amounts are stored and sent as whole minor units of their currency. How many of them make one unit
is said by ISO 4217, whose published table the package `iso4217` ships. CLDR, which browsers format
by, says something else of some currencies (IQD and HUF have no decimals there), so the page gets
its text from here too.
"""

from functools import lru_cache

from actors.words import many


@lru_cache(maxsize=1024)  # codes come from outside, and can be any text
def minor_digits(currency: str) -> int | None:
    """The decimals of a currency (EUR 2, JPY 0, KWD 3, CLF 4).

    None for a code that is not in the table, and for one without a minor unit, such as XAU.
    """
    from iso4217 import Currency  # here: it parses its table, which takes some 25 ms

    try:
        digits: int | None = Currency(currency).exponent
    except ValueError:
        return None
    return digits


def money(amount: int, currency: str) -> str:
    """`EUR 1,234.50` of 123450 minor units.

    Where the decimals are not known, the minor units are shown as what they are: `123,450 minor
    units of ABC`. Zero without a currency is `0`.
    """
    digits = minor_digits(currency) if currency else None
    if digits is None:
        if not amount and not currency:
            return "0"
        of = f" of {currency}" if currency else ""
        return f"{many(amount, 'minor unit')}{of}"
    # Integers throughout: a float has 53 bits, an amount 63.
    whole, part = divmod(abs(amount), 10**digits)
    sign = "-" if amount < 0 else ""
    return f"{sign}{currency} {whole:,}" + (f".{part:0{digits}}" if digits else "")
