"""No number without its baseline and its interval: out-of-sample scores over all folds."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from training.baselines import BASELINES
from training.bootstrap import Blocks, interval
from training.folds import Fold
from training.forecast import Forecasts
from training.samples import Samples
from training.score import METRICS, Scores, tally
from training.walk import Walk, tested

TOO_GOOD = 0.60


class LeakUntilExplained(ValueError):
    """A result looks too good to be true; the message says what to do."""


@dataclass(frozen=True)
class Value:
    """A number with the ends of its 95 % block-bootstrap interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Evidence:
    """Scores of an expert or ensemble beside all others on the same out-of-sample rows.

    scores: name -> metric -> Value, for each forecaster and baseline. beside: other -> metric ->
    Value of the paired difference, this one minus the other. null: metric -> scores of the
    expert when its training labels are permuted. ambiguous: the share of the rows whose label
    rests on a rule about what one bar leaves open (docs/labels.md).
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

    @property
    def log_loss(self) -> float:
        """The expert's out-of-sample log loss in nats."""
        return self.scores[self.expert]["log_loss"].value

    def as_json(self) -> dict[str, Any]:
        """Plain values, as `parse` takes them."""
        return asdict(self)

    @classmethod
    def parse(cls, fields: Mapping[str, Any]) -> "Evidence":
        """The evidence that `as_json` wrote."""

        def values(table: Mapping[str, Any]) -> dict[str, dict[str, Value]]:
            return {k: {m: Value(**v) for m, v in row.items()} for k, row in table.items()}

        parsed = {"scores": values(fields["scores"]), "beside": values(fields["beside"])}
        return cls(**{**fields, **parsed})


def gather(
    walks: Mapping[str, Walk], samples: Samples, folds: Sequence[Fold], blocks: Blocks
) -> dict[str, Evidence]:
    """Evidence of each forecaster by name: all of them and the baselines, on the same rows.

    walks: what each said of the folds' test rows. Deterministic in its arguments.
    """
    test = samples.take(tested(folds))
    said = {name: walked.forecasts for name, walked in walks.items()}
    for name, baseline in BASELINES.items():
        answers = [baseline(samples.take(f.train), samples.take(f.test)) for f in folds]
        said.setdefault(name, _joined(answers))
    rows = {name: tally(answer, test.labels, test.sessions) for name, answer in said.items()}
    weights = blocks.weights(len(np.unique(test.sessions)))
    drawn = {name: Drawn(row.scores(), row.scores(weights)) for name, row in rows.items()}
    scores = {name: _values(row) for name, row in drawn.items()}
    return {
        name: Evidence(
            expert=name,
            n=len(test),
            sessions=len(weights[0]),
            first=str(test.sessions[0]),
            last=str(test.sessions[-1]),
            folds=len(folds),
            scores=scores,
            beside={
                other: _differences(drawn[name], row)
                for other, row in drawn.items()
                if other != name
            },
            null={metric: list(values) for metric, values in walked.null.items()},
            ambiguous=float(test.ambiguous.mean()),
        )
        for name, walked in walks.items()
    }


def require_plausible(evidence: Evidence, explained: str) -> None:
    """Raise LeakUntilExplained when the accuracy is above TOO_GOOD and no reason is given."""
    accuracy = evidence.scores[evidence.expert]["accuracy"].value
    if accuracy > TOO_GOOD and not explained:
        raise LeakUntilExplained(
            f"{evidence.expert} is right in {accuracy:.1%} of {evidence.n} rows, above "
            f"{TOO_GOOD:.0%}: a leak until explained; find it, or run the verb again with "
            '--explained "reason"'
        )


@dataclass(frozen=True)
class Drawn:
    """Scores on all rows, and on each resample of their sessions."""

    point: Scores
    draws: Scores


def _joined(answers: Sequence[Forecasts]) -> Forecasts:
    return Forecasts(
        np.concatenate([a.probabilities for a in answers]),
        hard=np.concatenate([a.labels for a in answers]),
    )


def _values(row: Drawn) -> dict[str, Value]:
    return {m: Value(float(row.point[m][0]), *interval(row.draws[m])) for m in METRICS}


def _differences(left: Drawn, right: Drawn) -> dict[str, Value]:
    return {
        m: Value(
            float(left.point[m][0] - right.point[m][0]), *interval(left.draws[m] - right.draws[m])
        )
        for m in METRICS
    }
