"""How good the champion's forecasts turned out, beside the class prior on the same forecasts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from contracts.champion import FIRST_TARGET, Office, reign
from contracts.store import Store
from training.bundle import bundle
from training.forecast import Floats
from training.objectives.trend import CLASSES, DOWN, NEUTRAL, UP, Trend

PRIOR = "class_prior"
_FLOOR = 1e-15
_K = len(CLASSES)
_LOSSES = ("log_loss", "brier", "direction_loss")  # the objective's statistics

# Per truth and forecast class: sums of the scores of the newest truths.
_SCORED = f"""
SELECT origin, label, guess AS forecast, count(*) AS n,
  sum(p_down ^ 2 + p_neutral ^ 2 + p_up ^ 2 - 2 * chance + 1) AS brier,
  sum(-ln(greatest(chance, {_FLOOR}))) AS log_loss,
  sum(CASE label WHEN 1 THEN 0 ELSE -ln(greatest(chance / (p_down + p_up), {_FLOOR})) END)
    AS direction_loss
FROM (
  SELECT p.*, truth.label,
    CASE truth.label WHEN 0 THEN p_down WHEN 1 THEN p_neutral ELSE p_up END AS chance,
    CASE greatest(p_down, p_neutral, p_up) WHEN p_down THEN 0 WHEN p_neutral THEN 1 ELSE 2 END
      AS guess
  FROM predictions p JOIN LATERAL (
    SELECT label FROM outcomes o WHERE o.prediction_id = p.prediction_id
    ORDER BY version DESC LIMIT 1
  ) truth ON true
  WHERE p.universe = %s AND p.bundle = %s
) scored GROUP BY origin, label, guess ORDER BY origin, label, guess
"""

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Performance:
    """The METRICS of n settled forecasts of one origin."""

    forecaster: str
    origin: str
    n: int
    scores: Mapping[str, float]


def performance(store: Store, universe: str) -> list[Performance]:
    """The champion and the class prior by origin of the forecasts; empty before any truth."""
    ranks = reign(store, Office(universe, FIRST_TARGET))
    if not ranks:
        return []
    sums = store.query(_SCORED, (universe, ranks[0].bundle)).to_pylist()
    chances = _prior(ranks[-1].bundle)
    found = []
    for origin in sorted({row["origin"] for row in sums}):
        rows = [row for row in sums if row["origin"] == origin]
        found.append(_scored("champion", origin, rows))
        if chances is not None:
            found.append(_scored(PRIOR, origin, [_constant(chances, row) for row in rows]))
    return found


@lru_cache(maxsize=8)
def _prior(oldest: str) -> tuple[float, ...] | None:
    # The first of a reign is champion zero, the class prior of its time.
    zero = bundle.load(oldest)
    if zero.manifest.expert != PRIOR:
        return None
    nothing = np.full((1, len(zero.manifest.features)), np.nan, np.float32)
    return tuple(zero.forecast(nothing)[0].tolist())


def _constant(chances: Sequence[float], row: Row) -> Row:
    n, label = row["n"], int(row["label"])
    return {
        "label": label,
        "forecast": int(np.argmax(chances)),
        "n": n,
        "brier": n * (sum(p * p for p in chances) - 2 * chances[label] + 1),
        "log_loss": n * -float(np.log(max(chances[label], _FLOOR))),
        "direction_loss": n * _direction_loss(chances, label),
    }


def _direction_loss(chances: Sequence[float], label: int) -> float:
    if label == NEUTRAL:
        return 0.0
    return -float(np.log(max(chances[label] / (chances[DOWN] + chances[UP]), _FLOOR)))


def _scored(forecaster: str, origin: str, rows: Iterable[Row]) -> Performance:
    # One row of the objective's statistics: the confusion table, then the sums of the losses.
    sums: Floats = np.zeros((1, _K * _K + len(_LOSSES)))
    for row in rows:
        sums[0, int(row["label"]) * _K + int(row["forecast"])] += row["n"]
        sums[0, _K * _K :] += [float(row[name]) for name in _LOSSES]
    scores = {metric: float(value[0]) for metric, value in Trend().scores(sums).items()}
    return Performance(forecaster, origin, int(sums[0, : _K * _K].sum()), scores)
