"""Support and resistance: of the prices at which trading turned or gathered, one on either side.

Candidates are swings of a window (a high or low that none of SIDE rows before and after exceeds, so
that it is known SIDE rows later) and the volume node. Of those from LEAST to MOST average ranges
away from the close the one counts that most swings lie near, of equal ones the nearest. Where there
is none the level is USUAL ranges away, and its kind says so.
"""

from typing import TypeAlias

import numpy as np

from features.panel import roll
from features.panel.kernels import compiled, forget
from features.panel.panel import Panel
from features.panel.series import Segments, Series, Values, Whole, segments_of

SIDE = 3
LEAST, MOST, USUAL = 0.5, 3.0, 2.0  # average ranges
NEAR = 0.25  # of an average range, within which swings are of one level
RANGES = 14  # rows of the average range
PARTS = 20  # of the range, in a volume profile
PLAIN, SWING, TRADED = 0, 1, 2  # kinds add up: a swing near the volume node is 3

DISTANCE, AWAY, TOUCHES, AGE, KIND = range(5)
_PER_SIDE = 5

Bars: TypeAlias = tuple[Series, Series, Series, Series]
Swings: TypeAlias = tuple[Whole, Values]
Reach: TypeAlias = tuple[float, float, float]


def levels(bars: Bars, volume: Series, w: int) -> tuple[tuple[Series, ...], tuple[Series, ...]]:
    """Of support and of resistance: DISTANCE, AWAY, TOUCHES, AGE, KIND per row, from w rows.

    bars: high, low, close, dividend. DISTANCE: the logarithm of the close over the support, of the
    resistance over the close, above 0; AWAY: the same in average ranges; TOUCHES: swings within
    NEAR ranges of the level; AGE: rows since the newest of them as a share of w, 1 without any;
    KIND: SWING and TRADED as they apply, else PLAIN. Null where the price did not move.
    """
    high, low, close, _ = bars
    segments, key = segments_of(high, "instrument"), (levels, *bars, volume, w)
    if w <= RANGES:
        raise ValueError(f"levels need a window of more than {RANGES} rows, found {w}")
    if key not in segments.known:
        typical = Series.of((high + low + close) / 3.0, segments)
        node = roll.node(typical, volume, w, PARTS)
        table = np.ascontiguousarray(np.stack([*bars, node]))
        out = np.full((2 * _PER_SIDE, segments.rows), np.nan)
        _levels(table, segments.offsets, w, segments.tolerance, out)
        found = [Series.of(values, segments) for values in out]
        segments.known[key] = tuple(found[:_PER_SIDE]), tuple(found[_PER_SIDE:])
    both: tuple[tuple[Series, ...], tuple[Series, ...]] = segments.known[key]
    return both


def of_panel(panel: Panel, w: int) -> Values:
    """Support and resistance of a panel's rows over their close, (2, rows); null as in `levels`."""
    segments = Segments(panel.offsets, "instrument")
    names = ("high", "low", "close", "dividend", "volume")
    high, low, close, dividend, volume = (Series.of(panel.columns[n], segments) for n in names)
    support, resistance = levels((high, low, close, dividend), volume, w)
    return np.exp(np.stack([-np.asarray(support[DISTANCE]), np.asarray(resistance[DISTANCE])]))


@compiled
def _levels(table: Values, offsets: Whole, w: int, tolerance: float, out: Values) -> None:
    ranges = np.full(table.shape[1], np.nan)
    for s in range(len(offsets) - 1):
        start, end = offsets[s], offsets[s + 1]
        _average_ranges(table, start, end, ranges)
        places, prices = _swings(table, start, end, tolerance)
        first, last, broken = 0, 0, start - 1
        for i in range(start, end):
            if np.isnan(table[:4, i].sum()):
                broken = i
            while last < len(places) and places[last] + SIDE <= i:
                last += 1
            while first < last and places[first] - SIDE <= i - w:
                first += 1
            moved = ranges[i] > tolerance * table[2, i]
            if i - w + 1 >= start and broken <= i - w and moved:
                known = (places[first:last], prices[first:last])
                reach = (table[2, i], ranges[i], tolerance)
                for side in range(2):
                    sign = 1.0 if side == 0 else -1.0
                    _choose(known, table[4, i], reach, (i, w, sign), out[5 * side : 5 * side + 5])
    for k in range(len(out)):
        forget(out[k], offsets, w)


@compiled
def _average_ranges(table: Values, start: int, end: int, out: Values) -> None:
    # What goes ex is no part of a night's range.
    for i in range(start + RANGES, end):
        gathered = 0.0
        for j in range(i - RANGES + 1, i + 1):
            before, paid = table[2, j - 1], table[3, j]
            gathered += max(table[0, j] + paid, before) - min(table[1, j] + paid, before)
        out[i] = gathered / RANGES


@compiled
def _swings(table: Values, start: int, end: int, tolerance: float) -> Swings:
    places, prices = np.empty(2 * (end - start), np.int64), np.empty(2 * (end - start))
    count = 0
    for j in range(start + SIDE, end - SIDE):
        highs, lows = table[0, j - SIDE : j + SIDE + 1], table[1, j - SIDE : j + SIDE + 1]
        near = tolerance * table[0, j]
        if table[0, j] >= highs.max() - near:
            places[count], prices[count] = j, table[0, j]
            count += 1
        if table[1, j] <= lows.min() + near:
            places[count], prices[count] = j, table[1, j]
            count += 1
    return places[:count], prices[:count]


@compiled
def _choose(
    swings: Swings, node: float, reach: Reach, row: tuple[int, int, float], out: Values
) -> None:
    close, average, tolerance = reach
    i, w, sign = row
    slack, best, level, most = tolerance * close, np.inf, close - sign * USUAL * average, 0
    for c in range(len(swings[0]) + 1):
        price = node if c == len(swings[0]) else swings[1][c]
        away = sign * (close - price)
        # A null node lies nowhere.
        if away >= LEAST * average - slack and away <= MOST * average + slack:
            strength = _near(swings[1], price, NEAR * average + slack)
            strength += abs(node - price) <= NEAR * average + slack
            if strength > most or (strength == most and away < best - slack):
                best, level, most = away, price, strength
    if level <= 0.0:
        return
    touches, newest = 0, i - w
    for c in range(len(swings[0])):
        if most > 0 and abs(swings[1][c] - level) <= NEAR * average + slack:
            touches, newest = touches + 1, swings[0][c]
    traded = most > 0 and abs(node - level) <= NEAR * average + slack
    out[0, i] = sign * np.log(close / level)
    out[1, i] = sign * (close - level) / average
    out[2, i], out[3, i] = touches, (i - newest) / w
    out[4, i] = SWING * (touches > 0) + TRADED * traded


@compiled
def _near(prices: Values, price: float, within: float) -> int:
    count = 0
    for c in range(len(prices)):
        count += abs(prices[c] - price) <= within
    return count
