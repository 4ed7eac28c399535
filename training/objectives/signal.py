"""What to do: a signed position for the next five sessions, by its utility after costs."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np

from training.forecast import Floats, Position
from training.gate import Heard, score, shares
from training.objective import (
    ABSTAIN,
    BUY,
    HOLD,
    SELL,
    Baseline,
    Forecasts,
    Loss,
    Objective,
    Rows,
    Truth,
    objective,
)
from training.part import parts_of

HORIZON = 5  # sessions that a position is held
COST = 0.001  # of a position, to enter and to leave it
AVERSION = 3.0  # to squared returns of the whole
TOO_GOOD = 20.0  # basis points per session after costs

_BASIS = 1e4
_HEAD = Position()
# Factors that are tried, in units of that which makes the largest position the whole.
_TRIED = np.geomspace(1e-3, 1e3, 121)


def utilities(positions: Floats, returns: Floats) -> Floats:
    """Basis points per session of positions (n,) from -1 to 1, (n,): gain less cost and risk.

    (p r - COST |p| - AVERSION / 2 (p r)^2) / HORIZON: the mean and variance of Markowitz (1952).
    """
    gained = positions * returns
    found = gained - COST * np.abs(positions) - AVERSION / 2 * gained**2
    return np.asarray(found * _BASIS / HORIZON, dtype=np.float64)


def utility_losses(said: Forecasts, truth: Truth) -> Floats:
    """What a position costs of utility, (n,); 0 is the loss of who holds nothing."""
    return -utilities(said.point, np.asarray(truth, dtype=np.float64))


def factor(held: Floats, returns: Floats) -> float:
    """By what positions (n,), at most the whole then, are to be multiplied for the best utility."""
    largest = float(np.abs(held).max(initial=0.0))
    if not largest:
        return 0.0
    tried = _TRIED / largest
    found = [utilities(np.clip(x * held, -1, 1), returns).sum() for x in tried.tolist()]
    best = int(np.argmax(found))
    near = np.linspace(tried[max(best - 1, 0)], tried[min(best + 1, len(tried) - 1)], 25)
    found = [utilities(np.clip(x * held, -1, 1), returns).sum() for x in near.tolist()]
    return float(near[int(np.argmax(found))]) if max(found) > 0 else 0.0


def hold(train: Rows, test: Rows) -> Forecasts:  # noqa: ARG001
    """Nothing is held, whatever is said."""
    return Forecasts(Signal(), np.zeros((len(test), 3)))


def equal_weights(train: Rows, test: Rows) -> Forecasts:
    """The mean lean of the parts, sized as a gate's, times the best factor in training."""
    parts = tuple(part.learnt(_inputs(train)) for part in parts_of(train.features))
    known, asked = (Heard.of(parts, _inputs(rows)) for rows in (train, test))
    best = factor(_mean(known) * known.calm, np.asarray(train.truth, dtype=np.float64))
    scores = _mean(asked)
    held = np.clip(best * scores * asked.calm, -1, 1)
    nobody = (~asked.present.any(axis=1)).astype(np.float64)
    return Forecasts(Signal(), np.column_stack([scores, held, nobody]))


@objective("signal")
class Signal(Objective):
    """A score, the position that follows from it, and whether it abstains."""

    columns = ("score", "position", "abstention")
    head = _HEAD
    kinds = ("total_return",)
    judged = (Loss("utility_loss", utility_losses, 0.1, unit="basis points per session"),)
    learned = "utility_loss"
    metrics = ("utility_loss", "net_return", "turnover")
    coarse = ("turnover",)
    baselines: ClassVar[Mapping[str, Baseline]] = {"hold": hold, "equal_weights": equal_weights}
    zero = "hold"
    # A trend's own signal stands as `signal` in each answer.
    told_as = "advice"
    tells: ClassVar[Mapping[str, str]] = {
        "signal": "buy, sell, hold, or abstain: nothing is known",
        "size": "share of the largest position, from 0 to 1",
        "score": "what the parts say together, from -1, to sell, to 1, to buy",
        "reason": "why it abstains or holds; empty where the score says it",
        "mode": "the gate",
        "weights": "part -> its weight",
        "inputs": "part -> its answer by column, null where it said nothing",
        "notices": "whom it had to do without",
    }
    typed: ClassVar[Mapping[str, Any]] = {
        "signal": Literal["buy", "sell", "hold", "abstain"],
        **dict.fromkeys(("reason", "mode"), str),
        "weights": dict[str, float],
        "inputs": dict[str, dict[str, float] | None],
        "notices": list[str],
    }

    def derived(self, values: Floats) -> dict[str, Floats]:
        """The size, whichever way."""
        return {"size": np.abs(values[:, 1])}

    def answer(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """What was kept; champion zero joins nothing, and has no grounds."""
        return {name: row.get(name) for name in self.tells}

    def statistics(self, said: Forecasts, truth: Truth) -> Floats:
        """The losses, what is left after costs, and what is traded: each position's two ways."""
        held = said.point
        net = (held * truth - COST * np.abs(held)) * _BASIS / HORIZON
        traded = 2.0 * np.abs(held) / HORIZON
        return np.concatenate([super().statistics(said, truth), np.stack([net, traded])])

    def scores(self, sums: Floats) -> dict[str, Floats]:
        """Basis points per session, and the share of the whole that is traded in one."""
        rows = np.maximum(sums[:, 1], 1.0)
        own = {"net_return": sums[:, -2] / rows, "turnover": sums[:, -1] / rows}
        return super().scores(sums[:, :-2]) | own

    def recalibrated(self, said: Forecasts, truth: Truth, asked: Forecasts) -> Forecasts:
        """Positions times the factor that would have been best."""
        best = factor(said.point, np.asarray(truth, dtype=np.float64)) if said.point.any() else 1.0
        values = asked.values.copy()
        values[:, 1] = np.clip(best * values[:, 1], -1, 1)
        return Forecasts(self, values)

    def calibration(self, said: Forecasts, truth: Truth) -> dict[str, tuple[Floats, Floats]]:
        """The score as a chance of a gain, and whether there was one."""
        came = (np.asarray(truth) > 0).astype(np.float64)
        return {"gain": ((1.0 + said.values[:, 0]) / 2.0, came)}

    def implausible(self, scores: Mapping[str, float]) -> str:
        """Nobody earns that much after costs, session by session."""
        found = scores["net_return"]
        told = f"{found:.1f} basis points per session after costs, above {TOO_GOOD:g}"
        return told if found > TOO_GOOD else ""

    def signals(self, said: Forecasts, thresholds: Mapping[str, float]) -> list[str]:  # noqa: ARG002
        """BUY or SELL where something is held; ABSTAIN where at least half abstain, else HOLD."""
        rows = said.values[:, 1:].tolist()
        return [
            BUY if held > 0 else SELL if held < 0 else ABSTAIN if none >= 0.5 else HOLD
            for held, none in rows
        ]


def _mean(heard: Heard) -> Floats:
    return score(shares(np.ones(len(heard.parts)), heard.present), heard.leans)


def _inputs(rows: Rows) -> Floats:
    columns = [rows.column(name).astype(np.float64) for name in rows.features]
    return np.stack(columns, axis=1) if columns else np.zeros((len(rows), 0))
