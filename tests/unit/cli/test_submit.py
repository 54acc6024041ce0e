"""`order-sagas submit`."""

import json

import pytest


def an_order(order_id="A-1", **fields):
    line = {"sku": "PEN", "quantity": 2, "unitPrice": 150}
    whole = {"orderId": order_id, "customerId": "C", "currency": "EUR", "lines": [line], **fields}
    return json.dumps(whole) + "\n"


@pytest.fixture
def file(tmp_path):
    """Writes a file of orders."""

    def write(*lines, name="orders.jsonl"):
        path = tmp_path / name
        path.write_text("".join(lines))
        return path

    return write


def test_orders_are_submitted_without_a_running_system_and_it_says_so(run, run_json, file):
    """They wait in the log, and are listed as what they are."""
    result = run("submit", file(an_order("A"), an_order("B")))

    assert (0, "2 orders submitted.\n") == (result.exit_code, result.stdout)
    assert "No system is running" in result.stderr
    assert [("B", "SUBMITTED"), ("A", "SUBMITTED")] == [
        (order["order_id"], order["status"]) for order in run_json("orders")
    ]


def test_the_same_file_twice_changes_nothing_and_says_so(run, system, file):
    """It is no error either: a script may simply try again."""
    path = file(an_order("A"), an_order("B"))
    run("submit", path)
    result = run("submit", path)

    assert 0 == result.exit_code
    assert (
        "Nothing changed: 0 orders submitted; 2 already there, with the same content.\n"
        == result.stdout
    )
    assert 1 == len(system.told("A"))


def test_a_bad_line_is_named_and_the_rest_goes_on(run, file):
    """The exit code tells that something is left to do."""
    path = file(an_order("A"), "oops\n", an_order("B", lines=[{"sku": "P"}]), an_order("C"))
    result = run("submit", path)

    assert 1 == result.exit_code
    assert "2 orders submitted; 2 refused.\n" == result.stdout
    assert f"{path}:2: not JSON" in result.stderr
    assert f"{path}:3: lines[0]: object missing required field quantity" in result.stderr


def test_a_taken_id_with_other_content_is_refused(run, file):
    """By name and line, for somebody has to look at it."""
    run("submit", file(an_order("A")))
    result = run("submit", file(an_order("B"), an_order("A", currency="USD")))

    assert 1 == result.exit_code
    assert ":2: order A is there already, with other content" in result.stderr


def test_standard_input_needs_a_format(run, run_json):
    """There is no file name to tell it by."""
    assert 2 == run("submit", "-", stdin=an_order()).exit_code
    assert {"accepted": 1, "already_there": 0, "refused": 0} == run_json(
        "submit", "-", "--format", "jsonl", stdin=an_order()
    )


def test_csv_is_told_by_its_name(run, system, file):
    """Two rows of an order are two lines of it."""
    header = "order_id,customer_id,currency,sku,quantity,unit_price\n"
    run("submit", file(header, "A,c,EUR,PEN,2,150\n", "A,c,EUR,INK,1,900\n", name="o.csv"))
    (record,) = system.records("order-events")

    assert ["PEN", "INK"] == [line["sku"] for line in record["lines"]]


def test_a_csv_with_a_wrong_header_is_refused_whole(run, file):
    """Every line of it would be wrong."""
    result = run("submit", file("id,customer\n", "A,c\n", name="o.csv"))

    assert 1 == result.exit_code
    assert "the header lacks order_id" in result.stderr


def test_an_unknown_kind_of_file_is_a_usage_error(run, file):
    """Guessing would be worse."""
    assert "give --format" in run("submit", file(an_order(), name="orders.txt")).stderr


def test_waiting_ends_at_once_when_all_have_ended(run, run_json, system, file):
    """Orders that were there before count like new ones; cancelled ones are an outcome."""
    system.load({"PEN": 3})
    path = file(an_order("A"), an_order("B"))
    run("submit", path)
    system.start()
    summary = run_json("submit", path, "--wait")

    assert 2 == summary["already_there"]
    assert [("COMPLETED", "", 1), ("CANCELLED", "out_of_stock", 1)] == [
        (each["status"], each["reason"], each["orders"]) for each in summary["outcomes"]
    ]
    assert 0 == run("submit", path, "--wait").exit_code


def test_an_order_that_became_a_dead_letter_is_not_waited_for_ever(run_json, system, file):
    """Its record was handled, and there will never be a saga of it."""
    path = file(an_order("A"))
    run_json("submit", path)
    with system.log.transaction() as cursor:
        cursor.execute("UPDATE log SET value = x'00'")
    system.start()
    summary = run_json("submit", path, "--wait")

    assert [{"status": "NOT_HANDLED", "reason": "its record is among the dead letters", "orders": 1}
            ] == summary["outcomes"]  # fmt: skip
