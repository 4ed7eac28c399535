"""What texts add to forecasts: views that differ in text alone, on the same folds and experts.

    python benchmarks/sentiment_worth.py <folder to keep> [--stocknet FOLDER] [--tweets 0]

Without --stocknet on the simulated market, in which tone moves returns by construction; with it,
on all of StockNet's stocks, and --tweets keeps the newest so many of each stock and day (0: all).
Facts are loaded into a server of their own, texts are read by the settings' text model, features
made as in production; what is kept in the folder is not done again. A gain is the mean by which a
loss is smaller with the richer view, per row, with a 95 % interval over sessions; where that holds
0 nothing is claimed. The encoder is younger than StockNet's tweets (DECISIONS 6).
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import numpy as np
import pyarrow.compute as pc
import typer

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "infra" / "local"))
import postgres as launcher
import stocknet_files

from contracts.champion import text_model as todays
from contracts.cut import Cut
from contracts.settings import settings
from contracts.store import Store
from contracts.tables import BARS
from contracts.universe import universe
from features.matrix.matrix import load_matrix
from features.target import target
from features.view import view
from training.evidence.decision import compare
from training.evidence.intervals import per_session, ratio
from training.evidence.walk import Learner, tested, walk
from training.expert import EXPERTS
from training.objective import OBJECTIVES, Forecasts
from training.samples.folds import WalkForward
from training.samples.samples import Samples, from_matrix
from training.steps import score_text
from training.text.named import named

NOW = datetime(2030, 1, 1, tzinfo=UTC)
# The richer view of a pair beside the one that it adds texts to.
PAIRS = {"class probabilities": ("textless_5", "daily_5"), "embeddings": ("daily_5", "daily_7")}
ASKED = (
    ("trend_1", "trend", "logistic"),
    ("trend_1", "trend", "reduced_logistic"),
    ("trend_1", "trend", "xgboost"),
    ("return_1", "return", "quantile_trees"),
    ("volatility_5", "volatility", "xgboost"),
    ("risk_1", "risk", "tail_xgboost"),
)


@contextmanager
def served(kept: Path, environment: dict[str, str]) -> Iterator[Store]:
    """A migrated database of the folder's own server, named by the settings."""
    # The password of a server that is kept is its own.
    kept.mkdir(parents=True, exist_ok=True)
    told = kept / "password"
    if not told.exists():
        told.write_text(launcher.new_password())
    launcher.new_password = told.read_text
    with launcher.running(kept, durable=False) as url:
        launcher.create_database(url, "worth")
        own = url.rsplit("/", 1)[0] + "/worth"
        os.environ |= {"FINPULSE_DATABASE_URL": own, "FINPULSE_HOME": str(kept / "home")}
        os.environ |= environment
        settings.cache_clear()
        store = Store(own)
        store.migrate()
        yield store


def loaded(store: Store) -> Cut:
    """The facts of the source, loaded unless they are there; all of their sessions."""
    if not store.snapshot():
        subprocess.run([sys.executable, "-m", "etl", "load", "--in-process"], check=True)
    found = store.read(BARS, NOW, store.snapshot(), columns=("session",))["session"]
    ends = pc.min_max(found).as_py()
    return Cut(universe(), ends["min"], ends["max"], store.snapshot())


def read(store: Store, cut: Cut) -> str:
    """Have each text read; the model's version."""
    name, labels = todays(store, settings().text_model), settings().text_labels
    scorer = named(name, name, labels)
    left = score_text.unscored(store, cut.end, cut.snapshot, scorer)
    for done in score_text.score(store, left, scorer, datetime.now(UTC)):
        typer.echo(f"{done} of {left.num_rows} texts read", err=True)
    return scorer.model_version


def samples_of(store: Store, cut: Cut, name: str, about: str, version: str) -> Samples:
    """The rows of a view with a target's truth."""
    found = load_matrix(store, cut, view(name), version, target(about), missing="write")
    return from_matrix(found, view(name).features).settled_by(cut.end)


def gain(poorer: Forecasts, richer: Forecasts, rows: Samples, overlap: int) -> str:
    """The cells of a row: the loss, both means, the gain with its interval, what may be claimed."""
    both = compare(richer, poorer, rows.truth, rows.sessions)
    _, sums, counts = per_session(both.champion - both.challenger, both.sessions)
    found = ratio(sums, counts, overlap)
    low, high = found.interval()
    claim = "none" if low <= 0 <= high else "better" if low > 0 else "worse"
    means = f"{both.champion.mean():.5f} | {both.challenger.mean():.5f}"
    return (
        f"{both.loss.name} | {means} | {found.value:+.5f} [{low:+.5f}, {high:+.5f}] | {claim} | "
        f"{len(both.champion):,} rows, {len(np.unique(both.sessions))} sessions"
    )


def main(
    kept: Annotated[Path, typer.Argument(help="folder of the server and what it holds")],
    stocknet: Annotated[Path | None, typer.Option(help="StockNet's folder")] = None,
    tweets: Annotated[int, typer.Option(help="newest of each stock and day; 0: all")] = 0,
    only: Annotated[list[str] | None, typer.Option(help="targets, repeatable; default all")] = None,
    rounds: Annotated[int, typer.Option(help="trees at most; 0: what each expert takes")] = 0,
    prepare: Annotated[bool, typer.Option("--prepare", help="load and read, no forecasts")] = False,
) -> None:
    """Print a row per target, expert and kind of text as it is found."""
    # The champion of text is who holds that office where facts are; here there is none.
    os.environ.setdefault("FINPULSE_TEXT_MODEL", "minilm")
    environment = {"FINPULSE_SOURCE": "simulated"}
    if stocknet:
        if not (kept / "files" / "bars.parquet").exists():
            stocknet_files.convert(stocknet, kept / "files", 0, tweets)
        environment = {"FINPULSE_SOURCE": "files", "FINPULSE_DATA": str(kept / "files")}
    with served(kept, environment) as store:
        cut = loaded(store)
        version = read(store, cut)
        if prepare:
            return
        typer.echo("| texts | target | expert | loss | without | with | gain | claim | |")
        typer.echo("|---|---|---|---|---|---|---|---|---|")
        for about, objective, expert in ASKED:
            if not only or about in only:
                fields = {"rounds": rounds} if rounds and "logistic" not in expert else {}
                learner = Learner(EXPERTS.get(expert)(**fields), OBJECTIVES.get(objective))
                rows_of(store, cut, learner, about, version)


def rows_of(store: Store, cut: Cut, learner: Learner, about: str, version: str) -> None:
    """Print what both kinds of text are worth to one expert on one target."""
    said = dict[str, Forecasts]()
    for name in dict.fromkeys(one for pair in PAIRS.values() for one in pair):
        samples = samples_of(store, cut, name, about, version)
        folds = WalkForward().split(samples)
        said[name] = walk(learner, samples, folds).forecasts
        rows = samples.take(tested(folds))
    for texts, (poorer, richer) in PAIRS.items():
        cells = gain(said[poorer], said[richer], rows, target(about).label.horizon)
        typer.echo(f"| {texts} | {about} | {learner.expert.name} | {cells} |")


if __name__ == "__main__":
    typer.run(main)
