"""Challenger against champion, on sessions that neither was trained on."""

import hashlib
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from contracts.champion import KEPT, PROMOTED
from training.bootstrap import Blocks, interval
from training.forecast import Floats
from training.samples import Stamps


@dataclass(frozen=True)
class Rules:
    """What a challenger must show to take office.

    margin: by how much its mean direction loss must be smaller, and its log loss over all rows may
    be larger, in nats. minimum_sessions: fewer decide nothing. level: the one-sided p-value must
    be below.
    """

    margin: float = 0.001
    minimum_sessions: int = 40
    level: float = 0.1
    blocks: Blocks = Blocks()


@dataclass(frozen=True)
class Decision:
    """The outcome of a contest with what it rests on.

    gain: champion's minus challenger's mean direction loss over the n rows that moved, with its
    95 % interval; p_value: one-sided, of no gain at all. log_loss_...: over all rows.
    """

    universe: str
    challenger: str
    champion: str
    snapshot: int
    outcome: str
    reason: str
    n: int
    sessions: int
    log_loss_challenger: float
    log_loss_champion: float
    gain: float
    low: float
    high: float
    p_value: float

    @property
    def promotion_id(self) -> str:
        """Names the decision: equal contests, equal id."""
        parts = (self.universe, self.challenger, self.champion, str(self.snapshot), self.outcome)
        return hashlib.sha256("|".join(parts).encode()).hexdigest()[:32]

    @property
    def metrics(self) -> dict[str, float]:
        """Its numbers by name."""
        return {k: float(v) for k, v in self.as_json().items() if isinstance(v, float | int)}

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@dataclass(frozen=True)
class Comparison:
    """Direction losses (n,) of both on the same rows that moved, with the rows' sessions (n,).

    log_losses: challenger's and champion's mean log loss over all rows, neutral ones included.
    """

    challenger: Floats
    champion: Floats
    sessions: Stamps
    log_losses: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class Parties:
    """Who contests for which office: bundle hashes, and the loads that were seen."""

    universe: str
    challenger: str
    champion: str
    snapshot: int


def decide(parties: Parties, found: Comparison, rules: Rules) -> Decision:
    """Promote the challenger only when its gain is large and sure enough, else keep the champion.

    The bootstrap draws blocks of sessions and takes both sides' losses of the same rows.
    """
    days, place = np.unique(found.sessions, return_inverse=True)
    rows = np.bincount(place, minlength=len(days)).astype(np.float64)
    gains = np.bincount(place, weights=found.champion - found.challenger, minlength=len(days))
    if not len(days):
        return _decision(parties, found, (0.0, 0.0, 0.0, 1.0), "no session is newer than both")
    weights = rules.blocks.weights(len(days))
    drawn = (weights @ gains) / (weights @ rows)
    gain = float(gains.sum() / rows.sum())
    p_value = float((1 + np.sum(drawn <= 0)) / (1 + len(drawn)))
    doubt = _doubt(rules, len(days), gain, p_value) or _harm(rules, *found.log_losses)
    return _decision(parties, found, (gain, *interval(drawn), p_value), doubt)


def _doubt(rules: Rules, sessions: int, gain: float, p_value: float) -> str:
    if sessions < rules.minimum_sessions:
        return f"{sessions} sessions are fewer than {rules.minimum_sessions}"
    if gain < rules.margin:
        return f"gain {gain:+.5f} nats is below the margin {rules.margin}"
    if p_value >= rules.level:
        return f"gain {gain:+.5f} nats is unsure: p = {p_value:.3f}, needed below {rules.level}"
    return ""


def _harm(rules: Rules, challenger: float, champion: float) -> str:
    if challenger - champion > rules.margin:
        return f"over all rows its log loss is larger by {challenger - champion:.5f} nats"
    return ""


def _decision(
    parties: Parties, found: Comparison, numbers: tuple[float, float, float, float], doubt: str
) -> Decision:
    gain, low, high, p_value = numbers
    log_loss_challenger, log_loss_champion = found.log_losses
    return Decision(
        **asdict(parties),
        outcome=KEPT if doubt else PROMOTED,
        reason=f"no decision: {doubt}" if doubt else f"gain {gain:+.5f} nats, p = {p_value:.4f}",
        n=len(found.sessions),
        sessions=len(np.unique(found.sessions)),
        log_loss_challenger=log_loss_challenger,
        log_loss_champion=log_loss_champion,
        gain=gain,
        low=low,
        high=high,
        p_value=p_value,
    )
