"""Whether values at risk and expected shortfalls held: tests of one number per session.

Symbols of one session fall together, so that their violations are no independent ones: a book of
them is tested. Each test stands beside its power, the chance that it finds a stated fault: with few
sessions hardly any fault is found, and a test that passes says little.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import exp

import numpy as np

from training.forecast import Floats

_LEVEL = 0.05
_DRAWS = 2000
# Of the fault that power is told for: losses are larger than was said, or violations cluster.
LARGER, CLUSTERED = 1.2, 0.25


@dataclass(frozen=True)
class Verdict:
    """statistic: violations of Kupiec's test, the Weibull shape of that of durations (1: without
    memory), Z2 of Acerbi and Szekely (0: right, above: more was lost). power: the chance to find
    the fault at 5 %. NaN where violations are too few to tell.
    """

    test: str
    statistic: float
    p_value: float
    power: float

    @property
    def holds(self) -> bool:
        """Whether it is not refused at 5 %."""
        return not self.p_value < _LEVEL


def backtest(lost: Floats, at_risk: Floats, mean: Floats, level: float) -> list[Verdict]:
    """Kupiec (1995), Christoffersen and Pelletier (2004), Acerbi and Szekely's Z2 (2014).

    lost, at_risk, mean: of each session in order, (n,), losses above 0. The fault of the first and
    third is that losses are LARGER times what was said, that of the second a chance of CLUSTERED
    for a violation after one.
    """
    from vartests import binomial_power, duration_test, kupiec_test

    hits = (lost > at_risk).astype(int)
    rate = _more_often(at_risk, mean, level)
    often = kupiec_test(hits, level)
    power = binomial_power(len(hits), level, rate, alternative="two-sided")["power"]
    apart = duration_test(hits)
    found = shortfall(lost, at_risk, mean, level)
    return [
        Verdict("kupiec", float(hits.sum()), float(often["p-value"]), float(*power.values())),
        Verdict(
            "christoffersen",
            float(apart["weibull shape (b)"]),
            float(apart["p-value"]),
            _found_clusters(len(hits), 1.0 - level),
        ),
        found,
    ]


def shortfall(lost: Floats, at_risk: Floats, mean: Floats, level: float) -> Verdict:
    """Z2 of Acerbi and Szekely (2014), "Backtesting expected shortfall", one-sided.

    The losses beyond the value at risk, over the shortfall, added up: on average as many as the
    sessions times the chance. Its law is that of losses whose tail is exponential with the foretold
    value at risk and shortfall.
    """
    chance = 1.0 - level

    def z2(x: Floats) -> Floats:
        return np.asarray((np.where(x > at_risk, x / mean, 0.0)).mean(axis=-1) / chance - 1.0)

    random, own = np.random.default_rng(7), float(z2(lost))
    drawn, larger = np.empty(_DRAWS), np.empty(_DRAWS)
    for i in range(_DRAWS):
        beyond = random.exponential(size=len(lost)) + np.log(chance)
        x = at_risk + (mean - at_risk) * beyond
        drawn[i], larger[i] = z2(x), z2(LARGER * x)
    power = float(np.mean(larger > np.quantile(drawn, 1.0 - _LEVEL)))
    p_value = float((1 + (drawn >= own).sum()) / (1 + _DRAWS))
    return Verdict("acerbi_szekely_z2", own, p_value, power)


def _more_often(at_risk: Floats, mean: Floats, level: float) -> float:
    # How often the value at risk is exceeded when losses are LARGER, by the same exponential tail.
    beyond = max(float(np.mean(mean - at_risk)), 1e-3 * float(np.mean(at_risk)))
    below = (1.0 - 1.0 / LARGER) * float(np.mean(at_risk)) / beyond
    return min((1.0 - level) * exp(min(below, 5.0)), 0.5)


@lru_cache(maxsize=16)
def _found_clusters(sessions: int, chance: float, times: int = 200) -> float:
    from vartests import duration_test

    # A chain of two states with that share of violations.
    otherwise = chance * (1.0 - CLUSTERED) / (1.0 - chance)
    random, refused = np.random.default_rng(7), 0
    for _ in range(times):
        draws, hits, before = random.random(sessions), np.zeros(sessions, int), False
        for i, draw in enumerate(draws.tolist()):
            before = draw < (CLUSTERED if before else otherwise)
            hits[i] = before
        refused += bool(duration_test(hits)["p-value"] < _LEVEL)
    return refused / times
