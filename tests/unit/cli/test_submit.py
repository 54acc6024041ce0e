"""`order-sagas submit`."""

import json

import pytest


def an_order(order_id="A-1", **fields):
    line = {"sku": "PEN", "quantity": 2, "unitPrice": 150}
    whole = {"orderId": order_id, "customerId": "C", "currency": "EUR", "lines": [line], **fields}
    return json.dumps(whole) + "\n"


@pytest.fixture
def file(tmp_path):
    """Write a file of orders."""

    def write(*lines, name="orders.jsonl"):
        path = tmp_path / name
        path.write_text("".join(lines))
        return path

    return write


def test_orders_are_submitted_without_a_running_system_and_it_says_so(run, run_json, file):
    """They wait in the log, and are listed as submitted."""
    result = run("submit", file(an_order("A"), an_order("B")))

    assert (0, "2 orders submitted.\n") == (result.exit_code, result.stdout)
    assert "No system is running" in result.stderr
    assert [("B", "SUBMITTED"), ("A", "SUBMITTED")] == [
        (order["orderId"], order["status"]) for order in run_json("orders")
    ]


def test_submitting_a_file_twice_changes_nothing_and_says_so(run, system, file):
    """It is no error, so a script may retry."""
    path = file(an_order("A"), an_order("B"))
    run("submit", path)
    result = run("submit", path)

    assert 0 == result.exit_code
    assert (
        "Nothing changed: 0 orders submitted; 2 already there, with the same content.\n"
        == result.stdout
    )
    assert 1 == len(system.statuses_of("A"))


def test_a_bad_line_is_reported_and_the_rest_is_submitted(run, file):
    """The exit code is 1."""
    path = file(an_order("A"), "oops\n", an_order("B", lines=[{"sku": "P"}]), an_order("C"))
    result = run("submit", path)

    assert 1 == result.exit_code
    assert "2 orders submitted; 2 refused.\n" == result.stdout
    assert f"{path}:2: not JSON" in result.stderr
    assert f"{path}:3: lines[0]: object missing required field quantity" in result.stderr


def test_a_used_id_with_other_content_is_refused(run, file):
    """With its id and line."""
    run("submit", file(an_order("A")))
    result = run("submit", file(an_order("B"), an_order("A", currency="USD")))

    assert 1 == result.exit_code
    assert ":2: order A is there already, with other content" in result.stderr


def test_standard_input_needs_a_format(run, run_json):
    """Because there is no file name."""
    assert 2 == run("submit", "-", stdin=an_order()).exit_code
    assert {"accepted": 1, "alreadyThere": 0, "refused": 0} == run_json(
        "submit", "-", "--format", "jsonl", stdin=an_order()
    )


def test_csv_is_recognised_by_the_file_name(run, system, file):
    """Two rows of an order are two lines of it."""
    header = "order_id,customer_id,currency,sku,quantity,unit_price\n"
    run("submit", file(header, "A,c,EUR,PEN,2,150\n", "A,c,EUR,INK,1,900\n", name="o.csv"))
    (record,) = system.records("order-events")

    assert ["PEN", "INK"] == [line["sku"] for line in record["lines"]]


def test_a_csv_with_a_wrong_header_is_refused_whole(run, file):
    """Every line would be invalid."""
    result = run("submit", file("id,customer\n", "A,c\n", name="o.csv"))

    assert 1 == result.exit_code
    assert "the header lacks order_id" in result.stderr


def test_an_unknown_kind_of_file_is_a_usage_error(run, file):
    """The format is not guessed."""
    assert "give --format" in run("submit", file(an_order(), name="orders.txt")).stderr


def test_waiting_ends_at_once_when_all_have_ended(run, run_json, system, file):
    """Orders that were there before count like new ones; cancelled ones are an outcome."""
    system.load({"PEN": 3})
    path = file(an_order("A"), an_order("B"))
    run("submit", path)
    system.start()
    summary = run_json("submit", path, "--wait")

    assert 2 == summary["alreadyThere"]
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


def test_a_dry_run_shows_the_totals_and_sends_nothing(run, run_json, file):
    """An order that is twice in the file counts once."""
    yen = an_order("B", currency="JPY")
    path = file(an_order("A"), an_order("A"), yen, an_order("C"), "oops\n")
    result = run("submit", "--dry-run", path)

    assert 1 == result.exit_code
    assert f"{path}:5: not JSON" in result.stderr
    assert [
        "3 orders would be submitted; 1 refused.",
        "  2 orders: EUR 6.00",
        "  1 order: JPY 300",
    ] == result.stdout.splitlines()
    assert [] == run_json("orders")


def test_a_dry_run_as_json_has_minor_units(run, file):
    """For a script that compares them with its own."""
    result = run("submit", "--dry-run", "--json", file(an_order("A")))

    assert {
        "orders": 1,
        "refused": 0,
        "totals": {
            "EUR": {"orders": 1, "amount": 300, "amountText": "EUR 3.00", "currency": "EUR"}
        },
    } == json.loads(result.stdout)


def test_an_unknown_field_is_refused_unless_lenient(run, file):
    """The line is named, and the field that may have been meant."""
    path = file(an_order("A", items=[]))
    result = run("submit", path)

    assert 1 == result.exit_code
    assert f"{path}:1: items: unknown field; did you mean lines?" in result.stderr
    assert "1 order submitted.\n" == run("submit", "--lenient", path).stdout


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16"])
@pytest.mark.parametrize("name", ["o.csv", "o.jsonl"])
def test_the_encoding_of_a_file_can_be_given(run, run_json, tmp_path, encoding, name):
    """Its characters are decoded correctly."""
    head, row = "order_id,customer_id,currency,sku,quantity,unit_price", "Ä,c,EUR,P,1,1"
    text = f"{head}\n{row}\n" if name == "o.csv" else '{"orderId": "Ä", "customerId": "c"}\n'
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))

    assert 0 == run("submit", "--encoding", encoding, path).exit_code
    assert ["Ä"] == [order["orderId"] for order in run_json("orders")]


def test_a_file_that_cannot_be_read_is_refused_by_its_name(run, run_json, tmp_path):
    """Nothing of it is submitted."""
    path = tmp_path / "o.csv"
    path.write_bytes(b"order_id,customer_id,currency,sku,quantity,unit_price\nA,\xc4,EUR,P,1,1\n")
    result = run("submit", path)

    assert 1 == result.exit_code
    assert f"Error: {path}: line 2: byte 0xc4" in result.stderr
    assert "encoding 'klingon' is not known" in run("submit", "--encoding", "klingon", path).stderr
    assert [] == run_json("orders")
