"""Seconds that the daily forecasts of all targets take, from new bars to what `/explain` reads.

    python benchmarks/daily_forecasts.py [--stocks 430] [--wide]

A simulated market in a database of its own; champions are the ensembles of `make demo`'s recipes,
fitted on its newest sessions without tuning or contest, `--wide` with the network of the recipe
`return` as wide as it is declared. Then one session more: per target the features of its view
where no target before had the same, forecasts and what they rest on, as `serving predict` records
them. The last line is that verb for the session after, in a process of its own.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
import typer

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "infra" / "local"))

import postgres
from load_speed import measured
from rich.console import Console
from rich.table import Table
from stagewise import Stages

from contracts.champion import PROMOTED, Champion, model_name
from contracts.cut import Cut
from contracts.settings import Settings, settings
from contracts.store import Store
from contracts.tables import PREDICTIONS, PROMOTIONS, SENTIMENTS
from contracts.universe import universe
from features.matrix.matrix import load_matrix
from serving import batch
from training.bundle import bundle
from training.bundle.bundle import Bundle
from training.bundle.inputs import answers_of, beside
from training.bundle.models.together import Together
from training.calibration import CALIBRATIONS
from training.ensemble import ENSEMBLES
from training.expert import EXPERTS
from training.recipe import RECIPES, Recipe, recipe, waves
from training.run.scope import Scope, text_model_today
from training.samples.samples import Samples
from training.steps.packing import manifest_of, save

ROOT = Path(__file__).resolve().parents[1]
LEARNT = 60  # sessions


@dataclass(frozen=True)
class Market:
    """A loaded market, its sessions, and the bundles of recipes by name."""

    store: Store
    sessions: list[date]
    snapshot: int
    bundles: dict[str, Bundle]

    def cut(self, place: int, back: int = 1) -> Cut:
        """Sessions up to the one in that place."""
        last = self.sessions[place]
        return Cut.at(universe("", settings()), last, self.snapshot).back(back)


def loaded(folder: Path, url: str, stocks: int, sessions: int) -> Market:
    """A simulated market in the store, its texts scored by a draw."""
    given = {"HOME": str(folder / "home"), "DATABASE_URL": url, "UNIVERSE": "test"}
    given |= {"SIM_INSTRUMENTS": str(stocks), "SIM_SESSIONS": str(sessions)}
    os.environ |= {f"FINPULSE_{name}": value for name, value in given.items()}
    settings.cache_clear()
    known: Settings = settings()
    store = Store(url)
    store.migrate()
    measured(known, store, folder, spark=False)
    days = store.query("SELECT DISTINCT session FROM bars ORDER BY session")["session"].to_pylist()
    found = Market(store, days, store.snapshot(), {})
    _score(store)
    return found


def _score(store: Store) -> None:
    from features.view import view

    texts = store.query("SELECT DISTINCT text_hash FROM headlines")["text_hash"].to_pylist()
    chances = np.random.default_rng(7).dirichlet(np.ones(3), len(texts)).astype(np.float32)
    version = text_model_today(store, view("daily_3"))
    named = {"text_hash": texts, "model_version": [version] * len(texts)}
    drawn = dict(zip(("p_negative", "p_neutral", "p_positive"), chances.T, strict=True))
    when = {"scored_at": [datetime.now(UTC)] * len(texts)}
    store.record(SENTIMENTS, pa.table({**named, **drawn, **when}, schema=SENTIMENTS.schema))


def fitted(market: Market, chosen: Recipe) -> Bundle:
    """The recipe's ensemble, fitted on LEARNT sessions up to the third newest."""
    cut = market.cut(-3, LEARNT)
    own = Scope(cut, replace(chosen, parts={}), 0, "")
    own = replace(own, text_model=text_model_today(market.store, own.view))
    load_matrix(market.store, cut, own.view, own.text_model, missing="write")
    pinned = {name: market.bundles[part.recipe].hash for name, part in chosen.parts.items()}
    said = [answers_of(market.store, cut, name, part) for name, part in pinned.items()]
    heard = None
    for one in said:
        heard = one if heard is None else beside(heard, one, "inner")
    samples = own.training(market.store, heard)
    files, window = _files(chosen, own, samples)
    libraries = {name for expert in chosen.experts for name in EXPERTS.get(expert).libraries}
    manifest = manifest_of(own, chosen.ensemble, samples.features, sorted(libraries))
    later = manifest.as_of + timedelta(minutes=1)
    return save(replace(manifest, window=window, parts=pinned, as_of=later), files, samples)


def _files(chosen: Recipe, own: Scope, samples: Samples) -> tuple[dict[str, bytes], int]:
    objective, ensemble = own.objective, ENSEMBLES.get(chosen.ensemble)()
    experts = {n: EXPERTS.get(n)(**chosen.fixed.get(n, {})) for n in chosen.experts}
    models = {name: one.fit(samples, objective.head) for name, one in experts.items()}
    said = np.stack([experts[name].forecast(model, samples) for name, model in models.items()])
    parameters = ensemble.fit(objective, said, samples.truth)
    mended: dict[str, Any] = {}
    if chosen.calibration:
        both = ensemble.combine(parameters, said, objective.head)
        found = CALIBRATIONS.get(chosen.calibration)().fit(both, samples.truth)
        mended = {"name": chosen.calibration, "parameters": found}
    held = {name: model.files() for name, model in models.items()}
    packed = Together.packed(chosen.ensemble, parameters, held, mended)
    return packed, max(one.window for one in experts.values())


def champions(market: Market) -> Iterator[Champion]:
    """The bundles in office, parts before who hears them."""
    for version, (name, held) in enumerate(market.bundles.items(), 1):
        office = Scope(market.cut(-1), recipe(name), 0).office
        place = (office.universe, office.target, held.hash, model_name(office), version)
        one = Champion(f"{version:032}", *place, "trainer", datetime.now(UTC))
        row = vars(one) | {"decision": PROMOTED, "cause": "person", "previous_bundle": None}
        row |= {"reason": "by hand", "evidence": "{}"}
        market.store.record(PROMOTIONS, pa.Table.from_pylist([row], schema=PROMOTIONS.schema))
        yield one


def forecast(market: Market, stages: Stages) -> int:
    """Forecasts of the second newest session, target by target; returns their number."""
    total = 0
    for one in champions(market):
        with stages.stage(one.target):
            held = bundle.load(one.bundle)
            cut = market.cut(-2)
            total += batch.predict(market.store, one, held, cut, datetime.now(UTC))
    return total


def verb(market: Market) -> tuple[float, float]:
    """Seconds of `serving predict` for the newest session, and those of a processor."""
    cut = market.cut(-1)
    asked = ["--session", str(cut.last), "--snapshot", str(cut.snapshot), "--catch-up", "1"]
    began, before = perf_counter(), getrusage(RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "serving", "predict", *asked]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    typer.echo(f"{done.stdout.splitlines()[-1]} forecasts by the verb")
    after = getrusage(RUSAGE_CHILDREN)
    computed = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return perf_counter() - began, computed


def main(
    stocks: Annotated[int, typer.Option(help="instruments")] = 430,
    sessions: Annotated[int, typer.Option(help="of bars")] = 340,
    wide: Annotated[bool, typer.Option(help="the network of the recipe `return`")] = False,
) -> None:
    """Print seconds per target, then those of the verb."""
    names = [name for name in RECIPES.names() if name == "demo" or name.startswith("demo_")]
    with TemporaryDirectory() as scratch, postgres.running(Path(scratch)) as url:
        market, stages = loaded(Path(scratch), url, stocks, sessions), Stages()
        for name in (one for wave in waves(names) for one in wave):
            began, chosen = perf_counter(), recipe(name)
            if wide and name == "demo_return":
                fixed = {**chosen.fixed, "bilstm": {"epochs": 1, "batch": 2048}}
                chosen = replace(chosen, features=(), fixed=fixed)
            market.bundles[name] = fitted(market, chosen)
            typer.echo(f"{name} is fitted: {perf_counter() - began:.0f} s")
        typer.echo(f"{forecast(market, stages)} forecasts of {stocks} instruments")
        whole, computed = verb(market)
        kept = market.store.query(f"SELECT count(*) AS n FROM {PREDICTIONS.name}")["n"][0].as_py()
    table: Table = stages.shown()
    table.add_row("the verb, a session later", f"{whole:.1f}", f"{computed:.1f}", "")
    Console().print(table)
    typer.echo(f"{kept:,} forecasts in the ledger")


if __name__ == "__main__":
    typer.run(main)
