"""The order of fields in messages and entities: checkers refuse what fails at run time."""

import msgspec
import pytest

from order_sagas import Entity, Message


class DepositPaid(Message, kw_only=True):
    """A message whose required field follows an optional one."""

    cents: int = 0
    currency: str


def test_a_required_field_may_follow_an_optional_one_if_the_class_says_so() -> None:
    """Its arguments have names then."""
    paid = msgspec.json.decode(b'{"orderId": "D-1", "currency": "EUR"}', type=DepositPaid)

    assert DepositPaid(order_id="D-1", currency="EUR") == paid


@pytest.mark.parametrize("base", [Message, Entity])
def test_otherwise_the_class_is_refused_with_what_to_write(base: type) -> None:
    """When it is made, in the words of msgspec. Type checkers refuse it too: `test_types`."""
    fields = {"__annotations__": {"cents": int, "currency": str}, "cents": 0}
    with pytest.raises(TypeError, match=r"'currency' cannot follow optional fields.*kw_only=True"):
        type(base)("Mistake", (base,), fields)
