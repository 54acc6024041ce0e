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
    """`apart` in a process of its own: loggers of this one are as other tests left them."""
    plugin = () if INSTALLED else ("-p", "order_sagas.system.harness.pytest_plugin")
    start = pytester.runpytest_subprocess if apart else pytester.runpytest_inprocess
    return start(*plugin, "-p", "no:cacheprovider", *arguments)


def test_a_failure_tells_the_seed_and_the_life_of_its_order(pytester):
    """Somebody who only sees the output can replay it."""
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
    """Running the tests again tries something new."""
    pytester.makepyfile("def test_it(harness_seed):\n    print('seed:', harness_seed)")

    seeds = {run(pytester, "-s").stdout.str().split("seed: ")[2].split()[0] for _ in range(2)}

    assert 2 == len(seeds)


def test_a_marker_hands_arguments_to_the_harness(pytester):
    """What is in stock, say."""
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
