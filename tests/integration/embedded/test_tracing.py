"""Traces of a run with several processes, as a collector receives them."""

from collections import Counter
from pathlib import Path

import pytest

from tests.integration.embedded.test_a_running_system import orders_file, output_of, stock_file
from tests.support.cli import Started, environment, order_sagas
from tests.support.otlp import Collector

pytestmark = pytest.mark.processes


@pytest.mark.parametrize("how", ["setting", "environment"])
def test_every_order_is_one_whole_trace_across_workers(tmp_path: Path, how: str) -> None:
    """Stock belongs to one worker: half of the orders cross to the other process and back."""
    with Collector() as collector:
        env = environment(tmp_path, workers=2)
        if how == "setting":
            env["ORDER_SAGAS_OTEL_ENDPOINT"] = collector.endpoint
        else:
            env["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.endpoint
        with Started(tmp_path, env) as system:
            order_sagas("stock", "load", stock_file(tmp_path, 100), env=env)
            output_of(env, "submit", orders_file(tmp_path, 20), "--wait")
            assert 0 == system.stop()
        spans = collector.spans

    traces = Counter(span.trace_id for span in spans)
    ids = {(span.trace_id, span.span_id) for span in spans}
    roots = [span for span in spans if not span.parent_span_id]
    assert 20 == len(traces) == len(roots)
    assert {7} == set(traces.values())
    assert len(spans) == len(ids)
    assert all((span.trace_id, span.parent_span_id) in ids for span in spans if span.parent_span_id)
