"""The pytest plugin, in runs of pytest of its own."""

from importlib.metadata import entry_points

import pytest

pytest_plugins = ["pytester"]

INSTALLED = bool(entry_points(group="pytest11", name="order_sagas"))
FAILING = """
    from order_sagas.system.harness import CANCELLED, an_order

    def test_it(harness):
        order = harness.place(an_order())
        harness.advance(1)
        harness.expect(order).to_be(CANCELLED)
"""


def run(pytester: pytest.Pytester, *arguments: str, apart: bool = False) -> pytest.RunResult:
    """With `apart` in a separate process, because loggers of this one may be changed by other
    tests."""
    plugin = () if INSTALLED else ("-p", "order_sagas.system.harness.pytest_plugin")
    start = pytester.runpytest_subprocess if apart else pytester.runpytest_inprocess
    return start(*plugin, "-p", "no:cacheprovider", *arguments)


def test_a_failure_shows_the_seed_and_the_trace_of_its_order(pytester):
    """So that the run can be replayed from the output alone."""
    pytester.makepyfile(FAILING)

    result = run(pytester, "--harness-seed", "42", apart=True)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "harness seed: 42",
            "*expected order ORD-1 to be CANCELLED, and it is COMPLETED*",
            "*harness*",
            "seed 42 (replay a test with --harness-seed 42)",
            "Order ORD-1  place-order v1  completed*",
        ]
    )


def test_every_run_draws_another_seed(pytester):
    """So that another run tests other interleavings."""
    pytester.makepyfile("def test_it(harness_seed):\n    print('seed:', harness_seed)")

    seeds = {run(pytester, "-s").stdout.str().split("seed: ")[2].split()[0] for _ in range(2)}

    assert 2 == len(seeds)


def test_a_marker_passes_arguments_to_the_harness(pytester):
    """Such as `stock`."""
    pytester.makepyfile("""
        import pytest
        from order_sagas.system.harness import CANCELLED, an_order

        @pytest.mark.harness(stock={"SKU-1": 0}, seed=5)
        def test_it(harness):
            order = harness.place(an_order())
            harness.advance(1)
            harness.expect(order).to_be(CANCELLED).because("out_of_stock")
            assert 5 == harness.seed
    """)

    run(pytester, "--strict-markers").assert_outcomes(passed=1)
