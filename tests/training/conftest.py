"""Made-up matrices with a known effect, in exactly the form that the features package writes."""

import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from contracts.cut import Cut
from contracts.time.calendar import last_sessions, session_close, shift
from contracts.universe import Universe
from training.evidence.evidence import Evidence, gather
from training.evidence.walk import Learner, Permuted, walk
from training.expert import Expert
from training.forecast import (
    LOWER,
    UPPER,
    Classes,
    Head,
    Position,
    Quantiles,
    Tails,
    Touches,
    Value,
)
from training.objective import OBJECTIVES, Objective
from training.recipe import recipe
from training.run.scope import Scope
from training.samples.folds import WalkForward
from training.samples.samples import Samples, from_matrix

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "fixtures"))

FEATURES = ("momentum", "volatility", "mood")
REALISED = (
    *("realised_volatility_1", "realised_volatility_5", "realised_volatility_22"),
    *("realised_volatility_66", "realised_volatility_decayed"),
    *("market_volatility_1", "realised_volatility_252", "market_volatility_5"),
    *("fall_1", "fall_5", "market_fall_1", "return_1"),
    *("historical_loss_95_252", "historical_loss_99_252"),
)
TREND = OBJECTIVES.get("trend")
CALENDAR = "XNYS"
LAST = date(2025, 6, 30)

Make = Callable[..., pa.Table]


def make_matrix(
    sessions: int = 200,
    instruments: int = 6,
    effect: float = 1.0,
    seed: int = 1,
    horizon: int = 1,
    last: date = LAST,
) -> pa.Table:
    """`mood` of a session moves the class that settles `horizon` sessions later; 5 % nulls."""
    random = np.random.default_rng(seed)
    days = last_sessions(CALENDAR, last, sessions)
    closes = [session_close(CALENDAR, day) for day in days]
    ahead = [session_close(CALENDAR, shift(CALENDAR, day, horizon)) for day in days]
    shape = (sessions, instruments)
    values = {name: random.normal(size=shape).astype(np.float32) for name in FEATURES}
    latent = effect * values["mood"] + random.normal(size=shape)
    labels = np.digitize(latent, (-0.5, 0.5))
    rows = []
    for i, day in enumerate(days):
        for j in range(instruments):
            row = {"instrument_id": f"SIM{j:03d}", "symbol": f"SIM{j:03d}", "session": day}
            row |= {"as_of": closes[i]}
            for name in FEATURES:
                null = random.random() < 0.05
                row[name] = None if null else float(values[name][i, j])
            row |= {"label": int(labels[i, j]), "settled_at": ahead[i]}
            row |= {"total_return": float(latent[i, j]) / 100, "delisted": False}
            row |= {"return_before": row["momentum"], "ambiguous": i % 5 == 0}
            known = i >= horizon
            rows.append(row | {"persistence": float(labels[i - horizon, j]) if known else None})
    return pa.Table.from_pylist(rows, schema=schema())


def told(table: pa.Table, head: Head) -> pa.Table:
    """The same rows with a truth of another form: what moved the class, as a number.

    Above 0 it is a volatility, of which those realised before tell what `mood` does; of tails it is
    a return whose deviation `mood` moves; of a position it is what parts say. Beside quantiles lie
    such volatilities, too, which tell nothing more of the return. Of touches, `mood` tells how far
    away the levels are.
    """
    if isinstance(head, Touches):
        return _with_levels(table)
    if isinstance(head, Classes):
        return table
    returns = table["total_return"].to_numpy()
    positive = isinstance(head, Value) and head.link == "log"
    truth = np.exp(40.0 * returns - 4.0) if positive else returns
    if isinstance(head, Tails):
        drawn = np.random.default_rng(5).standard_t(5, len(returns))
        truth = 0.01 * drawn * np.exp(0.6 * np.nan_to_num(table["mood"].to_numpy()))
    beside = positive or isinstance(head, (Quantiles, Tails))
    for place, name in enumerate(REALISED if beside else ()):
        known = table[FEATURES[(place - 1) % len(FEATURES)]].to_numpy()
        own = pa.array(np.exp(0.4 * known - 4.0).astype(np.float32), from_pandas=True)
        table = table.add_column(table.column_names.index("label"), name, own)
    if isinstance(head, Position):
        mood = table["mood"].to_numpy()
        chances = Classes().from_scores(np.outer(mood, (-1.0, 0.0, 1.0)))
        said = {f"trend.{name}": chances[:, k] for k, name in enumerate(TREND.columns)}
        for name, values in {**said, "storm.volatility": np.exp(0.3 * mood[::-1] - 4.0)}.items():
            own = pa.array(values.astype(np.float32), from_pandas=True)
            table = table.add_column(table.column_names.index("label"), name, own)
    return table.set_column(table.column_names.index("label"), "label", pa.array(truth))


def _with_levels(table: pa.Table) -> pa.Table:
    moved = 100.0 * table["total_return"].to_numpy()
    place = table.column_names.index("label")
    touched = LOWER * ((moved < -0.5) | (moved > 1.5)) + UPPER * (moved > 0.5)
    table = table.set_column(place, "label", pa.array(touched.astype(np.int64)))
    mood = table["mood"].to_numpy()
    distances = {
        "support_distance_60": np.exp(0.5 * mood),
        "resistance_distance_60": np.exp(-0.5 * mood),
    }
    for name, away in (distances | {"realised_volatility_decayed": 0.5 + 0 * mood}).items():
        own = pa.array((0.02 * away).astype(np.float32), from_pandas=True)
        table = table.add_column(table.column_names.index("label"), name, own)
    return table


def schema() -> pa.Schema:
    time = pa.timestamp("us", "UTC")
    ends = [("label", pa.int64()), ("settled_at", time), ("total_return", pa.float64())]
    ends += [("delisted", pa.bool_()), ("persistence", pa.float64())]
    ends += [("return_before", pa.float64()), ("ambiguous", pa.bool_())]
    starts = [("instrument_id", pa.string()), ("symbol", pa.string())]
    starts += [("session", pa.date32()), ("as_of", time)]
    return pa.schema([*starts, *((name, pa.float32()) for name in FEATURES), *ends])


@pytest.fixture(scope="session")
def matrix() -> Make:
    return make_matrix


@pytest.fixture(scope="session")
def rows_for() -> Callable[[Objective], Samples]:
    """Samples of a made-up matrix whose truth is of the objective's form."""
    return lambda objective: from_matrix(told(make_matrix(), objective.head))


@pytest.fixture(scope="session")
def tell() -> Callable[[pa.Table, Head], pa.Table]:
    """Makes of a made-up matrix one whose truth is of the head's form."""
    return told


@pytest.fixture
def samples() -> Samples:
    return from_matrix(make_matrix())


@pytest.fixture(scope="session")
def trend() -> Objective:
    return OBJECTIVES.get("trend")


@pytest.fixture(scope="session")
def evidence_of() -> Callable[..., Evidence]:
    """The evidence of one expert alone, walked over the folds of `cut`."""

    def gathered(expert: Expert[Any], samples: Samples, cut: WalkForward) -> Evidence:
        folds = cut.split(samples)
        learner = Learner(expert, OBJECTIVES.get("trend"))
        walks = {expert.name: walk(learner, samples, folds, Permuted(3, seed=7))}
        return gather(walks, samples, folds)[expert.name]

    return gathered


@pytest.fixture
def market(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Scope]:
    """A scope of its own universe, whose matrix is made up with the asked effect."""

    def make(effect: float = 1.0, session: date = LAST) -> Scope:
        whole = make_matrix(sessions=200, effect=effect)

        def between(_: Scope, __: object, ___: object, cut: Cut, *____: str, **_____: str) -> Any:
            days = whole["session"]
            since, until = pc.greater_equal(days, cut.first), pc.less_equal(days, cut.last)
            return whole.filter(pc.and_(since, until))

        monkeypatch.setattr(Scope, "_matrix", between)
        monkeypatch.setattr(Scope, "_first", lambda *_: whole["session"][0].as_py())
        quick = replace(
            recipe("demo"),
            experts=("logistic", "xgboost"),
            cut=WalkForward(count=2),
        )
        own = Universe(f"u{uuid4().hex[:8]}", CALENDAR)
        return Scope(Cut.at(own, session, 3), quick, contest_sessions=60)

    return make
