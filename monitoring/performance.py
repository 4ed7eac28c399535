"""How good the champion's forecasts turned out, beside the class prior on the same forecasts."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from contracts.champion import reign
from contracts.store import Store
from training import bundle

PRIOR = "class_prior"
_FLOOR = 1e-15

# Per class that came true: sums of hits, Brier scores and log losses of the newest truths.
_SCORED = f"""
SELECT origin, label, count(*) AS n,
  sum((CASE greatest(p_down, p_neutral, p_up) WHEN p_down THEN 0 WHEN p_neutral THEN 1 ELSE 2 END
    = label)::int) AS hits,
  sum(p_down ^ 2 + p_neutral ^ 2 + p_up ^ 2 - 2 * chance + 1) AS brier,
  sum(-ln(greatest(chance, {_FLOOR}))) AS log_loss
FROM (
  SELECT p.*, truth.label,
    CASE truth.label WHEN 0 THEN p_down WHEN 1 THEN p_neutral ELSE p_up END AS chance
  FROM predictions p JOIN LATERAL (
    SELECT label FROM outcomes o WHERE o.prediction_id = p.prediction_id
    ORDER BY version DESC LIMIT 1
  ) truth ON true
  WHERE p.universe = %s AND p.bundle = %s
) scored GROUP BY origin, label ORDER BY origin, label
"""


@dataclass(frozen=True)
class Performance:
    """Mean scores of n settled forecasts of one origin.

    brier: squared distance to the truth summed over the classes, 0 to 2. log_loss: in nats.
    """

    forecaster: str
    origin: str
    n: int
    accuracy: float
    brier: float
    log_loss: float


def performance(store: Store, universe: str) -> list[Performance]:
    """The champion and the class prior by origin of the forecasts; empty before any truth."""
    ranks = reign(store, universe)
    if not ranks:
        return []
    sums = store.query(_SCORED, (universe, ranks[0].bundle)).to_pylist()
    chances = _prior(ranks[-1].bundle)
    found = []
    for origin in sorted({row["origin"] for row in sums}):
        rows = [row for row in sums if row["origin"] == origin]
        found.append(_mean("champion", origin, rows))
        if chances is not None:
            found.append(_mean(PRIOR, origin, [_constant(chances, row) for row in rows]))
    return found


@lru_cache(maxsize=8)
def _prior(oldest: str) -> tuple[float, ...] | None:
    # The first of a reign is champion zero, the class prior of its time.
    zero = bundle.load(oldest)
    if zero.manifest.expert != PRIOR:
        return None
    nothing = np.full((1, len(zero.manifest.features)), np.nan, np.float32)
    return tuple(zero.forecast(nothing)[0].tolist())


def _constant(chances: Sequence[float], row: dict[str, float]) -> dict[str, float]:
    n, label = row["n"], int(row["label"])
    return {
        "n": n,
        "hits": n * (int(np.argmax(chances)) == label),
        "brier": n * (sum(p * p for p in chances) - 2 * chances[label] + 1),
        "log_loss": n * -float(np.log(max(chances[label], _FLOOR))),
    }


def _mean(forecaster: str, origin: str, rows: list[dict[str, float]]) -> Performance:
    n = sum(int(row["n"]) for row in rows)
    hits, brier, log_loss = (
        float(sum(row[name] for row in rows)) / n for name in ("hits", "brier", "log_loss")
    )
    return Performance(forecaster, origin, n, hits, brier, log_loss)
