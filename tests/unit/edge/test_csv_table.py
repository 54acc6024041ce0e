"""Tables as spreadsheets and other systems write them: read exactly, or refused with the line."""

from pathlib import Path

import pytest

from order_sagas.bridges.intake.csv_table import FileError, check_encoding, decode_text, read_table
from order_sagas.bridges.intake.order_files import read_csv
from order_sagas.bridges.intake.stock_files import read_stock

CASES = Path(__file__).parent / "csv"
HEADER = "order_id,customer_id,currency,sku,quantity,unit_price"
ROW = "A,c,EUR,PEN,2,150"


def case(name, encoding=""):
    return decode_text((CASES / name).read_bytes(), encoding)


def orders(text):
    return [(f.order.order_id, f.order.amount) for f in read_csv(text) if f.order]


def problems(text):
    return [(f.line, f.problem) for f in read_csv(text) if not f.order]


@pytest.mark.parametrize("name", ["cp1252_order.csv", "cp1252_stock.csv"])
def test_a_byte_that_is_not_utf_8_is_an_error_with_its_line(name):
    """Replaced letters would merge two customers' orders."""
    with pytest.raises(
        FileError, match=r"line 2: byte 0x[cd][46c] .* is not UTF-8: .*--encoding cp1252"
    ):
        case(name)


def test_a_named_encoding_is_used():
    """Different letters remain different SKUs."""
    rows, bad = read_stock(case("cp1252_stock.csv", "cp1252"))

    assert [] == bad
    assert {"TASSE-BLÄU", "TASSE-BLÖU"} == {sku for _, sku, _ in rows}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_a_byte_order_mark_tells_the_encoding(encoding):
    """Spreadsheets write one."""
    text = f"{HEADER}\r\n{ROW.replace('PEN', 'BLÜTE')}\r\n"
    raw = text.encode(encoding)
    if encoding[-3:] in ("-le", "-be"):
        raw = "\ufeff".encode(encoding) + raw

    assert [("A", 300)] == orders(decode_text(raw))


@pytest.mark.parametrize(
    ("raw", "encoding", "said"),
    [
        (HEADER.encode("utf-16-le"), "", "a byte is 0, .*--encoding utf-16-le"),
        (b"PK\x03\x04rest", "", "save it as CSV in UTF-8"),
        (b"a\r\nb\rc\x81", "cp1252", "line 3: byte 0x81 .* is not cp1252: name another"),
    ],
)
def test_what_is_not_text_is_refused(raw, encoding, said):
    """The error says what to do."""
    with pytest.raises(FileError, match=said):
        decode_text(raw, encoding)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("named", [True, False])
def test_delimiters_and_line_ends_are_recognised(end, delimiter, named):
    """By the header, or by a first line `sep=`."""
    lines = [f"sep={delimiter}"] * named + [HEADER, ROW, "", ROW.replace("A", "B")]
    text = end.join(lines[:1] * named + [x.replace(",", delimiter) for x in lines[named:]])

    assert [("A", 300), ("B", 300)] == orders(text)


def test_a_semicolon_file_is_read():
    """As a spreadsheet writes it where the comma is the decimal mark."""
    assert [("B-1", 300)] == orders(case("semicolon.csv"))


@pytest.mark.parametrize("delimiter", ["#", "", ";;"])
def test_an_unknown_delimiter_is_refused(delimiter):
    """It is not guessed."""
    with pytest.raises(FileError, match=r"line 1: the delimiter .* a comma, a semicolon"):
        orders(f"sep={delimiter}\n{HEADER}\n")


def test_a_quote_that_is_never_closed_is_an_error_where_it_opens():
    """Otherwise it would take the rest of the file with it."""
    with pytest.raises(FileError, match="line 4: a quote opens and is never closed"):
        orders(case("open_quote_note.csv"))


def test_an_open_quote_after_a_cell_of_several_lines_is_found_in_its_own_line():
    """The row begins two lines earlier."""
    with pytest.raises(FileError, match="line 4: a quote opens and is never closed"):
        orders(f'{HEADER},note,more\n{ROW},"two\nshort\nlines","open\nrest\n')


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (f'{ROW},"open\n{ROW},"ok"\n', "line 2: a quote opens and closes in line 3 in the middle"),
        (f'{ROW},"open\n{ROW},ok\n{ROW},ok"\n', "line 2: .* closes only in line 4, over lines"),
    ],
)
def test_a_quote_that_closes_in_another_row_is_an_error(rows, said):
    """The rows between would be lost."""
    with pytest.raises(FileError, match=said):
        orders(f"{HEADER},note\n{rows}")


def test_a_quoted_cell_may_hold_delimiters_quotes_and_line_ends():
    """That is what quotes are for."""
    (row,) = read_table('sku,note\nPEN,"a, ""b""\nc"\n', ("sku",))

    assert (2, {"sku": "PEN", "note": 'a, "b"\nc'}) == (row.line, row.cells)


@pytest.mark.parametrize("name", ["thousands.csv", "extracol.csv"])
def test_more_cells_than_columns_refuse_the_order(name):
    """A price of 1,500 is not a price of 1."""
    assert [] == orders(case(name))
    assert [2, 3] == [line for line, problem in problems(case(name)) if "but the header" in problem]


def test_a_value_below_a_nameless_column_refuses_the_order():
    """A header that ends with a delimiter has one more column."""
    text = f"{HEADER},\n{ROW},\n{ROW.replace('A', 'B').replace('150', '1,500')}\n"

    assert [("A", 300)] == orders(text)
    assert "has no column name" in problems(text)[0][1]


def test_a_column_named_twice_is_refused():
    """Neither of the two is more right."""
    with pytest.raises(FileError, match="line 1: the header names quantity more than once"):
        orders(case("dupcol.csv"))


@pytest.mark.parametrize(
    "price", ["1.50", "1,50", "1_000", "1 000", "1'000", "\uff11\uff12", "1e3", "9" * 5000]
)
def test_a_number_with_separators_or_other_digits_is_refused(price):
    """Whether a point divides thousands or cents is not guessed."""
    ((line, problem),) = problems(f"{HEADER}\n{ROW}".replace(",", ";").replace("150", price))

    assert 2 == line
    assert "unit_price: " in problem
    assert "is not a whole number" in problem
    assert len(problem) < 300


def test_a_cell_that_is_too_long_is_an_error_with_its_line():
    """The limit is stated."""
    with pytest.raises(FileError, match="line 3: a cell is longer than 131072 characters"):
        orders(f"{HEADER}\n{ROW}\n{ROW}{'0' * 140_000}\n")


def test_an_empty_file_has_no_header():
    """It is no table."""
    for text in ("", "\n\n", "sep=;\n"):
        with pytest.raises(FileError, match="the header lacks order_id"):
            orders(text)


def test_an_encoding_that_is_not_known_is_refused():
    """Encodings that are not of text are not known either."""
    assert "cp1252" == check_encoding("cp1252")
    for name in ("klingon", "zlib", "a\0b", ""):
        with pytest.raises(FileError, match="is not known; known are, among others, utf-8"):
            check_encoding(name)
