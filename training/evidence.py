"""No number without its baseline and its interval: out-of-sample scores over all folds."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from training.baselines import BASELINES
from training.bootstrap import Blocks, interval
from training.expert import Expert
from training.folds import Fold, WalkForward
from training.forecast import Forecasts
from training.samples import Samples
from training.score import METRICS, Tally, tally

TOO_GOOD = 0.60
PERMUTATIONS = 3


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
    """Scores of an expert beside its baselines on the same out-of-sample rows.

    scores: name -> metric -> Value, for the expert and each baseline. beside: baseline ->
    metric -> Value of the paired difference expert minus baseline. null: metric -> scores of the
    expert when its training labels are permuted.
    """

    expert: str
    hyperparameters: Mapping[str, Any]
    n: int
    sessions: int
    first: str
    last: str
    folds: int
    scores: Mapping[str, Mapping[str, Value]]
    beside: Mapping[str, Mapping[str, Value]]
    null: Mapping[str, list[float]]
    explained: str = ""

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


def gather(expert: Expert[Any], samples: Samples, cut: WalkForward, blocks: Blocks) -> Evidence:
    """Fit on each fold, forecast what came after, score all of it together.

    Deterministic in its arguments. Raises TrainingError, ShuffledTime.
    """
    folds = cut.split(samples)
    test = samples.take(np.concatenate([f.test for f in folds]))
    rows = {expert.name: _score(test, (_forecast(expert, samples, f) for f in folds))}
    for name, baseline in BASELINES.items():
        answers = (baseline(samples.take(f.train), samples.take(f.test)) for f in folds)
        rows.setdefault(name, _score(test, answers))
    weights = blocks.weights(len(rows[expert.name].sessions))
    return Evidence(
        expert=expert.name,
        hyperparameters=expert.hyperparameters(),
        n=len(test),
        sessions=len(weights[0]),
        first=str(test.sessions[0]),
        last=str(test.sessions[-1]),
        folds=len(folds),
        scores={name: _values(row, weights) for name, row in rows.items()},
        beside={
            name: _differences(rows[expert.name], row, weights)
            for name, row in rows.items()
            if name != expert.name
        },
        null=_null(expert, samples, folds[-1], blocks.seed),
    )


def require_plausible(evidence: Evidence, explained: str) -> None:
    """Raise LeakUntilExplained when the accuracy is above TOO_GOOD and no reason is given."""
    accuracy = evidence.scores[evidence.expert]["accuracy"].value
    if accuracy > TOO_GOOD and not explained:
        raise LeakUntilExplained(
            f"{evidence.expert} is right in {accuracy:.1%} of {evidence.n} rows, above "
            f"{TOO_GOOD:.0%}: a leak until explained; find it, or run the verb again with "
            '--explained "reason"'
        )


def mean_log_loss(expert: Expert[Any], samples: Samples, cut: WalkForward) -> float:
    """The mean of the folds' out-of-sample log losses: what tuning makes small."""
    scores = [
        _score(samples.take(f.test), [_forecast(expert, samples, f)]).scores()["log_loss"][0]
        for f in cut.split(samples)
    ]
    return float(np.mean(scores))


def _forecast(expert: Expert[Any], samples: Samples, fold: Fold) -> Forecasts:
    fitted = expert.fit(samples.take(fold.train))
    return expert.predict(fitted, samples.values[fold.test])


def _score(test: Samples, answers: Iterable[Forecasts]) -> Tally:
    parts = list(answers)
    whole = Forecasts(
        np.concatenate([p.probabilities for p in parts]),
        hard=np.concatenate([p.labels for p in parts]),
    )
    return tally(whole, test.labels, test.sessions)


def _values(row: Tally, weights: np.ndarray[Any, Any]) -> dict[str, Value]:
    point, drawn = row.scores(), row.scores(weights)
    return {m: Value(float(point[m][0]), *interval(drawn[m])) for m in METRICS}


def _differences(left: Tally, right: Tally, weights: np.ndarray[Any, Any]) -> dict[str, Value]:
    a, b = left.scores(), right.scores()
    drawn_a, drawn_b = left.scores(weights), right.scores(weights)
    return {m: Value(float(a[m][0] - b[m][0]), *interval(drawn_a[m] - drawn_b[m])) for m in METRICS}


def _null(expert: Expert[Any], samples: Samples, fold: Fold, seed: int) -> dict[str, list[float]]:
    # The newest fold only: three fits more, and it has the most training rows.
    train, test = samples.take(fold.train), samples.take(fold.test)
    random = np.random.default_rng(seed)
    found: dict[str, list[float]] = {m: [] for m in METRICS}
    for _ in range(PERMUTATIONS):
        mixed = train.relabelled(random.permutation(train.labels))
        answer = expert.predict(expert.fit(mixed), test.values)
        scores = tally(answer, test.labels, test.sessions).scores()
        for metric in METRICS:
            found[metric].append(float(scores[metric][0]))
    return found
