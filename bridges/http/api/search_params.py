"""Query parameters of searches for orders and sagas."""

import re
from datetime import UTC, datetime
from typing import Any

import attrs
from starlette.requests import Request

from order_sagas.actors.money import amount_of
from order_sagas.bridges.http.api import query_params as query
from order_sagas.bridges.http.api.endpoint import Parameter
from order_sagas.bridges.http.problems import wrong_parameter
from order_sagas.bridges.storage.search import Search

_AMOUNT = "minor units, or an amount with its currency, such as EUR 499.50"
TIME = "a date or a time in ISO 8601, such as 2026-11-27 or 2026-11-27T09:30:00Z"
"""How times are written in parameters; without a zone they are in UTC."""

LONGEST = 200
"""Maximum number of characters of a parameter."""


def _text(name: str, about: str) -> Parameter:
    return Parameter(name, query.text_schema(LONGEST), about)


_OF_BOTH = (
    _text("code", "Only those with this failure code."),
    _text("reason", "Only those whose reason contains this text, ignoring case."),
    _text("step", "Only those whose saga waits for this step."),
    Parameter(
        "version",
        {"type": "integer"},
        "Only those whose saga has this version of its definition.",
    ),
    _text("startedFrom", f"Only those whose saga began at this time or later: {TIME}."),
    _text("startedTo", "Only those whose saga began before this time."),
    _text("endedFrom", "Only those whose saga ended at this time or later."),
    _text("endedTo", "Only those whose saga ended before this time."),
)
OF_ORDERS = (
    query.PREFIX,
    _text("customer", "Only orders of the customer with this id."),
    _text("sku", "Only orders with this SKU in a line."),
    _text("amountFrom", f"Only orders worth this or more: {_AMOUNT}."),
    _text("amountTo", "Only orders worth this or less."),
    _text("currency", "Only orders in this currency."),
    *_OF_BOTH,
)
OF_SAGAS = (
    _text("saga", "Only sagas of the definition of this name."),
    _text("cause", "Only sagas that are stuck for this cause, as in a group of stuck sagas."),
    *OF_ORDERS,
)
"""Query parameters."""
_WHOLE = re.compile(r"-?\d{1,18}", re.ASCII)


def order_search(request: Request, statuses: list[str]) -> Search:
    """Return what orders are searched for. Raises Problem 422 for an invalid parameter."""
    currency = query.text(request, "currency", LONGEST)
    low, low_currency = _amount(request, "amountFrom")
    high, high_currency = _amount(request, "amountTo")
    currencies = {each for each in (currency, low_currency, high_currency) if each}
    if len(currencies) > 1:
        words = f"there are several currencies: {', '.join(sorted(currencies))}"
        raise wrong_parameter("currency" if currency else "amountTo", words)
    return Search(
        statuses=tuple(statuses),
        prefix=query.prefix(request),
        customer=query.text(request, "customer", LONGEST),
        sku=query.text(request, "sku", LONGEST),
        currency=currencies.pop() if currencies else "",
        amount_from=low,
        amount_to=high,
        **_of_saga(request),
    )


def saga_search(request: Request, statuses: list[str]) -> Search:
    """Return what sagas are searched for. Raises Problem 422 for an invalid parameter."""
    name = query.text(request, "saga", LONGEST)
    return attrs.evolve(order_search(request, statuses), saga=name)


def cause_of(request: Request) -> str:
    """Return the cause that sagas are stuck for; empty for any. Raises Problem 422 if too long."""
    return query.text(request, "cause", LONGEST)


def _of_saga(request: Request) -> dict[str, Any]:
    return {
        "code": query.text(request, "code", LONGEST),
        "reason": query.text(request, "reason", LONGEST),
        "step": query.text(request, "step", LONGEST),
        "version": query.number(request, "version"),
        "started_from": time_parameter(request, "startedFrom"),
        "started_to": time_parameter(request, "startedTo"),
        "ended_from": time_parameter(request, "endedFrom"),
        "ended_to": time_parameter(request, "endedTo"),
    }


def _amount(request: Request, name: str) -> tuple[int | None, str]:
    text = query.text(request, name, LONGEST)
    if not text:
        return None, ""
    if _WHOLE.fullmatch(text):
        return int(text), ""
    try:
        currency, amount = amount_of(text)
    except ValueError:
        raise wrong_parameter(name, f"it has to be {_AMOUNT}") from None
    return amount, currency


def time_parameter(request: Request, name: str) -> float | None:
    """Return a time in epoch seconds; None if it is missing. Raises Problem 422 for others."""
    text = query.text(request, name, LONGEST)
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise wrong_parameter(name, f"it has to be {TIME}") from None
