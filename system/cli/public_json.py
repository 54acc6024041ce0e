"""JSON of the command line, in the form of the HTTP API: camelCase, times in ISO 8601."""

from collections.abc import Mapping
from typing import Any

import attrs

from order_sagas.actors.clock import iso
from order_sagas.actors.money import money

_TIMES = {
    *("at", "before", "deadline", "last", "last_started", "next", "oldest", "since", "started"),
    "until",
}
"""Names of epoch seconds, besides those that end with `_at`."""


@attrs.frozen
class ByName:
    """A mapping by names that are data, such as topics: they are printed as they are."""

    values: Mapping[str, Any]


def public(value: Any) -> Any:
    """Return plain data as the API has it.

    Names are in camelCase. Epoch seconds become ISO 8601 in UTC, and 0 becomes null. Amounts are
    whole minor units of their currency, each followed by `amountText`, the same for people.
    """
    if isinstance(value, ByName):
        return {name: public(each) for name, each in value.values.items()}
    if isinstance(value, Mapping):
        fields: dict[str, Any] = {}
        for name, each in value.items():
            fields[_camel(name)] = _moment(each) if _is_time(name) else public(each)
            if name == "amount" and "currency" in value:
                known = each is not None
                fields["amountText"] = money(each, value["currency"] or "") if known else None
        return fields
    if isinstance(value, list | tuple):
        return [public(each) for each in value]
    return value


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(each.capitalize() for each in others)


def _is_time(name: str) -> bool:
    return name in _TIMES or (name.endswith("_at") and name != "looked_at")


def _moment(at: Any) -> Any:
    """Return epoch seconds as ISO 8601; what is no number, such as a ready text, as it is."""
    if isinstance(at, bool) or not isinstance(at, int | float):
        return at
    return iso(at) if at else None
