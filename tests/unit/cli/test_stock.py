"""`order-sagas stock`."""

import pytest

from tests.support.embedded import an_order


@pytest.fixture
def file(tmp_path):
    """Write a file of stock."""

    def write(*lines):
        path = tmp_path / "stock.csv"
        path.write_text("\n".join(["sku,quantity,warehouse", *lines]))
        return path

    return write


def test_stock_waits_in_the_log_until_a_system_runs(run, run_json, system, file):
    """The waiting stock is shown, so that it does not seem lost."""
    loaded = run("stock", "load", file("PEN,10,", "PEN,5,north", "INK,2,main"))
    waiting = run("stock", "show")
    system.start()

    assert "17 pieces of 3 SKUs sent to 2 warehouses.\n" == loaded.stdout
    assert "In the log: 2 loads with 3 lines" in waiting.stderr
    assert [("INK", "main", 2), ("PEN", "main", 10), ("PEN", "north", 5)] == [
        (row["sku"], row["warehouse"], row["onHand"]) for row in run_json("stock", "show")
    ]


def test_the_same_delivery_counts_once_without_again(run, run_json, system, file):
    """While the first one waits, and after it was handled."""
    path = file("PEN,10,")
    run("stock", "load", path)
    waiting = run("stock", "load", path)
    system.start()
    handled = run("stock", "load", path)
    again = run("stock", "load", path, "--again")
    system.run()

    assert "Nothing changed" in waiting.stdout
    assert "Nothing changed" in handled.stdout
    assert "10 pieces" in again.stdout
    assert [20] == [row["loaded"] for row in run_json("stock", "show")]


def test_nothing_of_a_delivery_with_a_bad_line_is_loaded(run, run_json, system, file):
    """A partly loaded file could not be completed by loading it again."""
    result = run("stock", "load", file("PEN,10,", "INK,-2,", ",3,"))
    system.start()

    assert 1 == result.exit_code
    assert ":3: quantity: -2" in result.stderr
    assert ":4: sku: ''" in result.stderr
    assert [] == run_json("stock", "show")


def test_on_hand_held_and_sold_add_up_to_what_was_loaded(run, run_json, system, file):
    """Held belongs to an order in flight, sold to a completed one."""
    run("stock", "load", file("PEN,10,"))
    system.start()
    system.put(an_order("sold"))
    run("inject", "stock-events", '{"orderId": "held", "status": "RESERVE_STOCK", '
        '"lines": [{"sku": "PEN", "quantity": 3}]}')  # fmt: skip
    system.run()
    (row,) = run_json("stock", "show", "PEN")

    assert {"onHand": 5, "held": 3, "sold": 2, "loaded": 10} == {
        name: row[name] for name in ("onHand", "held", "sold", "loaded")
    }
    assert ["PEN", "main", "5", "3", "2", "10"] == run("stock", "show", "PEN").stdout.split()[-6:]


def test_no_stock_is_reported_as_text(run, system):
    """An empty table would look like an error."""
    system.start()

    assert "There is no stock.\n" == run("stock", "show").stdout
    assert "Nothing of PEN was ever loaded.\n" == run("stock", "show", "PEN").stdout
