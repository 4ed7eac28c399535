"""Loading a folder of 1,000,000 bars, from CSV and from Parquet: each step apart.

    python benchmarks/files_speed.py [--instruments 500] [--sessions 2000]

Collect, clean in this process, append; each format in a scratch database of a server of its own.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import numpy as np
import polars as pl

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "infra" / "local"))
import postgres as launcher

from contracts.settings import settings
from contracts.store import Store
from contracts.time.calendar import sessions
from etl.batch.batch import Batch
from etl.load import append, collect
from etl.quality.clean import clean
from etl.source import SOURCES

T = TypeVar("T")


def bars(instruments: int, count: int) -> pl.DataFrame:
    """Random walks of that many instruments over the newest sessions up to 2024."""
    days = sessions("XNYS", date(2000, 1, 1), date(2024, 12, 31))[-count:]
    draw = np.random.default_rng(7)
    close = 100 * np.exp(np.cumsum(draw.normal(0, 0.01, (instruments, len(days))), axis=1)).ravel()
    names = np.repeat([f"SYM{number:04d}" for number in range(instruments)], len(days))
    return pl.DataFrame({"symbol": names, "session": days * instruments}).with_columns(
        open=pl.Series(close.round(4)),
        high=pl.Series((close * 1.01).round(4)),
        low=pl.Series((close * 0.99).round(4)),
        close=pl.Series(close.round(4)),
        volume=pl.Series(draw.integers(1_000, 1_000_000, close.size)),
    )


def measured(store: Store) -> dict[str, float]:
    """Seconds of each step, and the bars that were appended."""
    now = datetime.now(UTC)
    given = settings()
    found: dict[str, float] = {}
    reach = SOURCES.get("files").extent

    def timed(name: str, work: Callable[[], T]) -> T:
        began = time.perf_counter()
        done = work()
        found[name] = time.perf_counter() - began
        return done

    batch = timed("extent", lambda: Batch("files", "test", *reach(given, now)))
    timed("collect", lambda: collect(batch, given, now))
    timed("clean", lambda: clean(store, batch))
    done = timed("append", lambda: append(store, batch))
    return found | {"bars": done["bars"].added}


def main() -> None:
    """Print one row per format."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--instruments", type=int, default=500)
    parser.add_argument("--sessions", type=int, default=2000)
    chosen = parser.parse_args()
    frame = bars(chosen.instruments, chosen.sessions)
    with TemporaryDirectory() as folder, launcher.running(Path(folder) / "pg") as url:
        for kind in ("csv", "parquet"):
            home = Path(folder) / kind
            (home / "data").mkdir(parents=True)
            if kind == "csv":
                frame.write_csv(home / "data" / "bars.csv")
            else:
                frame.write_parquet(home / "data" / "bars.parquet")
            os.environ |= {"FINPULSE_HOME": str(home), "FINPULSE_DATA": str(home / "data")}
            settings.cache_clear()
            launcher.create_database(url, kind)
            store = Store(url.rsplit("/", 1)[0] + f"/{kind}")
            store.migrate()
            steps = measured(store)
            whole = sum(value for name, value in steps.items() if name != "bars")
            cells = [f"{name} {value:,.1f}" for name, value in steps.items()]
            print(kind, *cells, f"whole {whole:.1f} s", sep=" | ", flush=True)


if __name__ == "__main__":
    main()
