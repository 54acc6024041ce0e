"""Random messages: supported types of fields, and unsupported ones."""

import datetime
import random
import uuid
from decimal import Decimal
from typing import Annotated, Any

import msgspec
import pytest

from order_sagas.actors.errors import DefinitionError
from order_sagas.actors.messages import Message
from order_sagas.system.harness.samples import sample_of


class Everything(Message):
    price: Decimal
    on: datetime.date
    at: datetime.datetime
    opens: datetime.time
    takes: datetime.timedelta
    ticket: uuid.UUID
    seal: bytes
    people: Annotated[int, msgspec.Meta(ge=20, le=40)]
    share: Annotated[float, msgspec.Meta(gt=0, lt=1)]
    debt: Annotated[int, msgspec.Meta(lt=0)]
    iban: Annotated[str, msgspec.Meta(min_length=22, max_length=22)]
    extra: Any = None
    plate: Annotated[str, msgspec.Meta(pattern="^B-")] = "B-1"


@pytest.mark.parametrize("seed", range(20))
def test_a_sample_is_a_valid_message(seed: int) -> None:
    """It can be decoded again, so it meets all constraints."""
    made = sample_of(Everything, random.Random(seed), "A-1")

    assert made == msgspec.json.decode(msgspec.json.encode(made), type=Everything)
    assert made == sample_of(Everything, random.Random(seed), "A-1")


def test_a_field_without_a_sample_has_its_default() -> None:
    made = sample_of(Everything, random.Random(0), "A-1")

    assert isinstance(made, Everything)
    assert (None, "B-1") == (made.extra, made.plate)


class Parked(Message):
    plate: Annotated[str, msgspec.Meta(pattern="^B-")]


class Anything(Message):
    extra: Any


@pytest.mark.parametrize(
    ("kind", "field"), [(Parked, "Parked.plate can be made: "), (Anything, "Anything.extra can be")]
)
def test_a_required_field_without_a_sample_is_named(kind: type[Message], field: str) -> None:
    with pytest.raises(DefinitionError, match=field):
        sample_of(kind, random.Random(0), "A-1")
