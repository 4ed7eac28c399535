"""The verbs beside the daily path, as they are typed."""

from datetime import UTC, datetime
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from contracts.settings import settings
from contracts.store import Store
from contracts.universe import universe
from etl.__main__ import app
from etl.batch.batch import Batch
from etl.load import append, collect
from etl.quality.clean import clean
from etl.source import SOURCES

pytestmark = pytest.mark.integration

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)


def typed(*words: str) -> Result:
    return CliRunner().invoke(app, words)


@pytest.fixture
def refused(store: Store, folder: Any) -> Store:
    """The sound folder, and a bar of it whose volume nobody can read."""
    text = (folder.path / "bars.csv").read_text().splitlines()
    broken = [line.replace("900", "nine") if "BBB,2024-07-05" in line else line for line in text]
    (folder.path / "bars.csv").write_text("\n".join(broken) + "\n")
    batch = Batch("files", "files", *SOURCES.get("files").extent(universe(), settings(), NOW))
    collect(batch, settings(), NOW)
    clean(store, batch)
    append(store, batch)
    return store


def test_a_refused_bar_is_missing_until_it_is_mended(refused: Store) -> None:
    lines = typed("coverage").stdout.splitlines()
    assert lines[1:] == [
        "BBB        XNYS   4 of 5 sessions",
        "  missing 2024-07-05 to 2024-07-05 (1 sessions)",
        "1 of 10 sessions missing up to 2024-07-08",
    ]
    assert typed("redrive").stdout.splitlines() == [
        "bars: 0 added, 0 there, 1 refused",
        "  1 volume is not a number: nine",
        "0 rows added",
    ]
    mend = typed("redrive", "--table", "bars", "--set", "volume=900")
    assert mend.stdout.splitlines()[-1] == "1 rows added"
    assert typed("coverage").stdout.splitlines()[-1] == "0 of 10 sessions missing up to 2024-07-08"
    late = typed("coverage", "--first", "2024-07-05", "--last", "2024-07-08")
    assert late.stdout.splitlines()[-1] == "0 of 4 sessions missing up to 2024-07-08"


def test_a_mend_without_a_value_is_refused(refused: Store) -> None:
    assert typed("redrive", "--set", "volume").exit_code == 2
    assert typed("coverage", "--first", "tomorrow").exit_code == 2


def test_a_replay_prints_what_it_added(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINPULSE_SIM_INSTRUMENTS", "2")
    settings.cache_clear()
    first, again = (typed("replay", "--session", "2025-06-30") for _ in range(2))
    assert first.stdout == f"780 minute bars added at snapshot {store.snapshot()}\n"
    assert again.stdout == f"0 minute bars added at snapshot {store.snapshot()}\n"
