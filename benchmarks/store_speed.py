"""The store against bare COPY: appending a million bars, and reading as of a moment.

    python benchmarks/store_speed.py [--instruments 400] [--sessions 2500]

Runs on a scratch database of a server of its own and prints medians and ratios.
"""

import argparse
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "infra" / "local"))
import postgres as launcher

from contracts.database import copy
from contracts.store import Provenance, Store
from contracts.table import LOAD_ID, TIME, quoted
from contracts.tables import BARS

SIMULATED = Provenance("benchmark", "simulated", "simulated")
NOON = datetime(2030, 1, 1, tzinfo=UTC)
FIRST = np.datetime64("2014-01-01")


@contextmanager
def scratch() -> Iterator[Store]:
    """A migrated database on a server that lives as long as the block."""
    with TemporaryDirectory() as folder, launcher.running(Path(folder)) as url:
        launcher.create_database(url, "scratch")
        store = Store(url.rsplit("/", 1)[0] + "/scratch")
        store.migrate()
        yield store


def bars(instruments: int, sessions: int) -> pa.Table:
    """A random walk per instrument on every calendar day, as daily bars."""
    rows = instruments * sessions
    days = FIRST + np.arange(sessions)
    closes = np.tile(days.astype("datetime64[us]") + np.timedelta64(21, "h"), instruments)
    steps = np.random.default_rng(0).normal(0, 0.02, (instruments, sessions))
    close = 100 * np.exp(steps.cumsum(axis=1)).ravel()
    times = pa.array(closes).cast(TIME)
    columns = {
        "instrument_id": np.repeat([f"SIM{i:04d}" for i in range(instruments)], sessions),
        "interval": ["1d"] * rows,
        "session": np.tile(days, instruments),
        "start_time": pa.nulls(rows, TIME),
        "event_time": times,
        "source": ["simulated"] * rows,
        "open": close,
        "high": close * 1.01,
        "low": close * 0.99,
        "close": close,
        "volume": np.round(close * 1e4),
        "adjustment": ["none"] * rows,
        "known_at": times,
    }
    return BARS.check(pa.table(columns))


def seconds(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def bare(store: Store, frame: pa.Table) -> float:
    """COPY into an unlogged staging table and INSERT into an empty table of the same indexes."""
    names = ", ".join(quoted(BARS.names))
    with store.connect() as connection, connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS bare_target, bare_staging")
        cursor.execute(
            f"CREATE UNLOGGED TABLE bare_staging AS SELECT {names} FROM bars LIMIT 0; "
            "CREATE TABLE bare_target (LIKE bars INCLUDING ALL)"
        )

    def work() -> None:
        with store.connect() as connection, connection.cursor() as cursor:
            copy.into(connection, "bare_staging", frame)
            cursor.execute(
                f"INSERT INTO bare_target ({names}, {LOAD_ID}) SELECT {names}, 1 FROM bare_staging"
            )

    return seconds(work)


def warm(store: Store, where: dict[str, object]) -> tuple[int, float]:
    """Rows and the median milliseconds of 20 reads after three to warm up."""
    newest = store.snapshot()
    found = [store.read(BARS, NOON, newest, where) for _ in range(3)][-1]
    taken = [seconds(lambda: store.read(BARS, NOON, newest, where)) for _ in range(20)]
    return found.num_rows, 1000 * statistics.median(taken)


def main() -> None:
    """Print one line per measurement."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--instruments", type=int, default=400)
    parser.add_argument("--sessions", type=int, default=2500)
    chosen = parser.parse_args()
    frame = bars(chosen.instruments, chosen.sessions)
    with scratch() as store:
        base = bare(store, frame)
        print(f"{frame.num_rows:,} bars; bare COPY + INSERT {base:.1f} s")
        for name in ("append", "append of the same rows again"):
            taken = seconds(lambda: store.append(BARS, frame, SIMULATED))
            print(f"{name}: {taken:.1f} s, {taken / base:.2f} times the bare load")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(f"peak memory of this process: {peak:.2f} GiB")
        decade = {"instrument_id": "SIM0007", "session": (date(2014, 1, 1), date(2024, 1, 1))}
        for name, where in (
            ("one instrument, ten years", decade),
            ("all instruments, one session", {"session": date(2018, 3, 3)}),
        ):
            rows, taken = warm(store, {"interval": "1d", **where})
            print(f"{name}: {rows} rows in {taken:.1f} ms (median of 20, warm)")


if __name__ == "__main__":
    main()
