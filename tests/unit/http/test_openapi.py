"""The description of the API is complete and correct."""

from pathlib import Path
from typing import Any

import pytest

from order_sagas.system.app import App
from order_sagas.system.order_app import APP as ORDERS
from tests.support.embedded import EmbeddedSystem
from tests.support.http_service import serving
from tests.support.rentals import APP as RENTALS

NAMES = {"orders": "order_sagas.system.order_app:APP", "rentals": "tests.support.rentals:APP"}


def references(value: Any) -> Any:
    """Every `$ref` in it."""
    if isinstance(value, dict):
        for key, each in value.items():
            if key == "$ref":
                yield each
            else:
                yield from references(each)
    elif isinstance(value, list):
        for each in value:
            yield from references(each)


def description_of(app: App, name: str, directory: Path) -> Any:
    """The description as a server of this app gives it."""
    with (
        EmbeddedSystem(
            directory, settings={"app": NAMES[name]}, sagas=app.sagas, services=app.services
        ) as system,
        serving(system.settings) as api,
    ):
        return api.get("/openapi.json").json()


@pytest.mark.parametrize(
    ("app", "name"), [(ORDERS, "orders"), (RENTALS, "rentals")], ids=["orders", "rentals"]
)
def test_every_referenced_schema_exists(app: App, name: str, tmp_path: Path) -> None:
    """And no unused ones."""
    description = description_of(app, name, tmp_path)
    names = {reference.rpartition("/")[2] for reference in references(description)}

    assert names == description["components"]["schemas"].keys()


def test_implied_parameters_and_errors_are_described(tmp_path: Path) -> None:
    """Parameters of the path, and the errors that come with them or with a body."""
    paths = description_of(ORDERS, "orders", tmp_path)["paths"]
    letter, listed = paths["/api/v1/dead-letters/{number}"]["get"], paths["/api/v1/orders"]["get"]
    signal = paths["/api/v1/sagas/{id}/signals/{message}"]["post"]

    assert [("number", "path", True)] == [
        (each["name"], each["in"], each["required"]) for each in letter["parameters"]
    ]
    assert ["id", "message", "why"] == [each["name"] for each in signal["parameters"]]
    assert [{"minLength": 1, "type": "string"}] * 2 == [
        each["schema"] for each in signal["parameters"][:2]
    ]
    assert "404" in letter["responses"]
    assert "404" not in listed["responses"]
    assert {"400", "404", "408", "409", "413", "415"} <= signal["responses"].keys()
    assert {"400", "409"}.isdisjoint(letter["responses"])


def test_get_has_no_request_body(tmp_path: Path) -> None:
    """For every media type of the response."""
    paths = description_of(ORDERS, "orders", tmp_path)["paths"]

    assert not [path for path, methods in paths.items() if "requestBody" in methods.get("get", {})]
