"""The schema of orders as they are submitted, for every way of submitting them."""

import re
from difflib import get_close_matches
from typing import Annotated, Any

import msgspec

from order_sagas.actors.messages import LONGEST_ID, MAIN, OrderCreated, OrderLine
from order_sagas.bridges.errors import BridgeError
from order_sagas.bridges.records.repeated_names import repeated_name

_UNSAFE = (
    r"\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff"
)
# Control characters, line separators and marks of direction: they change what a terminal, a log or
# a page shows of the text around them. Characters without a width: two ids would look the same.
_ID = rf"\A[^\s{_UNSAFE}]([^{_UNSAFE}]*[^\s{_UNSAFE}])?\Z"
Id = Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_ID, pattern=_ID)]
Quantity = Annotated[int, msgspec.Meta(ge=1, le=10**12)]
Price = Annotated[
    int,
    msgspec.Meta(
        ge=0,
        le=10**15,
        description="Whole minor units of the order's currency, by ISO 4217: 150 is 1.50 in EUR, "
        "150 in JPY, 0.150 in KWD.",
    ),
]
Currency = Annotated[
    str, msgspec.Meta(pattern=r"\A([A-Za-z]{3})?\Z", description="A code of ISO 4217, such as EUR.")
]


class InvalidOrderError(BridgeError, ValueError):
    """The input is not a valid order. The message names the field and the problem."""

    @property
    def field(self) -> str:
        """The path of the field, as in `lines[0].quantity`; empty if the whole order is meant."""
        found = _FIELD.match(str(self))
        return found[1] if found else ""


class NotJsonError(InvalidOrderError):
    """The input is not JSON."""


_FIELD = re.compile(r"([\w.\[\]]+): ")


class LineForm(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """One line of a submitted order. `unitPrice` is in minor units of the currency."""

    sku: Id
    quantity: Quantity
    unit_price: Price


class OrderForm(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """A submitted order. Unknown fields are ignored; `read_order` refuses them by default.

    The currency is required unless the amount of the order is 0.
    """

    order_id: Id
    customer_id: Id
    currency: Currency = ""
    lines: tuple[LineForm, ...] = ()
    warehouse: Id = MAIN


class _StrictLine(LineForm, frozen=True, forbid_unknown_fields=True, rename="camel", gc=False):
    pass


class _StrictOrder(OrderForm, frozen=True, forbid_unknown_fields=True, rename="camel", gc=False):
    lines: tuple[_StrictLine, ...] = ()


_decoder = msgspec.json.Decoder(OrderForm)
_strict_decoder = msgspec.json.Decoder(_StrictOrder)


def read_order(raw: bytes | str, *, lenient: bool = False) -> OrderCreated:
    """Decode an order from a JSON object; raises InvalidOrderError.

    A field that an order does not have is an error, so that a misspelt `lines` does not make an
    order of nothing; `lenient` ignores it.
    """
    try:
        form = (_decoder if lenient else _strict_decoder).decode(raw)
    except msgspec.ValidationError as error:
        raise InvalidOrderError(_plain(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NotJsonError(f"not JSON: {error}") from None
    check_names(raw)
    return order_of(form)


def check_names(raw: bytes | str) -> None:
    """Raise InvalidOrderError if an object of a valid JSON text has a name twice."""
    try:
        name = repeated_name(raw)
    except RecursionError:
        raise NotJsonError("not JSON: nested too deep") from None
    if name:
        raise InvalidOrderError(f"{name[:40]}: the field is given more than once")


def check_order(fields: Any, *, lenient: bool = False) -> OrderCreated:
    """Validate an order given as a dictionary of camelCase fields; raises InvalidOrderError.

    An unknown field is an error, unless `lenient`.
    """
    try:
        form = msgspec.convert(fields, OrderForm if lenient else _StrictOrder)
    except msgspec.ValidationError as error:
        raise InvalidOrderError(_plain(error)) from None
    return order_of(form)


def order_of(form: OrderForm) -> OrderCreated:
    """The message that starts the order's saga; raises InvalidOrderError."""
    lines = [
        OrderLine(sku=line.sku, quantity=line.quantity, unit_price=line.unit_price)
        for line in form.lines
    ]
    try:
        order = OrderCreated(
            order_id=form.order_id,
            customer_id=form.customer_id,
            currency=form.currency.upper(),
            lines=tuple(lines),
            warehouse=form.warehouse,
        )
    except ValueError as error:
        raise InvalidOrderError(str(error)) from None
    if order.amount and not form.currency:
        raise InvalidOrderError("currency: an order that costs something needs one, such as EUR")
    return order


_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_SYNONYMS = {
    "items": "lines",
    "line": "lines",
    "positions": "lines",
    "id": "orderId",
    "customer": "customerId",
    "price": "unitPrice",
    "qty": "quantity",
    "amount": "unitPrice",
}


def _unknown_field(name: str, path: str) -> str:
    form = LineForm if path else OrderForm
    known = form.__struct_encode_fields__
    likely = _SYNONYMS.get(name.lower())
    if likely not in known:
        likely = next(iter(get_close_matches(name[:40], known, 1)), None)
    field = f"{path}.{name[:40]}" if path else name[:40]
    said = f"; did you mean {likely}?" if likely else ""
    return f"{field}: unknown field{said} (known are {', '.join(known)})"


_RULES = (
    (re.compile(r"`str` matching regex .*A-Za-z.*"), "three letters, such as EUR"),
    (re.compile(r"`str` matching regex .*"), "text without control characters or spaces around it"),
    (re.compile(r"`str` of length >= 1\b"), "text that is not empty"),
    (re.compile(r"`str` of length <="), "text of length up to"),
    (re.compile(r"`(\w+)`"), r"\1"),
)


def _plain(error: msgspec.ValidationError) -> str:
    """The text of a validation error: the field first, then what is expected.

    For example `lines[0].quantity: expected int >= 1`.
    """
    text, _, path = str(error).partition(" - at `$")
    if unknown := _UNKNOWN.match(text):
        return _unknown_field(unknown[1], path.rstrip("`").lstrip("."))
    for found, plain in _RULES:
        text = found.sub(plain, text)
    field = path.rstrip("`").lstrip(".")
    text = text[:1].lower() + text[1:]
    return f"{field}: {text}" if field else text
