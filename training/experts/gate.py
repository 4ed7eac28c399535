"""A gate over what parts said out of sample: weights, shrinkage and size, all from the past."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from training.bundle.models.gated import Gated
from training.bundle.scaler import Scaler
from training.expert import Expert, expert
from training.forecast import Floats, Head, Position
from training.gate import GATES, Gate, Heard, Sizing
from training.objectives.signal import AVERSION, COST
from training.part import SEPARATOR, parts_of
from training.samples.folds import WalkForward
from training.samples.samples import Samples, TrainingError

# Shares of equal weights that are tried: all of it first, which wins unless another is sure.
SHRINKAGE = (1.0, 0.75, 0.5, 0.25, 0.0)
# Luck is measured between so many spans of time.
_SPANS = 12
# Of the scores in training, the shares below which nothing is held.
_THRESHOLDS = (0.0, 0.5, 0.8)


@expert("gate", heads=(Position,), libraries=("numpy",))
@dataclass(frozen=True)
class Joined(Expert[Gated]):
    """mode: the gate's name; terms: its fields. folds: in time order, which choose the shrinkage.

    Features named `part.column` are what parts said, all others tell the market's state.
    """

    mode: str = "softmax"
    terms: Mapping[str, Any] = field(default_factory=dict)
    folds: int = 4

    def fit(self, samples: Samples, head: Head) -> Gated:
        """The gate; raises TrainingError without parts, GateError for those it cannot join."""
        samples.require_trainable()
        state = tuple(i for i, name in enumerate(samples.features) if SEPARATOR not in name)
        parts = tuple(part.learnt(samples.values) for part in parts_of(samples.features))
        if not parts:
            raise TrainingError("expected parts for the gate to join: name them in the recipe")
        scaler = Scaler.fit(samples.values[:, list(state)])
        heard = Heard.of(parts, samples.values, scaler.apply(samples.values[:, list(state)]))
        gate = GATES.get(self.mode)(**self.terms)
        came = heard.calm * samples.truth
        parameters = dict(gate.fit(heard, came))
        if gate.learns:
            parameters["shrinkage"] = self._shrinkage(gate, heard, came, samples)
        sizing = sized(gate.combine(parameters, heard).score, heard.calm, samples)
        terms = dict(self.terms)
        return Gated(self.mode, terms, parts, state, scaler, parameters, sizing, head)

    def _shrinkage(self, gate: Gate, heard: Heard, came: Floats, samples: Samples) -> float:
        gains: list[Floats] = []
        rows = WalkForward(self.folds).split(samples)
        for fold in rows:
            learnt = gate.fit(heard.take(fold.train), came[fold.train])
            known = heard.take(fold.train), came[fold.train]
            asked = heard.take(fold.test), came[fold.test]
            lost = [_squares(gate, {**learnt, "shrinkage": s}, known, asked) for s in SHRINKAGE]
            gains.append(lost[0] - np.stack(lost))
        days = samples.sessions[np.concatenate([fold.test for fold in rows])]
        found = [luck(gain, days) for gain in np.concatenate(gains, axis=1)]
        sure = [mean if mean > error else 0.0 for mean, error in found]
        return SHRINKAGE[int(np.argmax(sure))]


def _squares(
    gate: Gate,
    parameters: Mapping[str, Any],
    known: tuple[Heard, Floats],
    asked: tuple[Heard, Floats],
) -> Floats:
    # What is left of what came once the scores, times the factor that was best before, are told.
    scores, later = (gate.combine(parameters, heard).score for heard, _ in (known, asked))
    squares = float(scores @ scores)
    factor = max(float(scores @ known[1]) / squares, 0.0) if squares else 0.0
    return np.asarray((asked[1] - factor * later) ** 2)


def luck(gains: Floats, sessions: Any) -> tuple[float, float]:
    """The mean of gains (n,) and its standard error, from spans of sessions in a row."""
    days, place = np.unique(sessions, return_inverse=True)
    span = place * min(_SPANS, len(days)) // max(len(days), 1)
    rows = np.bincount(span)
    means = np.bincount(span, gains) / np.maximum(rows, 1)
    error = means.std(ddof=1) / np.sqrt(len(means)) if len(means) > 1 else np.inf
    return float(gains.mean()), float(error)


def sized(scores: Floats, calm: Floats, samples: Samples) -> Sizing:
    """How much is to be held for the utility to be largest, once a standard error is taken off the
    gain, so that what may be luck is not traded on."""
    best, most = Sizing(0.0), 0.0
    for share in _THRESHOLDS:
        threshold = float(np.quantile(np.abs(scores), share)) if share else 0.0
        held = np.sign(scores) * np.maximum(np.abs(scores) - threshold, 0.0) * calm
        gained = held * samples.truth - COST * np.abs(held)
        mean, error = luck(gained, samples.sessions)
        risk = AVERSION * float(((held * samples.truth) ** 2).mean())
        sure = mean - error
        if sure > 0 and risk and sure**2 / (2 * risk) > most:
            best, most = Sizing(sure / risk, threshold), sure**2 / (2 * risk)
    return best
