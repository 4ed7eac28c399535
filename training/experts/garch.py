"""GARCH with a leverage term (Glosten, Jagannathan and Runkle, 1993), fitted by `arch`.

One set of terms for all instruments, on returns in units of each one's own long-run volatility,
which is the level that its variance returns to (variance targeting: Engle and Mezrich, 1996).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from training.bundle.models.garch import Garch, Terms
from training.bundle.models.loglinear import moment_of
from training.expert import Expert, Span, expert
from training.forecast import Floats, Head, Value
from training.objectives.volatility import FLOOR
from training.samples.samples import MINIMUM_ROWS, Samples

RETURNS, LEVEL = "return_1", "realised_volatility_252"
# RiskMetrics' decay, where there are too few rows to fit on.
_USUAL = (0.06, 0.0, 0.93)
_STATIONARY = 0.999
_SHARES = np.linspace(0.0, 1.0, 41)


@expert("garch", heads=(Value,), libraries=("arch", "numpy"))
@dataclass(frozen=True)
class GarchExpert(Expert[Garch]):
    """window: returns that the recursion runs over. rows: at most that many are fitted on, those
    of some instruments, evenly chosen. floor: of volatilities and truths.
    """

    window: int = 44
    rows: int = 200_000
    floor: float = FLOOR

    def fit(self, samples: Samples, head: Head) -> Garch:
        """The terms by quasi-likelihood; what lasts, and the factor, by QLIKE."""
        samples.require_trainable()
        moment_of(head)
        truth = np.maximum(samples.truth, self.floor) ** 2
        shock, fall, kept = self._terms(samples)
        terms = Terms(shock, fall, kept, float(truth.mean()), floor=self.floor)
        places = samples.features.index(RETURNS), samples.features.index(LEVEL)
        plain = Garch(terms, *places, self.window, head)
        found = samples.answers(self.window, lambda x: np.column_stack(plain.variances(x)))
        return replace(plain, terms=self._lasting(terms, found, truth))

    @classmethod
    def space(cls) -> Mapping[str, Span]:
        """From a month to a quarter."""
        return {"window": Span(22, 66, whole=True)}

    def _terms(self, samples: Samples) -> tuple[float, float, float]:
        moved, level = (samples.column(name).astype(np.float64) for name in (RETURNS, LEVEL))
        known = np.isfinite(moved) & np.isfinite(level)
        order = np.argsort(samples.instruments[known], kind="stable")
        scaled = (moved[known] / np.maximum(level[known], self.floor))[order]
        if len(scaled) < MINIMUM_ROWS or not scaled.any():
            return _USUAL
        chosen = scaled[_some(samples.instruments[known][order], self.rows)]
        return _fitted(chosen / max(chosen.std(), self.floor))

    def _lasting(self, terms: Terms, found: Floats, truth: Floats) -> Terms:
        best: tuple[float, Terms] | None = None
        for share in _SHARES.tolist():
            said = np.maximum(found[:, 0] + share * found[:, 1], self.floor**2)
            factor = float(np.mean(truth / said))
            loss = float(np.log(factor) + np.mean(np.log(said)))
            if best is None or loss < best[0]:
                best = loss, replace(terms, lasting=share, factor=factor)
        assert best is not None
        return best[1]


def _some(names: np.ndarray, rows: int) -> np.ndarray:
    found, place = np.unique(names, return_inverse=True)
    count = max(1, min(len(found), rows * len(found) // len(names)))
    chosen = np.zeros(len(found), bool)
    chosen[np.linspace(0, len(found) - 1, count).round().astype(int)] = True
    return np.asarray(chosen[place])


def _fitted(scaled: Floats) -> tuple[float, float, float]:
    from arch import arch_model

    model = arch_model(scaled, mean="Zero", vol="GARCH", p=1, o=1, q=1, rescale=False)
    found = model.fit(disp="off", show_warning=False).params
    shock, fall, kept = (float(found[name]) for name in ("alpha[1]", "gamma[1]", "beta[1]"))
    over = max(1.0, (shock + fall / 2.0 + kept) / _STATIONARY)
    return shock / over, fall / over, kept / over
