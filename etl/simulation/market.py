"""Paths of prices: regimes of volatility, market and sector factors, splits, dividends.

Everything is drawn from streams named by (seed, instrument, quantity), each consumed one value
per session from EPOCH on. So an instrument's history does not depend on how many instruments or
sessions are asked for, and a longer history begins with the shorter one.

The planted effect. Let s be the mean polarity (-1, 0, 1) of an instrument's headlines since the
close before last and up to the close of session t, and m = tanh of its standardised return over
the five sessions up to t. The return from the open to the close of session t + 1 is raised by
(NEWS_EFFECT * s + MOMENTUM_EFFECT * m) times that session's open-to-close volatility. The return
from the close of t to the open of t + 1 is not touched: what is planted can be earned by entering
at the next open. With `noise` nothing is planted.
"""

import math
from bisect import bisect_left
from dataclasses import dataclass
from datetime import date
from functools import cached_property, lru_cache
from typing import Any
from zlib import crc32

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter

from contracts.time.calendar import all_sessions, sessions

EPOCH = date(2010, 1, 4)
# Saturdays on which Mumbai traded and the simulated exchange of that name does not.
RESTS = {"XNSE": (date(2024, 1, 20), date(2025, 2, 1))}
NEWS_EFFECT = 0.48
MOMENTUM_EFFECT = 0.21
MOMENTUM_SESSIONS = 5
OVERNIGHT_SHARE = 0.25  # of a session's variance, earned between the close and the next open
SECTORS = ("Energy", "Health", "Industry", "Software", "Finance")

Reals = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

_CALM_TO_WILD, _WILD_TO_CALM, _WILD = 0.015, 0.05, 2.2
_MARKET_VOLATILITY, _SECTOR_VOLATILITY = 0.006, 0.005
_SPLITS_PER_SESSION = 1 / (252 * 6)
_DIVIDEND_SESSIONS = 63


@dataclass(frozen=True)
class Market:
    """One simulated market: which sessions exist, and what is drawn for each."""

    seed: int
    calendar: str
    end: date
    noise: bool
    region: str = ""  # its own name for all streams: two exchanges share no shock

    @cached_property
    def days(self) -> list[date]:
        """All sessions from EPOCH to the market's end."""
        sessions(self.calendar, EPOCH, self.end)  # all of them are known, or it says so
        return [day for day in self._known if EPOCH <= day <= self.end]

    @cached_property
    def _known(self) -> list[date]:
        closed = RESTS.get(self.calendar, ())
        return [day for day in all_sessions(self.calendar) if day not in closed]

    def shift(self, session: date, steps: int) -> date:
        """The market's session `steps` later (negative: earlier)."""
        return self._known[bisect_left(self._known, session) + steps]

    def session_from(self, day: date) -> date:
        """The market's first session on that day or after it."""
        return self.shift(day, 0)

    def stream(self, *names: str) -> np.random.Generator:
        """Random numbers of one quantity; use it for one draw of `len(days)` rows."""
        named = (*names, self.region) if self.region else names
        return np.random.default_rng([self.seed, *(crc32(name.encode()) for name in named)])

    def normals(self, *names: str) -> Reals:
        """Standard normals, one per session."""
        return self.stream(*names).standard_normal(len(self.days))

    def uniforms(self, *names: str) -> Reals:
        """Uniforms on [0, 1), one per session."""
        return self.stream(*names).random(len(self.days))


@dataclass(frozen=True)
class Path:
    """An instrument's raw (unadjusted) prices and actions, one entry per session.

    split: shares after for one share before, 1 on ordinary days; dividend: cash per share.
    """

    open: Reals
    high: Reals
    low: Reals
    close: Reals
    volume: Reals
    split: Reals
    dividend: Reals


def _regime(draws: Reals) -> Reals:
    """A two-state Markov chain: 1 in calm sessions, _WILD in turbulent ones."""
    levels = np.empty(len(draws))
    wild = False
    for i, draw in enumerate(draws):
        wild = draw >= _WILD_TO_CALM if wild else draw < _CALM_TO_WILD
        levels[i] = _WILD if wild else 1.0
    return levels


@lru_cache(maxsize=64)
def _factor(market: Market, name: str, volatility: float) -> tuple[Reals, Reals, Reals]:
    """A common factor: its volatility, overnight and daytime shocks."""
    sigma = volatility * _regime(market.uniforms(name, "regime"))
    return sigma, sigma * market.normals(name, "night"), sigma * market.normals(name, "day")


def sector_of(market: Market, instrument: str) -> str:
    """The sector whose factor moves the instrument."""
    return SECTORS[int(_traits(market, instrument)[0] * len(SECTORS))]


def _traits(market: Market, instrument: str) -> Reals:
    return market.stream(instrument, "traits").random(4)


def returns(market: Market, instrument: str, sentiment: Reals) -> tuple[Reals, Reals, Reals]:
    """Overnight and open-to-close log returns, and the latter's volatility, per session.

    sentiment: mean polarity of the news known at each session's close.
    """
    trait, sector = _traits(market, instrument), sector_of(market, instrument)
    beta, own = 0.6 + 0.8 * trait[1], 0.008 + 0.008 * trait[2]
    parts = [
        (beta, _factor(market, "market", _MARKET_VOLATILITY)),
        (1.0, _factor(market, f"sector {sector}", _SECTOR_VOLATILITY)),
        (1.0, _factor(market, instrument, own)),
    ]
    sigma = np.sqrt(sum((weight * factor[0]) ** 2 for weight, factor in parts))
    night = math.sqrt(OVERNIGHT_SHARE) * sum(weight * factor[1] for weight, factor in parts)
    day = math.sqrt(1 - OVERNIGHT_SHARE) * sum(weight * factor[2] for weight, factor in parts)
    day_sigma = math.sqrt(1 - OVERNIGHT_SHARE) * sigma
    if not market.noise:
        # Momentum is that of the return before planting, so that the effect does not feed itself.
        window = lfilter(np.ones(MOMENTUM_SESSIONS), [1.0], (night + day) / sigma)
        momentum = np.tanh(window / math.sqrt(MOMENTUM_SESSIONS))
        signal = NEWS_EFFECT * sentiment + MOMENTUM_EFFECT * momentum
        day = day + np.concatenate([[0.0], signal[:-1]]) * day_sigma
    drift = 0.0003 - sigma**2 / 2
    return night + drift, day, day_sigma


def path(market: Market, instrument: str, sentiment: Reals) -> Path:
    """The instrument's whole history, raw prices rounded to four decimals."""
    night, day, sigma = returns(market, instrument, sentiment)
    payout = _payout(market, instrument)
    start = 30 * 4 ** market.stream(instrument, "price").random()
    # A dividend is paid out of the price at the open.
    opening = np.exp(night) - payout
    closes = np.asarray(start * np.cumprod(opening * np.exp(day)), dtype=np.float64)
    before = np.concatenate([[start], closes[:-1]])
    opens = before * opening
    split = _splits(market, instrument, closes, payout)
    scale = 1 / np.cumprod(split)
    highs, lows = _extremes(market, instrument, opens, day, sigma)
    size = np.abs(day) / sigma + 0.5 * market.normals(instrument, "volume")
    volume = np.round(1e6 * np.exp(0.35 * size) / scale)
    return Path(
        open=np.round(opens * scale, 4),
        high=np.round(highs * scale, 4),
        low=np.round(lows * scale, 4),
        close=np.round(closes * scale, 4),
        volume=volume,
        split=split,
        dividend=np.round(payout * before * scale, 4),
    )


def _extremes(
    market: Market, instrument: str, opens: Reals, day: Reals, sigma: Reals
) -> tuple[Reals, Reals]:
    """High and low of a Brownian bridge from open to close, each drawn from its exact law."""

    def reach(name: str) -> Any:
        depth = 2 * sigma**2 * np.log1p(-market.uniforms(instrument, name))
        return np.sqrt(day**2 - depth)

    return opens * np.exp((day + reach("high")) / 2), opens * np.exp((day - reach("low")) / 2)


def _payout(market: Market, instrument: str) -> Reals:
    """Dividend as a fraction of the price before; three in five instruments pay quarterly."""
    draw = market.stream(instrument, "dividend").random(3)
    payout = np.zeros(len(market.days))
    if draw[0] < 0.6:
        payout[int(draw[1] * _DIVIDEND_SESSIONS) + 1 :: _DIVIDEND_SESSIONS] = (
            0.002 + 0.006 * draw[2]
        )
    return payout


def _splits(market: Market, instrument: str, closes: Reals, payout: Reals) -> Reals:
    """Ratios that bring a price far off back towards ordinary ones, at drawn sessions."""
    split = np.ones(len(closes))
    drawn = (market.uniforms(instrument, "split") < _SPLITS_PER_SESSION) & (payout == 0)
    scale = 1.0
    for i in np.flatnonzero(drawn[1:]) + 1:
        price = closes[i - 1] * scale
        ratio = 3.0 if price > 180 else 2.0 if price > 45 else 0.2 if price < 8 else 1.0
        split[i], scale = ratio, scale / ratio
    return split
