"""The coverage report counts what the calendar asks for, and names each gap."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from contracts.settings import settings
from contracts.store import Store
from etl.batch.batch import Batch
from etl.load import append, collect
from etl.quality.clean import clean
from etl.quality.coverage import NotListed, coverage, newest

pytestmark = pytest.mark.integration

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)


def load(store: Store, source: str, first: date, last: date) -> None:
    batch = Batch(source, "test", first, last)
    collect(batch, settings(), NOW)
    clean(store, batch)
    append(store, batch)


def test_each_gap_is_named(store: Store, folder: Any) -> None:
    kept = [
        line
        for line in (folder.path / "bars.csv").read_text().splitlines()
        if not line.startswith(("AAA,2024-07-02", "AAA,2024-07-03"))
    ]
    (folder.path / "bars.csv").write_text("\n".join(kept) + "\n")
    load(store, "files", date(2024, 7, 1), date(2024, 7, 8))
    last = newest(store, "test", NOW)
    assert last == date(2024, 7, 8)
    one, two = coverage(store, "test", None, last, NOW)
    # 4 July is no session.
    assert (one.symbol, one.expected, one.gaps) == (
        "AAA",
        5,
        ((date(2024, 7, 2), date(2024, 7, 3), 2),),
    )
    assert (two.symbol, two.expected, two.missing) == ("BBB", 5, 0)
    late, _ = coverage(store, "test", date(2024, 7, 3), date(2024, 7, 5), NOW)
    assert (late.expected, late.missing) == (2, 1)


def test_halts_are_missing_and_what_follows_a_delisting_is_not(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FINPULSE_SIM_INSTRUMENTS", "16")
    settings.cache_clear()
    load(store, "simulated", date(2024, 3, 1), date(2024, 9, 30))
    first, last = date(2024, 3, 1), date(2024, 9, 30)
    found = {row.symbol: row for row in coverage(store, "test", first, last, NOW)}
    assert {name: row.gaps for name, row in found.items() if row.gaps} == {
        "SIM012": ((date(2024, 3, 11), date(2024, 3, 14), 4),)
    }
    assert found["SIM015"].calendar == "XNSE"
    assert found["SIM014"].expected == found["SIM013"].expected - 11


def test_an_unknown_universe_is_named(store: Store) -> None:
    with pytest.raises(NotListed, match="python -m etl load --universe nothing"):
        list(coverage(store, "nothing", None, date(2024, 7, 8), NOW))
