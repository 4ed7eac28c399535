"""No number without its baseline and its interval: out-of-sample scores over all folds."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import inf, isfinite
from typing import Any

import numpy as np

from contracts.expected import Expected
from training.evidence.intervals import estimate
from training.evidence.score import Scores, tally
from training.evidence.walk import Walk, tested
from training.objective import OBJECTIVES, Forecasts, Objective
from training.samples.folds import Fold
from training.samples.samples import Samples

# The shares of rows that a curve of coverage is made of.
SHARES = tuple(tenth / 10 for tenth in range(1, 11))
CONFIDENCE = "confidence"


class LeakUntilExplained(Expected, ValueError):
    """A result looks too good to be true; the message says what to do."""


@dataclass(frozen=True)
class Value:
    """A number with the ends of its 95 % interval; infinite ones where sessions are too few."""

    value: float
    low: float
    high: float

    @classmethod
    def parse(cls, fields: Mapping[str, Any]) -> "Value":
        """The value of its fields; JSON holds no infinity, and has null for it."""
        low, high = fields["low"], fields["high"]
        return cls(fields["value"], -inf if low is None else low, inf if high is None else high)

    def told(self, shape: str) -> str:
        """As people read it, each number in the shape of a format, such as `+.4f`."""
        if not isfinite(self.low):
            return f"{self.value:{shape}} (too few sessions)"
        return f"{self.value:{shape}} [{self.low:{shape}}, {self.high:{shape}}]"


@dataclass(frozen=True)
class Evidence:
    """Scores of an expert or ensemble beside all others on the same out-of-sample rows.

    scores: name -> metric -> Value, for each forecaster and baseline. beside: other -> metric ->
    Value of the paired difference, this one minus the other. null: metric -> scores of the
    expert when its training rows' truth is permuted. ambiguous: the share of the rows whose label
    rests on a rule about what one bar leaves open (docs/labels.md). objective: that of the answers;
    evidence of before names none. coverage: share of the rows, the surest first -> metric -> Value
    over these alone, and their least CONFIDENCE; where the answers tell how sure they are. luck:
    how much of its gain may be luck (`training.evidence.luck.Luck`); where sessions are enough.
    """

    expert: str
    n: int
    sessions: int
    first: str
    last: str
    folds: int
    scores: Mapping[str, Mapping[str, Value]]
    beside: Mapping[str, Mapping[str, Value]]
    null: Mapping[str, list[float]]
    explained: str = ""
    ambiguous: float = 0.0
    objective: str = "trend"
    coverage: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)
    luck: Mapping[str, Any] = field(default_factory=dict)

    @property
    def own(self) -> Mapping[str, Value]:
        """The expert's own scores."""
        return self.scores[self.expert]

    def as_json(self) -> dict[str, Any]:
        """Plain values, as `parse` takes them."""
        return asdict(self)

    @classmethod
    def parse(cls, fields: Mapping[str, Any]) -> "Evidence":
        """The evidence that `as_json` wrote."""

        def values(table: Mapping[str, Any]) -> dict[str, dict[str, Value]]:
            return {k: {m: Value.parse(v) for m, v in row.items()} for k, row in table.items()}

        tables = ("scores", "beside", "coverage")
        parsed = {name: values(fields[name]) for name in tables if name in fields}
        return cls(**{**fields, **parsed})


def gather(
    walks: Mapping[str, Walk],
    samples: Samples,
    folds: Sequence[Fold],
    overlap: int = 1,
    baselines: Mapping[str, Forecasts] | None = None,
) -> dict[str, Evidence]:
    """Evidence of each forecaster by name: all, and the objective's baselines, on the same rows.

    walks: what each said of the folds' test rows. overlap: sessions that one label spans.
    baselines: what they say, where somebody asked them already. Deterministic in its arguments.
    """
    test = samples.take(tested(folds))
    said = {name: walked.forecasts for name, walked in walks.items()}
    objective = next(iter(said.values())).objective
    told = answers_of(objective, samples, folds) if baselines is None else baselines
    said |= {name: answer for name, answer in told.items() if name not in said}
    rows = {name: tally(answer, test.truth, test.sessions) for name, answer in said.items()}
    scored = {name: Scored(row.scores(), row.left_out(), overlap) for name, row in rows.items()}
    scores = {name: row.values() for name, row in scored.items()}
    return {
        name: Evidence(
            expert=name,
            n=len(test),
            sessions=len(np.unique(test.sessions)),
            first=str(test.sessions[0]),
            last=str(test.sessions[-1]),
            folds=len(folds),
            scores=scores,
            beside={
                other: scored[name].beside(row).values()
                for other, row in scored.items()
                if other != name
            },
            null={metric: list(values) for metric, values in walked.null.items()},
            ambiguous=float(test.ambiguous.mean()),
            objective=objective.name,
            coverage=covered(walked.forecasts, test, overlap),
        )
        for name, walked in walks.items()
    }


def answers_of(
    objective: Objective, samples: Samples, folds: Sequence[Fold]
) -> dict[str, Forecasts]:
    """What the objective's baselines say of `tested(folds)`, by name."""
    return {
        name: _joined([baseline(samples.take(f.train), samples.take(f.test)) for f in folds])
        for name, baseline in objective.baselines.items()
    }


def covered(said: Forecasts, test: Samples, overlap: int = 1) -> dict[str, dict[str, Value]]:
    """The scores of who answers the surest rows only, by the share that is answered.

    Empty where the answers do not tell how sure they are.
    """
    sure = said.objective.head.confidence(said.values)
    if sure is None or not len(test):
        return {}
    order, found = np.argsort(-sure, kind="stable"), {}
    for share in SHARES:
        rows = np.sort(order[: max(1, round(share * len(order)))])
        least = float(sure[rows].min())
        part = Forecasts(
            said.objective, said.values[rows], None if said.named is None else said.named[rows]
        )
        row = tally(part, test.truth[rows], test.sessions[rows])
        scored = Scored(row.scores(), row.left_out(), overlap)
        found[f"{share:.0%}"] = scored.values() | {CONFIDENCE: Value(least, least, least)}
    return found


def require_plausible(evidence: Evidence, explained: str) -> None:
    """Raise LeakUntilExplained when the objective finds it too good and no reason is given."""
    scores = {metric: found.value for metric, found in evidence.own.items()}
    doubt = OBJECTIVES.get(evidence.objective).implausible(scores)
    if doubt and not explained:
        raise LeakUntilExplained(
            f"{evidence.expert}: {doubt}, which is a leak until explained: look for a feature that "
            'knows the future; if there is none, run it again with --explained "why"'
        )


@dataclass(frozen=True)
class Scored:
    """Scores on all rows, and with each session left out."""

    point: Scores
    left_out: Scores
    overlap: int

    def values(self) -> dict[str, Value]:
        """Each metric with its interval."""
        found = {}
        for metric, scores in self.point.items():
            value = float(scores[0])
            known = estimate(value, self.left_out[metric], self.overlap)
            found[metric] = Value(value, *known.interval())
        return found

    def beside(self, other: "Scored") -> "Scored":
        """The paired differences: this one's scores minus the other's."""
        return Scored(
            {m: self.point[m] - other.point[m] for m in self.point},
            {m: self.left_out[m] - other.left_out[m] for m in self.point},
            self.overlap,
        )


def _joined(answers: Sequence[Forecasts]) -> Forecasts:
    return Forecasts(
        answers[0].objective,
        np.concatenate([a.values for a in answers]),
        named=np.concatenate([a.point for a in answers]),
    )
