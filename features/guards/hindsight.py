"""The guard over all between facts and decisions: rebuild them from what was known at the time."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeAlias

import numpy as np
import polars as pl

from contracts.expected import Expected
from features.engine import evaluate
from features.facts.facts import Facts
from features.facts.panels import decision_panel
from features.feature import Feature

Build: TypeAlias = Callable[[Facts], pl.DataFrame]

KEY = ["instrument_id", "as_of"]


class Hindsight(Expected, ValueError):
    """A decision is another one once later facts are there; the message names it."""


def decisions(facts: Facts, features: Sequence[Feature]) -> pl.DataFrame:
    """The features' values at each decision of the facts: instrument_id, as_of, float64 columns."""
    panel = decision_panel(facts, max(feature.lookback for feature in features))
    values, rows = evaluate(panel, features), panel.decided
    names = np.array(panel.instruments, dtype=object)[panel.segment[rows]].tolist()
    keys = {"instrument_id": pl.Series(names, dtype=pl.String), "as_of": panel.as_of[rows]}
    return pl.DataFrame(keys | {feature.name: values[feature.name][rows] for feature in features})


def known(facts: Facts, moment: datetime) -> Facts:
    """The facts as they were known at a moment (UTC)."""
    frames: dict[str, Any] = {
        name: frame.filter(pl.col("known_at") <= moment)
        for name, frame in vars(facts).items()
        if isinstance(frame, pl.DataFrame)
    }
    # As `read` does: nothing of an instrument that was no member yet.
    members = pl.col("instrument_id").is_in(frames["members"]["instrument_id"].unique().implode())
    for name, frame in frames.items():
        if "instrument_id" in frame.columns:
            frames[name] = frame.filter(members)
    return replace(facts, end=moment, **frames)


def refuse_hindsight(build: Build, facts: Facts, moments: Sequence[datetime]) -> None:
    """Raise Hindsight unless all decisions up to each moment are those that it could have taken.

    build: from facts to decisions, a frame of KEY and float64 columns. A decision before its own
    bar had closed, one that only later facts bring or take away, or another value is hindsight.
    """
    whole = build(facts).sort(KEY)
    for moment in moments:
        then = build(known(facts, moment)).sort(KEY)
        naive = moment.replace(tzinfo=None)
        if len(early := then.filter(pl.col("as_of") > naive)):
            raise Hindsight(
                f"{_row(early)} was decided at {moment:%Y-%m-%d %H:%M}, before its close"
            )
        now = whole.filter(pl.col("as_of") <= naive)
        for left, right in ((now, then), (then, now)):
            if len(lost := left.join(right, on=KEY, how="anti")):
                when = "known later" if left is now else "forgotten later"
                raise Hindsight(f"{_row(lost)} is a decision {when} than {moment:%Y-%m-%d %H:%M}")
        for name in whole.columns[len(KEY) :]:
            _refuse_other(now, then, name)


def _refuse_other(now: pl.DataFrame, then: pl.DataFrame, name: str) -> None:
    one, other = now[name].to_numpy(), then[name].to_numpy()
    null = np.isnan(one) | np.isnan(other)
    apart = np.abs(one - other) > 1e-9 * np.maximum(1.0, np.abs(other))
    for row in np.flatnonzero(np.where(null, np.isnan(one) != np.isnan(other), apart))[:1]:
        raise Hindsight(
            f"{name} of {_row(now[int(row) :])} was {other[row]:.4g} when it was decided and is "
            f"{one[row]:.4g} with later facts"
        )


def _row(frame: pl.DataFrame) -> str:
    return f"{frame['instrument_id'][0]} at {frame['as_of'][0]:%Y-%m-%d}"
