"""Untrusted cells: a value or what is wrong with it, whatever the cell; compared with hand-made
answers and with Python's own zones."""

import zoneinfo
from datetime import UTC, date, datetime, time
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.parsing import cells
from etl.parsing.columns import DAY, MOMENT, NUMBER, SYMBOL, TEXT, typed

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
    | st.dates() | st.datetimes(timezones=st.none() | st.timezones()) | st.decimals(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=3,
)  # fmt: skip
READERS = (
    cells.number,
    cells.day,
    cells.moment,
    cells.since_1970,
    cells.text,
    cells.symbol,
    cells.name,
    cells.identity,
)


@given(ANYTHING)
def test_no_cell_raises_and_nothing_becomes_null_silently(cell: Any) -> None:
    for read in READERS:
        value, wrong = read(cell)
        assert value is None or not wrong
    assert len(cells.shown(cell)) <= cells.SHOWN and "\x00" not in cells.shown(cell)


@given(st.text(st.sampled_from("0123456789-+:.,/TZ eEnaifUGMC\u00a0\u0661"), max_size=30))
def test_what_looks_nearly_right_is_read_or_refused(cell: str) -> None:
    for read in (cells.number, cells.day, cells.moment):
        value, wrong = read(cell)
        empty = not cell.strip() or cell.strip(" +-").lower() == "nan"
        assert value is not None or wrong or empty


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("1,234,567", 1234567.0),
        ("1,250.00", 1250.0),
        ("12,34,567.5", 1234567.5),
        (" 1e3 ", 1000.0),
        (7, 7.0),
        ("NaN", None),
        (None, None),
    ],
)
def test_a_number_is_read(cell: object, value: float | None) -> None:
    assert cells.number(cell) == (value, "")


@pytest.mark.parametrize(
    "cell",
    ["12,345", "1,25", "1.234,5", "0x10", "1_000", "\u0661", "five", "1 000", True, "9" * 500, [1]],
)
def test_what_may_be_another_number_is_refused(cell: object) -> None:
    value, wrong = cells.number(cell)
    assert value is None and wrong.startswith("is not a number")


def test_one_cell_that_shows_thousands_speaks_for_its_column() -> None:
    column = pa.chunked_array([["12,345", "1,234,567", "99", "1,25"]])
    found = typed(column, NUMBER)
    assert found.values.to_list() == [12345.0, 1234567.0, 99.0, None]
    assert found.wrong is not None and found.wrong.to_list() == [None, None, None, cells.NUMBER]


@pytest.mark.parametrize(
    "cell",
    [
        "2024-07-05",
        "2024/7/5",
        "20240705",
        20240705,
        20240705.0,
        "05-JUL-2024",
        "Jul 5, 2024",
        "2024-07-05 00:00:00+05:30",
        "2024-07-05T23:59:00-04:00",
        "2024-07-05 00:00",
        "2024-07-05 00:00:00 UTC",
        datetime(2024, 7, 5),
        date(2024, 7, 5),
    ],
)
def test_a_date_is_read(cell: object) -> None:
    assert cells.day(cell) == (date(2024, 7, 5), "")


@pytest.mark.parametrize(
    "cell",
    [
        "07/05/2024",
        "2024-07-32",
        "2024-07-05 14:00",
        datetime(2024, 7, 5, 14),
        1720137600,
        "5",
        True,
    ],
)
def test_what_is_no_date_for_certain_is_refused(cell: object) -> None:
    assert cells.day(cell) == (None, cells.DAY)


@pytest.mark.parametrize(
    ("cell", "hour"),
    [
        ("2024-07-02 14:00:00 UTC", 14),
        ("2024-07-02T14:00:00Z", 14),
        ("2024-07-02T14:00:00+05:30", 8),
        ("Tue, 02 Jul 2024 14:00:00 -0000", 14),
        ("Tue, 02 Jul 2024 14:00:00 GMT", 14),
        ("Tue, 02 Jul 2024 14:00:00 CET", 13),
        ("2 Jul 24 14:00 EDT", 18),
        ("Tue, 02 Jul 2024 14:00:00 +0200 (CEST)", 12),
    ],
)
def test_a_moment_is_read(cell: str, hour: int) -> None:
    value, wrong = cells.moment(cell)
    assert not wrong and value is not None
    assert (value.date(), value.hour) == (date(2024, 7, 2), hour)


@pytest.mark.parametrize("zone", ["BST", "IST", "XYZ"])
def test_a_zone_that_names_several_is_refused_by_name(zone: str) -> None:
    value, wrong = cells.moment(f"Tue, 02 Jul 2024 14:00:00 {zone}")
    assert value is None and f"{zone} is not one zone" in wrong


@pytest.mark.parametrize(
    "cell", ["9999-12-31T23:59:59-05:00", "0001-01-01T00:00:00+05:00", "2024-07-02T14:00:00", 5]
)
def test_what_is_no_moment_is_refused(cell: object) -> None:
    assert cells.moment(cell) == (None, cells.MOMENT)


def test_seconds_and_milliseconds_are_told_apart() -> None:
    at = datetime(2024, 7, 2, 14, tzinfo=UTC)
    for told in (at.timestamp(), at.timestamp() * 1000):
        assert cells.since_1970(told) == (at, "")
    for told in (20240702, True, float("inf"), -1, 1e20, "1719928800"):
        assert cells.since_1970(told)[0] is None


@pytest.mark.slow
def test_a_date_is_the_local_date_of_its_zone_in_every_zone() -> None:
    days = [date(2024, month, 5) for month in (1, 4, 7, 10)]
    for name in sorted(zoneinfo.available_timezones()):
        zone = zoneinfo.ZoneInfo(name)
        for unit, clock in (("ns", time(0)), ("us", time(9, 15)), ("s", time(23, 59))):
            told = [datetime.combine(day, clock, zone) for day in days]
            moments = [at.astimezone(UTC) for at in told]
            column = pa.chunked_array([pa.array([*moments, None], pa.timestamp(unit, tz=name))])
            found = typed(column, DAY)
            assert found.wrong is None and found.values.to_list() == [*days, None], name
            text = pa.chunked_array([[str(at) for at in told]])
            assert typed(text, DAY).values.to_list() == days, name


def test_a_fixed_offset_is_a_zone_and_an_unknown_one_is_refused() -> None:
    at = [datetime(2024, 7, 4, 18, 30, tzinfo=UTC)]
    for zone, day in (
        ("+05:30", date(2024, 7, 5)),
        ("-03:30", date(2024, 7, 4)),
        ("No/Where", None),
    ):
        found = typed(pa.chunked_array([pa.array(at, pa.timestamp("us", tz=zone))]), DAY)
        assert found.values.to_list() == [day] and (found.wrong is None) == (day is not None)


KINDS = (NUMBER, DAY, MOMENT, TEXT, SYMBOL)
ARROW = st.sampled_from(
    [pa.string(), pa.int64(), pa.float32(), pa.bool_(), pa.binary(), pa.date32(), pa.date64(),
     pa.timestamp("ns"), pa.timestamp("s", tz="UTC"), pa.timestamp("us", tz="+05:30"),
     pa.time64("us"), pa.duration("s"), pa.list_(pa.int32()), pa.decimal128(38, 3), pa.null(),
     pa.dictionary(pa.int8(), pa.string()), pa.struct([("a", pa.int8())])]
)  # fmt: skip


@given(st.data(), ARROW)
def test_columns_of_any_type_are_read_or_refused_row_by_row(data: Any, kind: pa.DataType) -> None:
    bits = data.draw(st.lists(st.integers(-(2**63), 2**63 - 1) | st.none(), max_size=4))
    try:
        column = pa.chunked_array([pa.array(bits, pa.int64()).cast(kind, safe=False)])
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError):
        column = pa.chunked_array([pa.nulls(len(bits), kind)])
    for wanted in KINDS:
        found = typed(column, wanted)
        assert len(found.values) == len(bits)
        wrong = found.wrong.to_list() if found.wrong is not None else [None] * len(bits)
        for cell, value, said in zip(
            column.is_null().to_pylist(), found.values, wrong, strict=True
        ):
            assert value is None or said is None
            assert not cell or (value is None and said is None)


@given(st.lists(st.text(max_size=8) | st.none(), max_size=6))
def test_a_column_says_what_its_cells_say(texts: list[str | None]) -> None:
    kept = [text and text.encode("utf-8", "replace").decode() for text in texts]
    column = pa.chunked_array([pa.array(kept, pa.string())])
    for kind, read in ((DAY, cells.day), (MOMENT, cells.moment), (SYMBOL, cells.symbol)):
        found = typed(column, kind)
        assert found.values.to_list() == [read(cell)[0] for cell in column.to_pylist()]


@pytest.mark.parametrize(
    ("told", "text"),
    [
        ("AT&amp;T <b>beats</b>\u200b estimates", "AT&T beats estimates"),
        ("one\ntwo\\nthree\u00a0four", "one two three four"),
        ("\ufeffCafe\u0301", "Caf\u00e9"),
        ("R&D &copy now, M&notify", "R&D &copy now, M&notify"),
        ("a < b > c", "a < b > c"),
        ("line<br/>next", "line next"),
        ("\u200b \u00a0", None),
    ],
)
def test_a_text_is_cleaned(told: str, text: str | None) -> None:
    assert cells.text(told) == (text, "")


@pytest.mark.parametrize("told", ["\u00a0aapl", "AAPL\u200b", "\ufeffAAPL", "aapl ", "\uff21APL"])
def test_a_symbol_with_what_nobody_sees_is_the_same_symbol(told: str) -> None:
    assert cells.symbol(told) == ("AAPL", "")


@pytest.mark.parametrize("told", ["AA\x00PL", "AA\ufffdPL", "\ud800", "A\x07"])
def test_what_cannot_be_kept_is_refused(told: str) -> None:
    value, wrong = cells.symbol(told)
    assert value is None and wrong


@pytest.mark.parametrize(("told", "name"), [(0, "0"), (7.0, "7"), (False, "False"), ("a1", "a1")])
def test_an_id_of_nothing_is_an_id(told: object, name: str) -> None:
    assert cells.identity(told) == (name, "")
    assert cells.identity(None) == cells.identity(float("nan")) == (None, "")


def test_dates_that_the_database_cannot_hold_are_refused() -> None:
    far = pa.chunked_array([pa.array([2**31 - 1, 0], pa.date32())])
    found = typed(far, DAY)
    assert found.values.to_list() == [None, date(1970, 1, 1)]
    assert isinstance(found.wrong, pl.Series) and found.wrong.to_list() == [cells.DAY, None]
