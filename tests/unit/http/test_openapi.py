"""The description of the API is whole, and true."""

import re

import pytest

from order_sagas.bridges.http.api.openapi import describe
from order_sagas.system.order_app import APP as ORDERS
from tests.support.embedded import EmbeddedSystem
from tests.support.http_service import serving
from tests.support.rentals import APP as RENTALS


def references(value):
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


@pytest.mark.parametrize("app", [ORDERS, RENTALS], ids=["orders", "rentals"])
def test_every_schema_that_is_named_is_there(app):
    """And no other."""
    description = describe(app.registry)
    names = {reference.rpartition("/")[2] for reference in references(description)}

    assert names == description["components"]["schemas"].keys()


def test_every_path_is_described_with_its_methods(tmp_path):
    """As the table of routes has them."""
    with EmbeddedSystem(tmp_path) as system, serving(system.settings) as api:
        described = api.get("/openapi.json").json()["paths"]
        for path, methods in described.items():
            concrete = re.sub(r"\{\w+\}", "1", path)
            allowed = api.request("DELETE", concrete).headers["Allow"]

            assert {method.upper() for method in methods} == set(allowed.split(", ")) - {"HEAD"}
