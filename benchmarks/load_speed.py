"""Loading a simulated market of growing size: each step apart, and whether it grows in a line.

    python benchmarks/load_speed.py [--sizes 100 200 400 1000] [--sessions 1000] [--no-spark]

Per size: collect, clean in process, clean in Spark, the gate (Great Expectations), append; each
in a scratch database of a server of its own. The last column is microseconds per bar of what a
load without Spark takes (clean in process + append). 1,000,000 bars are 1,000 x 1,000.
"""

import argparse
import os
import resource
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "infra" / "local"))
import postgres as launcher

from contracts.settings import Settings, settings
from contracts.store import Store
from contracts.universe import universe
from etl.batch.batch import Batch
from etl.load import append, collect
from etl.quality.clean import clean
from etl.quality.gate import check
from etl.quality.spark import spark_judge
from etl.source import SOURCES

STEPS = ("collect", "clean", "spark start", "spark clean", "gate", "append")


def measured(given: Settings, store: Store, home: Path, spark: bool) -> dict[str, float]:
    """Seconds of each step, and the bars that were appended."""
    now = datetime.now(UTC)
    batch = Batch(
        "simulated", "test", *SOURCES.get("simulated").extent(universe("", given), given, now)
    )
    found: dict[str, float] = {}

    def timed(name: str, work: Callable[[], object]) -> object:
        began = time.perf_counter()
        done = work()
        found[name] = time.perf_counter() - began
        return done

    timed("collect", lambda: collect(batch, given, now))
    timed("clean", lambda: clean(store, batch))
    if spark:
        began = time.perf_counter()
        with spark_judge(given.spark_master, given.objects) as judge:
            found["spark start"] = time.perf_counter() - began
            timed("spark clean", lambda: clean(store, batch, judge))
    timed("gate", lambda: check(store, batch, home))
    loads = timed("append", lambda: append(store, batch))
    assert isinstance(loads, dict)
    return found | {"bars": loads["bars"].added}


def main() -> None:
    """Print one row per size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 200, 400, 1000])
    parser.add_argument("--sessions", type=int, default=1000)
    parser.add_argument("--no-spark", action="store_true")
    chosen = parser.parse_args()
    print("|", " | ".join(("instruments", "bars", *STEPS, "us per bar")), "|")
    with TemporaryDirectory() as folder, launcher.running(Path(folder)) as url:
        os.environ["FINPULSE_HOME"] = f"{folder}/home"
        settings.cache_clear()
        for size in chosen.sizes:
            changed = {"sim_instruments": size, "sim_sessions": chosen.sessions}
            given = settings().model_copy(update=changed)
            launcher.create_database(url, f"size_{size}")
            store = Store(url.rsplit("/", 1)[0] + f"/size_{size}")
            store.migrate()
            found = measured(given, store, Path(folder), not chosen.no_spark)
            per_bar = 1e6 * (found["clean"] + found["append"]) / found["bars"]
            steps = [f"{found.get(step, float('nan')):.1f}" for step in STEPS]
            cells = [str(size), f"{found['bars']:,.0f}", *steps, f"{per_bar:.1f}"]
            print("|", " | ".join(cells), "|", flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"peak memory of this process: {peak:.2f} GiB")


if __name__ == "__main__":
    main()
