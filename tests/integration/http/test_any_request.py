"""Thousands of requests generated from the API's own description: each is answered as described."""

from collections import Counter
from contextlib import suppress
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from order_sagas.actors.sagas.definition import hours
from order_sagas.bridges.http.api.query_params import LONGEST_WAIT
from tests.support.embedded import EmbeddedSystem, an_order
from tests.support.http_service import serving

REQUESTS = 2000
AT_ONCE = 8
"""Requests in one example: an example costs more than a request."""
UNENDING = "/api/v1/events"
SHORT_WAIT = 0.01
"""Seconds."""


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_no_generated_request_causes_an_internal_error(tmp_path):
    """Every response matches the description."""
    with EmbeddedSystem(tmp_path) as system, serving(system.settings, rate=0) as api:
        system.load({"PEN": 10})
        system.put(*(an_order(f"o-{n}") for n in range(10)))
        system.put_raw("order-events", b"oops")
        system.advance(hours(1))
        statuses = ask_anything(api)

    print(dict(statuses))
    assert statuses.total() >= REQUESTS
    assert not [status for status in statuses if status >= 500]
    assert {200, 201, 400, 404, 422} <= statuses.keys()


def ask_anything(api) -> Counter[int]:
    """Send requests to each operation; return the number of responses by status."""
    schema = schemathesis.openapi.from_dict(api.get("/openapi.json").json())
    found: Any = schema.get_all_operations()
    operations: list[Any] = [each.ok() for each in found]
    finite = [operation for operation in operations if operation.path != UNENDING]
    varied = [each for each in finite if list(each.iter_parameters()) or each.body]
    statuses: Counter[int] = Counter()
    with requests.Session() as session:
        for operation in finite:
            count = REQUESTS // len(varied) + 1 if operation in varied else 1
            asking(operation, str(api.base_url), session, count, statuses)()
    return statuses


def shorten_wait(case) -> None:
    """Shorten a generated `wait`, which would take up to a minute for an unknown order. Values that
    the description refuses stay unchanged.
    """
    wait: Any = (case.query or {}).get("wait")
    with suppress(TypeError, ValueError):
        if SHORT_WAIT < float(wait) <= LONGEST_WAIT:
            case.query["wait"] = SHORT_WAIT


def asking(operation, url: str, session, count: int, statuses: Counter[int]):
    """A property: every response is as described."""
    modes = schemathesis.GenerationMode
    any_case = st.one_of([operation.as_strategy(generation_mode=mode) for mode in modes])

    @settings(
        max_examples=count // AT_ONCE + 1,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(data=st.data())
    def ask(data) -> None:
        for _ in range(AT_ONCE):
            case = data.draw(any_case)
            shorten_wait(case)
            response = case.call(base_url=url, session=session)
            statuses[response.status_code] += 1
            # Requests that are accepted leniently, and results that depend on stored data, are no
            # errors.
            case.validate_response(
                response, excluded_checks=[negative_data_rejection, positive_data_acceptance]
            )

    return ask
