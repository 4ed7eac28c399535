"""Challenger against champion, on sessions that neither was trained on."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import inf, isfinite
from typing import Any

import numpy as np

from contracts.champion import FIRST_TARGET, KEPT, PROMOTED, Office
from training.evidence.intervals import Estimate, per_session, ratio
from training.evidence.spending import YEAR, allowed, looks_of
from training.forecast import Floats
from training.objective import Forecasts, Loss, Truth
from training.samples.samples import Stamps


@dataclass(frozen=True)
class Rules:
    """What a challenger must show to take office.

    How much is enough, and how much is harm, the objective's losses say themselves.
    minimum_sessions: fewer decide nothing. level: its own one-sided p-value must be below. yearly:
    the chance that a year of contests against one incumbent, none of which has a better challenger,
    puts anybody into office; at_once: the first contest's share of it. alone: the chance that one
    wins in such a year by its own sessions alone, against all that others before it have shown.
    """

    minimum_sessions: int = 40
    level: float = 0.1
    yearly: float = 0.045
    at_once: float = 0.5
    alone: float = 0.005


@dataclass(frozen=True)
class Decision:
    """The outcome of a contest with what it rests on.

    gain: champion's minus challenger's mean of the deciding loss over the n rows that count for it,
    with its 95 % interval (infinite where sessions are too few); p_value: one-sided, of no gain at
    all. loss: that loss by name, with its unit. others: the means of the losses that must not be
    harmed, challenger's and champion's, by name. counted: what this contest adds to the evidence of
    all contests of this champion, its new sessions: day -> sum of gains and number of rows.
    all_...: that evidence so far, this one's included; all_p_value had to be below all_level, or
    p_value below alone_level.
    """

    universe: str
    challenger: str
    champion: str
    snapshot: int
    outcome: str
    reason: str
    n: int
    sessions: int
    gain: float
    low: float
    high: float
    p_value: float
    all_sessions: int = 0
    all_gain: float = 0.0
    all_p_value: float = 1.0
    all_level: float = 0.0
    alone_level: float = 0.0
    counted: Mapping[str, Sequence[float]] = field(default_factory=dict)
    loss: str = "direction_loss"
    unit: str = "nats"
    others: Mapping[str, Sequence[float]] = field(default_factory=dict)
    target: str = FIRST_TARGET

    @property
    def office(self) -> Office:
        """What was contested for."""
        return Office(self.universe, self.target)

    @property
    def promotion_id(self) -> str:
        """Names the decision: equal contests, equal id."""
        parts = (self.office.mark, self.challenger, self.champion, str(self.snapshot), self.outcome)
        return hashlib.sha256("|".join(parts).encode()).hexdigest()[:32]

    @property
    def metrics(self) -> dict[str, float]:
        """Its finite numbers by name."""
        numbers = {k: float(v) for k, v in asdict(self).items() if isinstance(v, float | int)}
        sides = ("challenger", "champion")
        for name, means in self.others.items():
            numbers |= {f"{name}_{side}": x for side, x in zip(sides, means, strict=True)}
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
        known = {**fields, **ends}
        if "log_loss_challenger" in known:
            both = ("log_loss_challenger", "log_loss_champion")
            known["others"] = {"log_loss": [known.pop(name) for name in both]}
        return cls(**known)


@dataclass(frozen=True)
class Comparison:
    """Losses (n,) of both on the same rows that count for the loss, with their sessions (n,).

    others: the means of each loss that must not be harmed, challenger's and champion's, over all
    rows. overlap: sessions that one label spans.
    """

    loss: Loss
    challenger: Floats
    champion: Floats
    sessions: Stamps
    others: Sequence[tuple[Loss, float, float]] = ()
    overlap: int = 1


def compare(ours: Forecasts, theirs: Forecasts, truth: Truth, sessions: Stamps) -> Comparison:
    """Challenger's and champion's forecasts of the same rows, as the contest looks at them."""
    loss, *rest = ours.objective.judged
    challenger, champion = loss.of(ours, truth), loss.of(theirs, truth)
    counts = np.isfinite(challenger) & np.isfinite(champion)
    others = [(one, _mean(one.of(ours, truth)), _mean(one.of(theirs, truth))) for one in rest]
    return Comparison(loss, challenger[counts], champion[counts], sessions[counts], others)


def _mean(losses: Floats) -> float:
    counts = np.isfinite(losses)
    return float(losses[counts].sum()) / max(int(counts.sum()), 1)


@dataclass(frozen=True)
class Parties:
    """Who contests for which office: bundle hashes, and the loads that were seen."""

    universe: str
    target: str
    challenger: str
    champion: str
    snapshot: int


@dataclass(frozen=True)
class Found:
    """A contest's own gain, and that of all contests so far with the level it is held to; alone:
    the level at which its own is enough."""

    own: Estimate
    all: Estimate
    all_sessions: int
    level: float
    counted: Mapping[str, Sequence[float]]
    alone: float = 0.0


def decide(
    parties: Parties, found: Comparison, rules: Rules, earlier: Sequence[Decision] = ()
) -> Decision:
    """Promote the challenger only when its gain is large and sure enough, else keep the champion.

    earlier: all contests of this champion before, in any order. Each session counts once, as the
    first contest that saw it found it: what a later one adds could not be foreseen, whatever its
    challenger has in common with those before. One that has learnt what they could not know, as
    after a change of the market, may be sure by its own sessions alone: for that each contest has
    of a small level as much as it adds sessions.
    """
    days, gains, rows = per_session(found.champion - found.challenger, found.sessions)
    if not len(days):
        nothing = Estimate(0.0, inf, 0)
        return _decision(parties, found, Found(nothing, nothing, 0, 0.0, {}), _NONE)
    sums = {str(d): [g, r] for d, g, r in zip(days, gains.tolist(), rows.tolist(), strict=True)}
    whole = _pooled(ratio(gains, rows, found.overlap), sums, earlier, rules, found.overlap)
    doubt = (
        _doubt(rules, found.loss, len(days), whole.own)
        or _luck(whole, found.loss, len(earlier) + 1)
        or _harm(found.others)
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
    alone = rules.alone * min(1.0, len(counted) / YEAR)
    return Found(own, ratio(gains, rows, overlap), len(seen), level, counted, alone)


def _doubt(rules: Rules, loss: Loss, sessions: int, own: Estimate) -> str:
    if sessions < rules.minimum_sessions:
        return f"{sessions} sessions are fewer than {rules.minimum_sessions}"
    if not own.freedom:
        return f"{sessions} sessions are too few for labels that overlap so far"
    gain = f"gain {own.value:+.5f} {loss.unit}"
    if own.value < loss.margin:
        return f"{gain} is below the margin {loss.margin}"
    if own.p_value >= rules.level:
        return f"{gain} is unsure: p = {own.p_value:.3f}, needed below {rules.level}"
    return ""


def _luck(found: Found, loss: Loss, contests: int) -> str:
    if found.all.p_value < found.level or found.own.p_value < found.alone:
        return ""
    return (
        f"gain {found.own.value:+.5f} {loss.unit} may be the luck of looking often: over all "
        f"{found.all_sessions} sessions of {contests} contests p = {found.all.p_value:.4f}, "
        f"needed below {found.level:.4f}, and alone p = {found.own.p_value:.6f}, needed below "
        f"{found.alone:.6f}"
    )


def _harm(others: Sequence[tuple[Loss, float, float]]) -> str:
    for loss, challenger, champion in others:
        if challenger - champion > loss.margin:
            harm = challenger - champion
            return f"over all rows its {loss.words} is larger by {harm:.5f} {loss.unit}"
    return ""


def _decision(parties: Parties, compared: Comparison, found: Found, doubt: str) -> Decision:
    own, loss = found.own, compared.loss
    low, high = own.interval()
    shown = f"gain {own.value:+.5f} {loss.unit}, p = {own.p_value:.4f}"
    return Decision(
        **asdict(parties),
        outcome=KEPT if doubt else PROMOTED,
        reason=f"no decision: {doubt}" if doubt else shown,
        n=len(compared.sessions),
        sessions=len(np.unique(compared.sessions)),
        gain=own.value,
        low=low,
        high=high,
        p_value=own.p_value,
        all_sessions=found.all_sessions,
        all_gain=found.all.value,
        all_p_value=found.all.p_value,
        all_level=found.level,
        alone_level=found.alone,
        counted=found.counted,
        loss=loss.name,
        unit=loss.unit,
        others={one.name: [ours, theirs] for one, ours, theirs in compared.others},
    )
