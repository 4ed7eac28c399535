"""A folder in the layout of `files`, and ways to ask sources and judge what they deliver."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "fixtures"))

from nasdaq_server import feeds  # noqa: F401
from yahoo_server import serve  # noqa: F401

from contracts.settings import Settings, settings
from contracts.universe import universe
from etl.batch.batch import Batch, manifest
from etl.load import collect
from etl.quality.clean import judged
from etl.source import SOURCES, Request

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)
DAYS = (date(2024, 7, 1), date(2024, 7, 2), date(2024, 7, 3), date(2024, 7, 5), date(2024, 7, 8))


@dataclass(frozen=True)
class Folder:
    """A folder of two symbols over five sessions, with a dividend and three headlines."""

    path: Path

    def add(self, name: str, *lines: str | bytes) -> None:
        """Append lines to a file of the folder."""
        with (self.path / name).open("ab") as file:
            for line in lines:
                file.write((line.encode() if isinstance(line, str) else line) + b"\n")

    def tell(self, **headline: Any) -> None:
        """Append a headline."""
        self.add("headlines.jsonl", json.dumps(headline))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    """A sound folder that the settings name."""
    made = Folder(tmp_path / "facts")
    made.path.mkdir()
    made.add("bars.csv", "symbol,session,open,high,low,close,volume")
    for symbol, price in (("AAA", 10.0), ("BBB", 50.0)):
        for i, day in enumerate(DAYS):
            made.add(
                "bars.csv", f"{symbol},{day},{price + i},{price + i + 2},{price - 1},{price},900"
            )
    made.add("actions.csv", "symbol,ex_date,kind,value", "AAA,2024-07-03,dividend,0.25")
    told = (
        ("a", "2024-07-01T14:00:00Z", ["AAA"]),
        ("b", "2024-07-03T21:00:00+02:00", ["AAA", "BBB"]),
    )
    for name, at, symbols in (*told, ("c", "2024-07-05T23:00:00Z", [])):
        made.tell(id=name, published_at=at, text=f"News {name} é", symbols=symbols)
    monkeypatch.setenv("FINPULSE_DATA", str(made.path))
    monkeypatch.setenv("FINPULSE_SOURCE", "files")
    settings.cache_clear()
    return made


@pytest.fixture
def small() -> Settings:
    """A simulated market of four instruments over eighty sessions."""
    return settings().model_copy(update={"sim_instruments": 4, "sim_sessions": 80})


Ask = Callable[..., dict[str, pa.Table]]


@pytest.fixture
def ask() -> Ask:
    """Ask a source for a range (default: its extent); returns one frame per table."""

    def asked(
        source: str, given: Settings, first: date | None = None, last: date | None = None
    ) -> dict[str, pa.Table]:
        begin, end = SOURCES.get(source).extent(universe("", given), given, NOW)
        request = Request(universe("test", given), first or begin, last or end, NOW, given)
        frames: dict[str, list[pa.Table]] = {}
        for table, frame in SOURCES.get(source).frames(request):
            frames.setdefault(table, []).append(frame)
        return {table: pa.concat_tables(parts) for table, parts in frames.items()}

    return asked


@dataclass(frozen=True)
class Judged:
    """Good rows and refused rows by table."""

    good: dict[str, list[dict[str, Any]]]
    refused: dict[str, list[dict[str, Any]]]

    @property
    def reasons(self) -> list[str]:
        """The reasons of all refused rows, sorted."""
        return sorted(row["reason"] for rows in self.refused.values() for row in rows)


@pytest.fixture
def load_raw() -> Callable[..., Judged]:
    """Collect a batch and judge it in this process, without a database."""

    def loaded(source: str, given: Settings | None = None, last: date | None = None) -> Judged:
        given = given or settings()
        begin, end = SOURCES.get(source).extent(universe("", given), given, NOW)
        batch = Batch(source, "test", begin, last or end)
        collect(batch, given, NOW)
        tables = {name: (good, bad) for name, good, bad in judged(manifest(batch))}
        return Judged(
            {name: good.to_pylist() for name, (good, _) in tables.items()},
            {name: bad.to_pylist() for name, (_, bad) in tables.items()},
        )

    return loaded
