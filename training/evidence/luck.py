"""How much of a gain may be the luck of having tried many: by Sharpe ratios and by bootstraps.

A forecaster's gain in a session is by how much its mean deciding loss lies below that of the
objective's plainest forecaster, its champion zero. Of an objective whose loss is a negative profit
that is the profit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import inf, sqrt
from typing import Any

import numpy as np

from training.evidence.intervals import per_session
from training.forecast import Floats
from training.objective import Forecasts
from training.samples.samples import Samples

SIZE = 0.05  # of the step-down test
SET_SIZE = 0.10  # the confidence set leaves out the best with that chance
_REPEATS = 1000
_SPLITS = 10
_LEAST = 4 * _SPLITS  # sessions; fewer tell nothing
_SEED = 7


@dataclass(frozen=True)
class Trials:
    """What was tried before: how many trials, and the Sharpe ratios of gains that are known."""

    count: int = 0
    sharpes: Sequence[float] = ()


@dataclass(frozen=True)
class Luck:
    """What a forecaster's gain per session tells once all that was tried is counted.

    sharpe: mean over deviation of the gain, per session, with its error, which allows for labels
    that overlap. trials: N; spread: the deviation of Sharpe ratios over the other trials; expected:
    the largest one that N trials without skill show. probabilistic, deflated: the chances that the
    true ratio is above 0, and above `expected`. Of all forecasters of the recipe alike:
    overfitting, the probability that the best of one half of time is below the median of the other
    (PBO); spa, the p-value that none beats champion zero; better: those that surely do (step-down);
    among_best: the model confidence set.
    """

    sharpe: float
    error: float
    trials: int
    spread: float
    expected: float
    probabilistic: float
    deflated: float
    overfitting: float | None = None
    spa: float | None = None
    better: Sequence[str] = field(default_factory=list)
    among_best: Sequence[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def session_losses(said: Mapping[str, Forecasts], test: Samples) -> dict[str, Floats]:
    """The mean deciding loss of each forecaster in each session in which rows count for all."""
    found: dict[str, Floats] = {}
    losses = {n: one.objective.judged[0].of(one, test.truth) for n, one in said.items()}
    counts = np.all([np.isfinite(each) for each in losses.values()], axis=0)
    for name, each in losses.items():
        _, sums, rows = per_session(each[counts], test.sessions[counts])
        found[name] = sums / rows
    return found


def judge(
    losses: Mapping[str, Floats], zero: str, tried: Sequence[str], trials: Trials, overlap: int = 1
) -> dict[str, Luck]:
    """The luck of each of the forecasters that were `tried`, by name.

    losses: of all forecasters, baselines included, per session; zero: which of them gains are
    measured from. overlap: sessions that one label spans. Those that gain nothing in any session
    have none, and so has nobody where sessions are too few.
    """
    names = [name for name in tried if name != zero and np.ptp(losses[zero] - losses[name]) > 0]
    if not names or len(losses[zero]) < _LEAST:
        return {}
    gains = {name: losses[zero] - losses[name] for name in names}
    own = [sharpe(each) for each in gains.values()]
    shared = _shared(losses, zero, names, max(10, 2 * overlap))
    count = max(trials.count, len(names))
    found = {}
    for place, (name, each) in enumerate(gains.items()):
        others = [*trials.sharpes, *own[:place], *own[place + 1 :]]
        found[name] = _luck(each, Trials(count, others), overlap, shared)
    return found


def sharpe(gains: Floats) -> float:
    """Mean over deviation, per session."""
    return float(gains.mean() / gains.std())


@dataclass(frozen=True)
class Ratio:
    """A Sharpe ratio with its standard error, and the degrees of freedom that the error rests on.

    freedom: infinite where sessions do not depend on each other.
    """

    value: float
    error: float
    freedom: float

    def above(self, other: float) -> float:
        """The chance that the true ratio is larger than another number."""
        from scipy.special import ndtr, stdtr

        far = (self.value - other) / self.error
        return float(ndtr(far) if self.freedom == inf else stdtr(self.freedom, far))


def ratio_of(gains: Floats, overlap: int = 1) -> Ratio:
    """The Sharpe ratio of gains (n,), each made of labels that span `overlap` sessions.

    The variance of its influence function is 1 - skew SR + (kurtosis - 1) SR^2 / 4, as in Bailey
    and Lopez de Prado (2012); here its long-run variance (Newey and West 1987), whose degrees of
    freedom are 3 n / 2 over its lags (Lazarus, Lewis, Stock and Watson 2018).
    """
    from arch.covariance.kernel import Bartlett

    n, scaled = len(gains), (gains - gains.mean()) / gains.std()
    influence = scaled - sharpe(gains) / 2 * (scaled**2 - 1)
    # Bartlett's weights fall to 0: with twice the overlap all that depends counts half at least.
    lags = min(2 * (overlap - 1), n // 2)
    variance = float(np.squeeze(Bartlett(influence, bandwidth=lags).cov.long_run))
    freedom = 1.5 * n / (lags + 1) if lags else inf
    return Ratio(sharpe(gains), sqrt(variance / (n - 1)), freedom)


def _luck(gains: Floats, trials: Trials, overlap: int, shared: Mapping[str, Any]) -> Luck:
    from purgedcv import deflated_sharpe_ratio_full

    found = ratio_of(gains, overlap)
    # One Sharpe ratio has no spread: then what equals in skill would show by chance.
    spread = float(np.std(trials.sharpes, ddof=1)) if len(trials.sharpes) > 1 else found.error
    expected = deflated_sharpe_ratio_full(gains, trials.count, spread**2).sr_star
    return Luck(
        sharpe=found.value,
        error=found.error,
        trials=trials.count,
        spread=spread,
        expected=expected,
        probabilistic=found.above(0.0),
        deflated=found.above(expected),
        **shared,
    )


def _shared(
    losses: Mapping[str, Floats], zero: str, names: Sequence[str], block: int
) -> dict[str, Any]:
    from arch.bootstrap import MCS, SPA
    from purgedcv import probability_of_backtest_overfitting

    options: dict[str, Any] = {"reps": _REPEATS, "block_size": block, "seed": _SEED}
    models = np.column_stack([losses[name] for name in names])
    spa = SPA(losses[zero], models, **options)
    spa.compute()
    all_of_them = float(spa.pvalues["consistent"])
    # Two who always say the same have no difference whose error could be told.
    alone = _different(losses, [zero, *(name for name in losses if name != zero)])
    kept = MCS(np.column_stack([losses[name] for name in alone]), SET_SIZE, **options)
    kept.compute()
    overfitting = None
    if len(names) > 1:
        gains = np.stack([losses[zero] - losses[name] for name in names])
        overfitting = float(probability_of_backtest_overfitting(gains, _SPLITS).pbo)
    return {
        "overfitting": overfitting,
        "spa": all_of_them,
        "better": [names[place] for place in _better(spa, len(names))],
        "among_best": [alone[place] for place in np.asarray(kept.included, dtype=int)],
    }


def _better(spa: Any, count: int) -> list[int]:
    # Step by step those who are surely better are found and set aside (Romano and Wolf 2005);
    # `arch.bootstrap.StepM` fails where a later step leaves nobody.
    left, found = np.ones(count, dtype=bool), list[int]()
    while left.any():
        spa.subset(left)
        spa.compute()
        better = [int(place) for place in spa.better_models(SIZE)]
        if not better:
            break
        found += better
        left[better] = False
    return sorted(found)


def _different(losses: Mapping[str, Floats], names: Sequence[str]) -> list[str]:
    found: list[str] = []
    for name in names:
        if all(np.ptp(losses[name] - losses[other]) > 0 for other in found):
            found.append(name)
    return found
