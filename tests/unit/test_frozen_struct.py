"""Subclasses of Message and Entity take keyword arguments only, as type checkers expect."""

import msgspec
import pytest

from order_sagas import Entity, Message


class DepositPaid(Message):
    """A message whose required field follows an optional one."""

    cents: int = 0
    currency: str


class Deposit(Entity):
    """An entity whose key follows an optional field."""

    table = "deposits"
    cents: int = 0
    order_id: str


def test_a_required_field_may_follow_an_optional_one() -> None:
    """In messages and in entities."""
    paid = msgspec.json.decode(b'{"orderId": "D-1", "currency": "EUR"}', type=DepositPaid)

    assert DepositPaid(order_id="D-1", currency="EUR") == paid
    assert Deposit(order_id="D-1", cents=0) == Deposit(order_id="D-1")


def test_a_missing_field_is_named() -> None:
    """The error names the field."""
    with pytest.raises(TypeError, match="currency"):
        DepositPaid(order_id="D-1")  # type: ignore[call-arg]


def test_positional_arguments_are_refused() -> None:
    """Otherwise the order of fields would be part of what a class promises."""
    with pytest.raises(TypeError, match="positional"):
        Deposit(5, order_id="D-1")  # type: ignore[call-arg]
