"""Challenger against champion, on sessions that neither was trained on."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import inf, isfinite
from typing import Any

import numpy as np

from contracts.champion import KEPT, PROMOTED
from training.evidence.intervals import Estimate, per_session, ratio
from training.evidence.spending import allowed, looks_of
from training.forecast import Floats
from training.samples.samples import Stamps


@dataclass(frozen=True)
class Rules:
    """What a challenger must show to take office.

    margin: by how much its mean direction loss must be smaller, and its log loss over all rows may
    be larger, in nats. minimum_sessions: fewer decide nothing. level: its own one-sided p-value
    must be below. yearly: the chance that a year of contests against one incumbent, none of which
    has a better challenger, puts anybody into office; at_once: the first contest's share of it.
    """

    margin: float = 0.001
    minimum_sessions: int = 40
    level: float = 0.1
    yearly: float = 0.045
    at_once: float = 0.5


@dataclass(frozen=True)
class Decision:
    """The outcome of a contest with what it rests on.

    gain: champion's minus challenger's mean direction loss over the n rows that moved, with its
    95 % interval (infinite where sessions are too few); p_value: one-sided, of no gain at all.
    log_loss_...: over all rows. counted: what this contest adds to the evidence of all contests
    of this champion, its new sessions: day -> sum of gains and number of rows. all_...: that
    evidence so far, this one's included; all_p_value had to be below all_level.
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
    all_sessions: int = 0
    all_gain: float = 0.0
    all_p_value: float = 1.0
    all_level: float = 0.0
    counted: Mapping[str, Sequence[float]] = field(default_factory=dict)

    @property
    def promotion_id(self) -> str:
        """Names the decision: equal contests, equal id."""
        parts = (self.universe, self.challenger, self.champion, str(self.snapshot), self.outcome)
        return hashlib.sha256("|".join(parts).encode()).hexdigest()[:32]

    @property
    def metrics(self) -> dict[str, float]:
        """Its finite numbers by name."""
        numbers = {k: float(v) for k, v in asdict(self).items() if isinstance(v, float | int)}
        return {name: number for name, number in numbers.items() if isfinite(number)}

    def as_json(self) -> dict[str, Any]:
        """Plain values, as `parse` takes them; JSON holds no infinity, and has null for it."""
        ends = {k: v if isfinite(v) else None for k, v in (("low", self.low), ("high", self.high))}
        return asdict(self) | ends

    @classmethod
    def parse(cls, fields: Mapping[str, Any]) -> "Decision":
        """The decision that `as_json` wrote, by this version or one before."""
        low, high = fields["low"], fields["high"]
        ends = {"low": -inf if low is None else low, "high": inf if high is None else high}
        return cls(**{**fields, **ends})


@dataclass(frozen=True)
class Comparison:
    """Direction losses (n,) of both on the same rows that moved, with the rows' sessions (n,).

    log_losses: challenger's and champion's mean log loss over all rows, neutral ones included.
    overlap: sessions that one label spans.
    """

    challenger: Floats
    champion: Floats
    sessions: Stamps
    log_losses: tuple[float, float] = (0.0, 0.0)
    overlap: int = 1


@dataclass(frozen=True)
class Parties:
    """Who contests for which office: bundle hashes, and the loads that were seen."""

    universe: str
    challenger: str
    champion: str
    snapshot: int


@dataclass(frozen=True)
class Found:
    """A contest's own gain, and that of all contests so far with the level it is held to."""

    own: Estimate
    all: Estimate
    all_sessions: int
    level: float
    counted: Mapping[str, Sequence[float]]


def decide(
    parties: Parties, found: Comparison, rules: Rules, earlier: Sequence[Decision] = ()
) -> Decision:
    """Promote the challenger only when its gain is large and sure enough, else keep the champion.

    earlier: all contests of this champion before, in any order. Each session counts once, as the
    first contest that saw it found it: what a later one adds could not be foreseen, whatever its
    challenger has in common with those before.
    """
    days, gains, rows = per_session(found.champion - found.challenger, found.sessions)
    if not len(days):
        nothing = Estimate(0.0, inf, 0)
        return _decision(parties, found, Found(nothing, nothing, 0, 0.0, {}), _NONE)
    sums = {str(d): [g, r] for d, g, r in zip(days, gains.tolist(), rows.tolist(), strict=True)}
    whole = _pooled(ratio(gains, rows, found.overlap), sums, earlier, rules, found.overlap)
    doubt = (
        _doubt(rules, len(days), whole.own)
        or _luck(whole, len(earlier) + 1)
        or _harm(rules, *found.log_losses)
    )
    return _decision(parties, found, whole, doubt)


_NONE = "no session is newer than both"


def _pooled(
    own: Estimate,
    sums: Mapping[str, Sequence[float]],
    earlier: Sequence[Decision],
    rules: Rules,
    overlap: int,
) -> Found:
    # In the order of their newest session, each with the sessions after those before it.
    seen: dict[str, Sequence[float]] = {}
    newest, counts, counted = "", [], dict[str, Sequence[float]]()
    before = sorted((d.counted for d in earlier if d.counted), key=max)
    for days in (*before, sums):
        counted = {day: both for day, both in days.items() if day > newest}
        newest = max(counted, default=newest)
        seen |= counted
        counts.append(len(counted))
    looks = looks_of(counts, rules.minimum_sessions)
    if not looks:
        return Found(own, Estimate(own.value, inf, 0), len(seen), 0.0, counted)
    gains, rows = np.array([seen[day] for day in sorted(seen)]).T
    level = allowed(looks, rules.yearly, rules.at_once)
    return Found(own, ratio(gains, rows, overlap), len(seen), level, counted)


def _doubt(rules: Rules, sessions: int, own: Estimate) -> str:
    if sessions < rules.minimum_sessions:
        return f"{sessions} sessions are fewer than {rules.minimum_sessions}"
    if not own.freedom:
        return f"{sessions} sessions are too few for labels that overlap so far"
    if own.value < rules.margin:
        return f"gain {own.value:+.5f} nats is below the margin {rules.margin}"
    if own.p_value >= rules.level:
        return (
            f"gain {own.value:+.5f} nats is unsure: p = {own.p_value:.3f}, needed below "
            f"{rules.level}"
        )
    return ""


def _luck(found: Found, contests: int) -> str:
    if found.all.p_value < found.level:
        return ""
    return (
        f"gain {found.own.value:+.5f} nats may be the luck of looking often: over all "
        f"{found.all_sessions} sessions of {contests} contests p = {found.all.p_value:.4f}, "
        f"needed below {found.level:.4f}"
    )


def _harm(rules: Rules, challenger: float, champion: float) -> str:
    if challenger - champion > rules.margin:
        return f"over all rows its log loss is larger by {challenger - champion:.5f} nats"
    return ""


def _decision(parties: Parties, compared: Comparison, found: Found, doubt: str) -> Decision:
    own, (challenger, champion) = found.own, compared.log_losses
    low, high = own.interval()
    shown = f"gain {own.value:+.5f} nats, p = {own.p_value:.4f}"
    return Decision(
        **asdict(parties),
        outcome=KEPT if doubt else PROMOTED,
        reason=f"no decision: {doubt}" if doubt else shown,
        n=len(compared.sessions),
        sessions=len(np.unique(compared.sessions)),
        log_loss_challenger=challenger,
        log_loss_champion=champion,
        gain=own.value,
        low=low,
        high=high,
        p_value=own.p_value,
        all_sessions=found.all_sessions,
        all_gain=found.all.value,
        all_p_value=found.all.p_value,
        all_level=found.level,
        counted=found.counted,
    )
