"""Orders and goods in files."""

import pytest

from order_sagas.bridges.intake.csv_table import FileError
from order_sagas.bridges.intake.order_files import read_csv, read_jsonl
from order_sagas.bridges.intake.stock_files import BadRow, loads_of, read_stock

HEADER = "order_id,customer_id,currency,sku,quantity,unit_price\n"


def of_csv(*rows, header=HEADER):
    return list(read_csv("".join([header, *(f"{row}\n" for row in rows)])))


def test_rows_of_one_order_are_one_order_wherever_they_stand():
    """An export may be sorted by SKU rather than by order."""
    found = of_csv("A,c,EUR,PEN,2,150", "B,c,EUR,PEN,1,150", "A,c,EUR,INK,1,900")

    assert [("A", ["PEN", "INK"]), ("B", ["PEN"])] == [
        (f.order.order_id, [line.sku for line in f.order.lines]) for f in found
    ]


def test_an_order_with_a_bad_row_is_refused_whole():
    """Half an order would be worse than none; the others go on."""
    found = of_csv("A,c,EUR,PEN,2,150", "A,c,EUR,INK,many,900", "B,c,EUR,PEN,1,150")

    assert [(3, None), (4, "B")] == [(f.line, f.order and f.order.order_id) for f in found]
    assert "quantity: 'many' is not a whole number (so order A is refused)" == found[0].problem


def test_rows_that_contradict_each_other_are_refused():
    """It is unclear which of two customers an order is for."""
    (found,) = of_csv("A,c,EUR,PEN,2,150", "A,d,EUR,INK,1,900")

    assert (3, "customer_id is 'd', but 'c' in line 2 (so order A is refused)") == (
        found.line,
        found.problem,
    )


def test_a_row_without_an_order_id_is_reported_and_a_row_without_goods_is_an_empty_order():
    """Empty rows are nothing at all."""
    found = of_csv("", "A,c,EUR,,,", ",c,EUR,PEN,1,1")

    assert [(4, "order_id is empty"), (3, "")] == [(f.line, f.problem) for f in found]
    assert () == found[1].order.lines


def test_a_file_with_another_header_is_refused_as_a_whole():
    """It says what is missing, and what the header has to be."""
    with pytest.raises(FileError, match="lacks currency, unit_price; it has to be order_id,"):
        of_csv(header="order_id,customer_id,sku,quantity\n")


def test_columns_may_be_in_any_order_with_others_beside_them():
    """As in files of real spreadsheets."""
    header = "\ufeffunit_price,Quantity,sku,note,currency,customer_id,order_id,warehouse\n"
    (found,) = of_csv("150,2,PEN,hello,EUR,c,A,north", header=header)

    assert ("A", "north", 300) == (
        found.order.order_id,
        found.order.warehouse,
        found.order.amount,
    )


def test_json_lines_continue_after_a_bad_one_and_count_empty_ones():
    """The number is the one that an editor shows."""
    good = b'{"orderId": "%s", "customerId": "c"}\n'
    found = list(read_jsonl([b"\xef\xbb\xbf" + good % b"A", b"\n", b"oops\n", good % b"B"]))

    assert [(1, "A"), (3, None), (4, "B")] == [
        (f.line, f.order and f.order.order_id) for f in found
    ]


def test_stock_files_report_all_bad_lines():
    """All of them at once."""
    rows, bad = read_stock("sku,quantity,warehouse\nPEN,5,\n,1,\nINK,-1,\nX,x,\n")

    assert [("main", "PEN", 5)] == rows
    assert [3, 4, 5] == [line for line, _ in bad]
    assert BadRow(5, "quantity: 'x' is not a whole number") == bad[2]


def test_the_same_delivery_has_the_same_ids_and_another_one_has_others():
    """So the stock service recognises a repeated delivery."""
    rows = [("main", "PEN", 5), ("north", "PEN", 7)]
    ids = [[load.order_id for load in loads_of(r, again)] for r, again in (
        (rows, ""), (list(rows), ""), (rows, "once more"), ([("main", "PEN", 6), rows[1]], ""),
    )]  # fmt: skip

    assert ids[0] == ids[1]
    assert 2 == len(ids[0])
    assert 6 == len({each for group in ids for each in group})
