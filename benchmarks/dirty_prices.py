"""What a load says of daily price files with known faults, of their repaired twins and clean ones.

    python benchmarks/dirty_prices.py <folder of data sets>

Reads `yahoo_dirty_prices/*-1d-*.csv` (Yahoo's daily answers: prices and dividends divided by
later splits), lays each file out as docs/files_layout.md says, and puts it through the rules as a
load does. Per file: what is implausible, by reason (empty cells are left out). `-fixed` and
`no-bad` files are to be quiet. The lines at the end count the faulty files that are told of, and
the sound ones that are.
"""

import argparse
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from contracts.settings import Settings, settings
from contracts.universe import universe
from etl.batch.batch import Batch, manifest
from etl.load import collect
from etl.plausible.plausible import PLAUSIBLE
from etl.quality.clean import judged
from etl.rules import REASON
from etl.source import SOURCES

_CALENDARS = {"HK": "XHKG", "T": "24/7", "L": "XLON", "IL": "XLON", "DE": "XFRA", "PA": "XPAR"}
_CALENDARS |= {"AX": "XASX", "MI": "XMIL", "MC": "XMAD", "V": "XTSE", "TO": "XTSE", "ST": "XSTO"}
_CALENDARS |= {"TA": "24/7", "": "XNYS"}
_NAMES = {"Open": "open", "High": "high", "Low": "low", "Close": "close", "Volume": "volume"}


def laid_out(path: Path, target: Path) -> None:
    """The file as a folder of the source `files`."""
    symbol = path.name.split("-1d-")[0]
    frame = pl.read_csv(path, infer_schema=False).rename(lambda name: name.strip())
    days = frame.select(
        pl.lit(symbol).alias("symbol"),
        pl.col(frame.columns[0]).str.slice(0, 10).alias("session"),
        *(pl.col(name).cast(pl.Float64).alias(called) for name, called in _NAMES.items()),
        pl.col("Dividends").cast(pl.Float64).alias("dividend"),
        pl.col("Stock Splits").cast(pl.Float64).alias("split"),
        pl.lit("split").alias("adjustment"),
    ).sort("session")
    days.drop("dividend", "split").write_csv(target / "bars.csv")
    actions = [
        days.filter(pl.col(kind) > 0).select(
            "symbol",
            pl.col("session").alias("ex_date"),
            pl.lit(kind).alias("kind"),
            pl.col(kind).alias("value"),
            pl.lit("split").alias("adjustment"),
        )
        for kind in ("dividend", "split")
    ]
    pl.concat(actions).write_csv(target / "actions.csv")
    ending = symbol.split("-")[1] if "-" in symbol else ""
    listed = f"symbol,calendar\n{symbol},{_CALENDARS[ending]}\n"
    (target / "instruments.csv").write_text(listed)


def said(given: Settings) -> Counter[str]:
    """What is told of the folder of those settings, by table and reason."""
    now = datetime.now(UTC)
    batch = Batch("files", "dirty", *SOURCES.get("files").extent(universe("", given), given, now))
    collect(batch, given, now)
    found: list[pl.DataFrame] = []
    count = Counter[str]()
    for table, _, refused in judged(manifest(batch), told=found):
        reasons = [why for why in refused[REASON].to_pylist() if why in PLAUSIBLE]
        count.update(f"{table} refused: {why}" for why in reasons)
    for frame in found:
        count.update(f"{table} told: {why}" for table, _, _, why in frame.iter_rows())
    return count


def main() -> None:
    """Print one row per file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    files = sorted((parser.parse_args().data / "yahoo_dirty_prices").glob("*-1d-*.csv"))
    told = {True: [0, 0], False: [0, 0]}
    print("| file | told |\n|---|---|")
    for path in files:
        with TemporaryDirectory() as scratch:
            laid_out(path, Path(scratch))
            changed = {"data": Path(scratch), "source": "files", "objects": f"file://{scratch}/o"}
            count = said(settings().model_copy(update=changed))
        sound = path.stem.endswith("-fixed") or "no-bad" in path.stem
        told[sound][0] += bool(count)
        told[sound][1] += 1
        listed = "; ".join(f"{rows} {why}" for why, rows in count.most_common()) or "nothing"
        print(f"| {path.stem} | {listed} |", flush=True)
    print(f"\nof {told[False][1]} faulty files {told[False][0]} are told")
    print(f"of {told[True][1]} repaired and clean files {told[True][0]} are told")


if __name__ == "__main__":
    main()
