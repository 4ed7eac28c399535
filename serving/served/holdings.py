"""The risk of a portfolio, from what its members did: facts of the store, and plain statistics."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np

from contracts.cut import Cut
from contracts.expected import Expected
from contracts.store import Store
from training.forecast import Floats

LEVELS = (0.95, 0.99)
# Fewer tell nothing of one session in a hundred.
FEWEST = 60
_CONFIDENCE = 0.95


class TooFewSessions(Expected, ValueError):
    """The members of a portfolio have too little history in common; the message names them."""


@dataclass(frozen=True)
class Returns:
    """Total returns of sessions, (sessions, members), in the order of `symbols`; NaN: no trade."""

    sessions: tuple[date, ...]
    symbols: tuple[str, ...]
    values: Floats


def returns(store: Store, cut: Cut, symbols: Mapping[str, str]) -> Returns:
    """Of each instrument (symbol -> id) in the sessions of the cut, as known at its end.

    Raises NoFacts, NotASession.
    """
    from features.facts.facts import Request, read
    from features.facts.panels import newest_panel

    panel = newest_panel(read(store, Request(cut, reach=2, inputs=())))
    days = np.array(cut.sessions, dtype="datetime64[D]")
    places = {name: k for k, name in enumerate(panel.instruments)}
    found = np.full((len(days), len(symbols)), np.nan)
    for k, instrument in enumerate(symbols.values()):
        if (segment := places.get(instrument)) is None:
            continue
        rows = slice(panel.offsets[segment], panel.offsets[segment + 1])
        total, session = panel.columns["total"][rows], panel.session[rows]
        own = np.append(np.nan, total[1:] / total[:-1] - 1.0)
        at = np.searchsorted(days, session)
        inside = (at < len(days)) & (days[np.minimum(at, len(days) - 1)] == session)
        found[at[inside], k] = own[inside]
    return Returns(tuple(cut.sessions), tuple(symbols), found)


def risk(told: Returns, weights: Mapping[str, float]) -> dict[str, object]:
    """VaR, ES, volatility, drawdown, beta and stress of the weights, held by daily rebalancing.

    All are of one session and of historical simulation unless they say otherwise; losses are
    positive fractions. The market is the equal weight of all symbols told of. Raises
    TooFewSessions.
    """
    chosen = [told.symbols.index(symbol) for symbol in weights]
    own = told.values[:, chosen]
    whole = np.asarray(np.isfinite(own).all(axis=1))
    if whole.sum() < FEWEST:
        counts = np.isfinite(own).sum(axis=0)
        least = min(zip(counts.tolist(), weights, strict=True))
        raise TooFewSessions(
            f"expected at least {FEWEST} sessions in which all members traded, found "
            f"{whole.sum()} (the fewest has {least[1]}, {least[0]}): ask without it"
        )
    made = own[whole] @ np.array(list(weights.values()))
    market = np.nanmean(told.values[whole], axis=1)
    days = [day for day, kept in zip(told.sessions, whole, strict=True) if kept]
    wealth = np.cumprod(np.append(1.0, 1.0 + made))
    fall = 1.0 - wealth / np.maximum.accumulate(wealth)
    beta = _beta(made, market)
    return {
        "sessions": len(made),
        "first": days[0],
        "last": days[-1],
        **{f"var_{level:.0%}"[:-1]: _quantile(made, level) for level in LEVELS},
        **{f"es_{level:.0%}"[:-1]: _shortfall(made, level) for level in LEVELS},
        **{f"var_{level:.0%}"[:-1] + "_interval": _interval(made, level) for level in LEVELS},
        "volatility": float(made.std(ddof=1)),
        "max_drawdown": float(fall.max()),
        "beta": beta,
        "stress": {
            "worst_session": _worst(made, days, 1),
            "worst_5_sessions": _worst(made, days, 5),
            "worst_session_of_the_market": _at(made, market, days),
            "market_falls_by_10_percent": {"return": -0.1 * beta},
        },
    }


def _quantile(made: Floats, level: float) -> float:
    return max(-float(np.quantile(made, 1 - level)), 0.0)


def _shortfall(made: Floats, level: float) -> float:
    # Of the sample's own tail, the session on its edge by its share (Acerbi and Tasche, 2002).
    ordered, share = np.sort(made), (1 - level) * len(made)
    whole = int(share)
    edge = (share - whole) * ordered[whole] if whole < len(made) else 0.0
    return max(-float((ordered[:whole].sum() + edge) / share), 0.0)


def _interval(made: Floats, level: float) -> list[float]:
    """Of the quantile, by order statistics: for sessions that are independent of each other."""
    from scipy.stats import binom

    ordered, n = np.sort(made), len(made)
    ends = [
        float(binom.ppf(p, n, 1 - level)) for p in ((1 - _CONFIDENCE) / 2, (1 + _CONFIDENCE) / 2)
    ]
    low, high = (ordered[int(np.clip(end, 0, n - 1))] for end in (ends[0] - 1, ends[1]))
    return [max(-float(high), 0.0), max(-float(low), 0.0)]


def _beta(made: Floats, market: Floats) -> float:
    spread = float(market.var())
    return (
        float(np.mean((made - made.mean()) * (market - market.mean())) / spread) if spread else 0.0
    )


def _worst(made: Floats, days: list[date], count: int) -> dict[str, object]:
    sums = np.lib.stride_tricks.sliding_window_view(1.0 + made, count).prod(axis=1) - 1.0
    at = int(sums.argmin())
    return {"return": float(sums[at]), "first": days[at], "last": days[at + count - 1]}


def _at(made: Floats, market: Floats, days: list[date]) -> dict[str, object]:
    at = int(market.argmin())
    return {"return": float(made[at]), "market": float(market[at]), "session": days[at]}
