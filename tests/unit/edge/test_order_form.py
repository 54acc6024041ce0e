"""Validation of submitted orders, and the errors of invalid ones."""

import json

import pytest

from order_sagas.actors.messages import OrderCreated, OrderLine
from order_sagas.bridges.intake.order_schema import InvalidOrderError, read_order
from order_sagas.bridges.records.repeated_names import repeated_name


def an_order(**fields):
    line = {"sku": "PEN", "quantity": 2, "unitPrice": 150}
    whole = {"orderId": "A-1", "customerId": "C-7", "currency": "EUR", "lines": [line], **fields}
    return json.dumps(whole)


def test_an_order_becomes_the_message_that_starts_its_saga():
    """Names are converted from camelCase, and no field is lost."""
    order = read_order(an_order(warehouse="north"))

    assert (
        OrderCreated(
            order_id="A-1",
            customer_id="C-7",
            currency="EUR",
            lines=(OrderLine(sku="PEN", quantity=2, unit_price=150),),
            warehouse="north",
        )
        == order
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"lines": []},
        {"currency": "", "lines": []},
        {"currency": "", "lines": [{"sku": "GIFT", "quantity": 1, "unitPrice": 0}]},
        {"currency": "eur"},
        {"orderId": "Bestellung Nr. 7/ü"},
    ],
)
def test_unusual_but_valid_orders_are_accepted(fields):
    """Such as an order with an amount of 0."""
    assert "C-7" == read_order(an_order(**fields)).customer_id


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"items": []}, "items: unknown field; did you mean lines? (known are orderId, "),
        ({"custmerId": "c"}, "custmerId: unknown field; did you mean customerId?"),
        ({"colour": "red"}, "colour: unknown field (known are orderId, customerId, currency, "),
        (
            {"lines": [{"sku": "P", "quantity": 1, "unitPrice": 1, "price": 1}]},
            "lines[0].price: unknown field; did you mean unitPrice? (known are sku, quantity, ",
        ),
    ],
)
def test_an_unknown_field_is_refused_unless_asked_for(fields, problem):
    """A misspelt `lines` would make an order of nothing, which completes."""
    raw = an_order(**fields)
    with pytest.raises(InvalidOrderError) as refused:
        read_order(raw)

    assert problem in str(refused.value)
    assert "C-7" == read_order(raw, lenient=True).customer_id


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"orderId": ""}, "orderId: expected text that is not empty"),
        ({"orderId": "a" * 201}, "orderId: expected text of length up to 200"),
        ({"orderId": "a\nb"}, "orderId: expected text without control characters"),
        ({"orderId": "a\n"}, "orderId: expected text without control characters"),
        ({"orderId": "a\0"}, "orderId: expected text without control characters"),
        ({"orderId": "a\x9b31m"}, "orderId: expected text without control characters"),
        ({"orderId": "a\u200bb"}, "orderId: expected text without control characters"),
        ({"orderId": "\u2060"}, "orderId: expected text without control characters"),
        ({"customerId": "a\u202eb"}, "customerId: expected text without control characters"),
        ({"warehouse": "a\u2028b"}, "warehouse: expected text without control characters"),
        ({"orderId": 7}, "orderId: expected str, got int"),
        ({"customerId": None}, "customerId: expected str, got null"),
        ({"currency": "EURO"}, "currency: expected three letters, such as EUR"),
        ({"currency": ""}, "currency: an order that costs something needs one"),
        ({"lines": None}, "lines: expected array, got null"),
        ({"lines": [{"sku": "P", "quantity": 0, "unitPrice": 1}]}, "lines[0].quantity: expected"),
        ({"lines": [{"sku": "P", "quantity": 1.5, "unitPrice": 1}]}, "lines[0].quantity: expected"),
        ({"lines": [{"sku": "P", "quantity": 1, "unitPrice": -1}]}, "lines[0].unitPrice: expected"),
        ({"lines": [{"sku": "P", "quantity": 1}]}, "required field unitPrice"),
        ({"lines": [{"sku": "P", "quantity": 10**12, "unitPrice": 10**15}]}, "more than can be"),
    ],
)
def test_an_invalid_order_is_refused_with_field_and_reason(fields, problem):
    """So that the author of the file can find the mistake."""
    with pytest.raises(InvalidOrderError) as refused:
        read_order(an_order(**fields))

    assert problem in str(refused.value)


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff", b"[]", b'"A-1"', b"null"])
def test_anything_but_a_json_object_is_refused(raw):
    """Any bytes are refused with the same kind of error."""
    with pytest.raises(InvalidOrderError):
        read_order(raw)


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (b'{"orderId":"a","customerId":"c","orderId":"b"}', "orderId"),
        (
            b'{"orderId":"a","customerId":"c","currency":"EUR",'
            b'"lines":[{"sku":"P","quantity":1,"unitPrice":1,"quantity":9}]}',
            "quantity",
        ),
    ],
)
@pytest.mark.parametrize("lenient", [False, True])
def test_a_field_that_is_given_twice_is_refused(raw, name, lenient):
    """Programs differ in which value they use."""
    with pytest.raises(InvalidOrderError, match=f"{name}: the field is given more than once"):
        read_order(raw, lenient=lenient)


@pytest.mark.timeout(60)
def test_a_field_that_is_given_twice_is_found_among_very_many():
    """In a time that grows as their number: a record of such names kept a worker for minutes."""
    names = [f"n{number}" for number in range(100_000)]
    raw = "{" + ",".join(f'"{name}":1' for name in [*names, names[-1]]) + "}"

    assert names[-1] == repeated_name(raw)
