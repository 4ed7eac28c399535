"""Declarations give sound schemas, and frames that do not fit are refused."""

import pyarrow as pa
import pytest

from contracts.table import FrameError
from contracts.tables import HEADLINE_SYMBOLS, SYMBOLS, TABLES


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_every_declaration_is_sound(table) -> None:  # type: ignore[no-untyped-def]
    assert len(set(table.names)) == len(table.names)
    assert set(table.key) <= set(table.names)
    # A value may be of no instrument.
    open_key = {c.name for c in table.columns if c.name in table.key and c.null}
    assert open_key == ({"instrument_id"} if table.name == "observations" else set())
    assert ("known_at" in table.names) == (table.kind == "fact")
    # The number that the database draws is no column of a frame.
    for index in table.indexes:
        assert set(index) <= {*table.names, *(["number"] if table.numbered else [])}


def frame(**columns: list[object]) -> pa.Table:
    base: dict[str, list[object]] = {"symbol": ["A"], "instrument_id": ["A"], "valid_to": [None]}
    times = {"valid_from": ["2020-01-01"], "known_at": ["2020-01-01T00:00:00Z"]}
    return pa.table(base | times | columns).drop_columns([])


def test_a_frame_is_ordered_and_cast() -> None:
    checked = SYMBOLS.check(frame())
    assert checked.schema == SYMBOLS.schema


def test_missing_surplus_and_null_columns_are_named() -> None:
    with pytest.raises(FrameError, match=r"symbols: missing columns \['symbol'\]"):
        SYMBOLS.check(frame().drop_columns(["symbol"]))
    with pytest.raises(FrameError, match=r"unexpected \['extra'\]"):
        SYMBOLS.check(frame(extra=[1]))
    with pytest.raises(FrameError, match="instrument_id holds nulls"):
        SYMBOLS.check(frame(instrument_id=pa.array([None], pa.string())))  # type: ignore[arg-type]
    with pytest.raises(FrameError, match="does not fit"):
        SYMBOLS.check(frame(valid_from=["no date"]))


def test_values_are_what_makes_versions_differ() -> None:
    assert SYMBOLS.values == ("instrument_id", "valid_to")
    assert HEADLINE_SYMBOLS.values == ("event_time",)
