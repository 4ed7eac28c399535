"""One bad row is one bad row: what is told of an instrument, and what stops a load."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from contracts.settings import settings
from contracts.store import Store
from contracts.tables import ACTIONS, BARS
from contracts.time.calendar import last_sessions
from contracts.universe import universe
from etl.batch.batch import Batch
from etl.load import append, collect
from etl.quality.clean import clean
from etl.quality.findings import lines
from etl.quality.gate import GateError, check
from etl.source import SOURCES

pytestmark = pytest.mark.integration

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)


def whole(source: str = "files") -> Batch:
    return Batch(source, "test", *SOURCES.get(source).extent(universe(), settings(), NOW))


BAR = "{symbol},{day},{price},{price},{price},{price},900"


def written(folder: Any, symbols: int, sessions: int, *missing: tuple[int, range]) -> list[date]:
    """Bars anew: so many symbols S0, S1 ... over so many sessions, save the missing ones."""
    days = last_sessions("XNYS", date(2024, 12, 30), sessions)
    (folder.path / "actions.csv").write_text("symbol,ex_date,kind,value\n")
    (folder.path / "headlines.jsonl").write_text("")
    (folder.path / "bars.csv").write_text("symbol,session,open,high,low,close,volume\n")
    for n in range(symbols):
        gone = {place for symbol, places in missing if symbol == n for place in places}
        for place, day in enumerate(days):
            if place not in gone:
                price = 20 + n + place % 3
                folder.add("bars.csv", BAR.format(symbol=f"S{n}", day=day, price=price))
    return list(days)


def through(store: Store, home: Path, batch: Batch, now: datetime = NOW) -> list[str]:
    """Load a batch, gate included; what was told."""
    collect(batch, settings(), now)
    clean(store, batch)
    check(store, batch, home)
    append(store, batch)
    return lines(store, batch)


def count(store: Store) -> int:
    return store.read(BARS, NOW, 1 << 40, {}, ("session",)).num_rows


@pytest.mark.parametrize("symbols", [1, 2, 8])
def test_a_suspended_symbol_is_told_and_loads(
    store: Store, folder: Any, tmp_path: Path, symbols: int
) -> None:
    days = written(folder, symbols, 30, (0, range(8, 18)))
    told = through(store, tmp_path, whole())
    assert count(store) == 30 * symbols - 10
    assert told == [
        "1 bars, loaded all the same: no bar for more than 5 sessions: 10 since "
        f"{days[7]}; first: S0 {days[18]}"
    ]


def test_a_suspended_symbol_never_stops_a_load_by_sessions(
    store: Store, folder: Any, tmp_path: Path
) -> None:
    days = written(folder, 2, 12, (0, range(2, 10)))
    told = [through(store, tmp_path, Batch("files", "test", day, day)) for day in days]
    assert count(store) == 24 - 8
    assert [at for at, said in enumerate(told) if said] == [10]


@pytest.mark.parametrize("symbols", [1, 3, 7])
def test_refused_rows_of_one_symbol_stop_nothing(
    store: Store, folder: Any, tmp_path: Path, symbols: int
) -> None:
    days = written(folder, symbols, 12, (0, range(1, 10)))
    for day in days[1:10]:
        folder.add("bars.csv", f"S0,{day},20,20,20,-,900")
    told = through(store, tmp_path, whole())
    assert count(store) == 12 * symbols - 9
    [line] = told
    assert line.startswith("9 bars refused: close is not a number; first: {")
    assert str(days[1]) in line


def test_a_gate_without_bars_says_why_they_were_refused(
    store: Store, folder: Any, tmp_path: Path
) -> None:
    [day] = written(folder, 2, 1, (0, range(1)), (1, range(1)))
    folder.add("bars.csv", f"S0,{day},1,2,1,-1,5", f"S1,{day},1,2,1,0,5")
    batch = Batch("files", "test", day, day)
    folder.add("bars.csv", BAR.format(symbol="S2", day=date(2024, 12, 27), price=5))
    with pytest.raises(GateError) as failed:
        through(store, tmp_path, batch)
    said = str(failed.value)
    assert "bars: there are bars (found 0)" in said
    assert f"2 bars refused of 2 instruments: price is not positive; first: S0 {day}" in said
    [page] = tmp_path.glob("data_docs/*/index.html")
    assert "2 bars refused of 2 instruments: price is not positive" in page.read_text()


def test_an_outage_stops_a_load_at_once_and_by_sessions(
    store: Store, folder: Any, tmp_path: Path
) -> None:
    gone = [(symbol, range(2, 3)) for symbol in range(4)]
    days = written(folder, 7, 5, *gone)
    with pytest.raises(GateError, match="at least half of the instruments"):
        through(store, tmp_path, whole())
    for day in days[:2]:
        assert through(store, tmp_path, Batch("files", "test", day, day)) == []
    with pytest.raises(GateError, match="at least half of the instruments"):
        through(store, tmp_path, Batch("files", "test", days[2], days[2]))


def test_a_withdrawn_dividend_is_a_new_version(store: Store, folder: Any, tmp_path: Path) -> None:
    through(store, tmp_path, whole())
    folder.path.joinpath("actions.csv").write_text(
        "symbol,ex_date,kind,value,withdrawn\nAAA,2024-07-03,dividend,0.25,true\n"
    )
    later = datetime(2026, 1, 3, 12, tzinfo=UTC)
    for _ in range(2):
        through(store, tmp_path, whole(), later)
    assert store.versions(ACTIONS, later, 99)["value"].to_pylist() == [0.25, 0.0]
    for at, value in ((NOW, 0.25), (later, 0.0)):
        assert store.read(ACTIONS, at, 99)["value"].to_pylist() == [value]
