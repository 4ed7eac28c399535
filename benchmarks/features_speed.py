"""The feature engine against its peers: 99 rolling features, all engines in one run.

    python benchmarks/features_speed.py [--engines ours numba polars] [--instruments 500]
        [--sessions 2500] [--repeats 5] [--brief]

Every round starts two processes per engine, one after the other; of the second it takes the first
run (fresh: importing the engine, loading compiled code and computing; for Spark its start too) and
the run after it (hot), both from the Parquet file to the finished table in memory; Spark's rows
stay in Spark. The table shows medians over the rounds. Before that all engines' values are compared
with ours. qlib gets an environment of its own in .finpulse/benchmarks, made when it is first
needed, and its own binary files, which are not timed. `--brief` leaves out memory, linearity and
the newest session.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
import venv
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from features_peers import NAMES
from features_qlib import write_bars

HERE = Path(__file__).resolve().parent
QLIB, QLIB_VERSION = Path(".finpulse/benchmarks/qlib"), "0.9.7"
ENGINES = (
    *("ours", "ours-one-thread", "numba", "polars", "pandas", "qlib-1", "qlib-2"),
    *("spark-ours", "spark-polars"),
)
# Ours leaves the exponential means null until their window is full.
_WARMED = ("MACD", "MACDS", "MACDH")


def bars(instruments: int, sessions: int) -> pa.Table:
    """Random walks on business days. Prices have float32's digits, which is what qlib stores."""
    draw = np.random.default_rng(0)
    shape = (instruments, sessions)
    close = 100 * np.exp(draw.normal(0.0002, 0.02, shape).cumsum(axis=1)).ravel()
    open_ = close * np.exp(draw.normal(0, 0.005, close.size))
    high = np.maximum(open_, close) * np.exp(np.abs(draw.normal(0, 0.005, close.size)))
    low = np.minimum(open_, close) * np.exp(-np.abs(draw.normal(0, 0.005, close.size)))
    prices = {"open": open_, "high": high, "low": low, "close": close}
    columns = {name: x.astype(np.float32).astype(float) for name, x in prices.items()}
    columns["volume"] = draw.integers(1_000, 1_000_000, close.size).astype(float)
    days = np.busday_offset("2015-01-01", np.arange(sessions), roll="forward")
    symbols = [f"SIM{k:04}" for k in range(instruments)]
    codes = pa.array(np.repeat(np.arange(instruments, dtype=np.int32), sessions))
    keys = {"symbol": pa.DictionaryArray.from_arrays(codes, pa.array(symbols))}
    return pa.table(keys | {"date": pa.array(np.tile(days, instruments))} | columns)


def write(folder: Path, name: str, instruments: int, sessions: int) -> Path:
    """The bars as `<name>.parquet`, and in the folder `<name>` as qlib reads them."""
    table = bars(instruments, sessions)
    path = folder / f"{name}.parquet"
    pq.write_table(table, path)
    days = [str(day) for day in table["date"][:sessions].to_pylist()]
    numbers = {name: table[name].to_numpy() for name in table.column_names[2:]}
    write_bars(folder / name, table["symbol"].unique().to_pylist(), days, numbers)
    return path


def ask(verb: str, engine: str, path: Path, *more: str) -> dict[str, float]:
    """The answer of a new process."""
    if engine.startswith("qlib-"):
        python, script = _qlib(), "features_qlib.py"
        about = [str(path.with_suffix("")), engine.removeprefix("qlib-"), *more]
        about += [",".join(NAMES)] if verb == "save" else []
    else:
        python, script = Path(sys.executable), "features_engines.py"
        about = [engine, str(path), *more]
    command = [str(python), str(HERE / script), verb, *about]
    started = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    said, complaint = started.communicate()
    _wait_for_all_of(started.pid)
    if started.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{complaint[-3000:]}")
    answer: dict[str, float] = json.loads(said.splitlines()[-1])
    return answer


def _wait_for_all_of(group: int) -> None:
    # Spark's JVM outlives its Python process by a second or two, beside the next engine's run.
    with suppress(ProcessLookupError):
        while True:
            os.killpg(group, 0)
            time.sleep(0.05)


def _qlib() -> Path:
    python = QLIB / "bin" / "python"
    if not (QLIB / ".ready").exists():
        print(f"installing pyqlib {QLIB_VERSION} into {QLIB}", flush=True)
        venv.create(QLIB, with_pip=True, clear=True)
        pip = [str(python), "-m", "pip", "install", "-q", f"pyqlib=={QLIB_VERSION}"]
        subprocess.run(pip, check=True)
        (QLIB / ".ready").touch()
    return python.absolute()


def compare(engines: list[str], path: Path, folder: Path) -> None:
    """Print how far each engine's values are from ours; raises when they differ in substance."""
    found = {}
    for engine in ["ours", *(e for e in engines if e in {"numba", "polars", "pandas", "qlib-1"})]:
        file = folder / f"{engine}.npz"
        ask("save", engine, path, str(file))
        found[engine] = np.load(file)
    mine = found.pop("ours")
    for engine, theirs in found.items():
        worst, where = 0.0, ""
        for name in NAMES:
            one, other = mine[name], theirs[name]
            both = ~np.isnan(one)
            assert not np.isnan(other[both]).any(), f"{engine} lacks values of {name}"
            if engine != "qlib-1" and name not in _WARMED:  # qlib fills short windows
                np.testing.assert_array_equal(np.isnan(other), ~both, f"{engine} {name}")
            apart = np.abs(one - other)[both] / np.maximum(1.0, np.abs(other[both]))
            if apart.max() > worst:
                worst, where = float(apart.max()), name
        print(f"{engine:<18} differs from ours by at most {worst:.1e} ({where})", flush=True)
        assert worst < (1e-2 if engine == "qlib-1" else 1e-7), engine


def rounds(engines: list[str], path: Path, repeats: int) -> dict[str, dict[str, float]]:
    """Median seconds per engine; engines alternate, and each follows itself: the process before
    the one that counts leaves its memory behind, which is slow to touch when it has rested."""
    taken: dict[str, list[dict[str, float]]] = {engine: [] for engine in engines}
    for _ in range(repeats):
        for engine in engines:
            ask("once", engine, path)
            taken[engine].append(ask("speed", engine, path))
    return {
        engine: {kind: statistics.median(run[kind] for run in runs) for kind in ("fresh", "hot")}
        for engine, runs in taken.items()
    }


def show(medians: dict[str, dict[str, float]]) -> None:
    """The table, with each engine's time over ours."""
    ours = medians.get("ours", next(iter(medians.values())))
    print(
        "\n| engine | fresh, s | hot, s | fresh over ours | hot over ours |\n|---|---|---|---|---|"
    )
    for engine, found in medians.items():
        ratios = (f"{found[kind] / ours[kind]:.2f}" for kind in ("fresh", "hot"))
        seconds = (f"{found[kind]:.2f}" for kind in ("fresh", "hot"))
        print("|", " | ".join((engine, *seconds, *ratios)), "|")


def details(folder: Path, path: Path, repeats: int) -> None:
    """Memory, linearity, and one new session."""
    used = ask("memory", "ours", path)
    size = f"{used['output'] / 1e6:.0f} MB"
    print(
        f"\npeak memory above the imported process: {used['above']:.2f} times the output ({size})"
    )
    hot = {}
    for count in (100, 1000):
        grown = write(folder, f"bars{count}", count, 2500)
        hot[count] = rounds(["ours"], grown, repeats)["ours"]["hot"]
    print(f"hot, 100 instruments {hot[100]:.2f} s, 1,000 instruments {hot[1000]:.2f} s")
    for rows in (250, 450):
        found = ask("newest", "ours", write(folder, f"newest{rows}", 500, rows))
        line = ", ".join(f"{name} {value:.2f} ms" for name, value in found.items())
        print(f"one new session from the last {rows} rows: {line}")


def main() -> None:
    """Compare, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=ENGINES, metavar="NAME")
    parser.add_argument("--instruments", type=int, default=500)
    parser.add_argument("--sessions", type=int, default=2500)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--brief", action="store_true")
    chosen = parser.parse_args()
    with TemporaryDirectory() as name:
        folder = Path(name)
        small = write(folder, "small", 4, 500)
        for engine in ("ours", "numba"):
            ask("speed", engine, small)  # compiles
        compare(list(chosen.engines), write(folder, "check", 10, 1500), folder)
        path = write(folder, "bars", chosen.instruments, chosen.sessions)
        show(rounds(list(chosen.engines), path, chosen.repeats))
        if not chosen.brief:
            details(folder, path, chosen.repeats)


if __name__ == "__main__":
    main()
