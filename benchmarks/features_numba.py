"""The 99 rolling features as a kernel written by hand: running sums, deques, sorted windows.

One loop per symbol, symbols in parallel; what a performance-minded user would write without an
engine. Rows of the output in the order of `features_peers.NAMES`.
"""

import numpy as np
from numba import njit, prange

WINDOWS = np.array([5, 10, 20, 30, 60])
TINY = 1e-12
_ROLLING = 12  # rows before the rolling features
_FAST = {"cache": True, "nogil": True, "error_model": "numpy"}


@njit(parallel=True, **_FAST)
def by_numba(bars, offsets, out):  # type: ignore[no-untyped-def]
    """bars: open, high, low, close, volume (5, rows); out: (99, rows), any floating type."""
    for s in prange(len(offsets) - 1):
        a, b = offsets[s], offsets[s + 1]
        part, rows = bars[:, a:b], out[:, a:b]
        rows[:] = np.nan
        _candles(part, rows)
        log_volume = np.log(part[4] + 1.0)
        d = np.full(b - a, np.nan)
        d[1:] = part[3, 1:] - part[3, :-1]
        for k in range(len(WINDOWS)):
            w, at = WINDOWS[k], _ROLLING + k
            _close(part[3], w, rows, at)
            _extremes(part, w, rows, at)
            _quantiles(part[3], w, rows, at)
            _volume(part[3], part[4], log_volume, w, rows, at)
            _moves(d, w, rows, at)
        _others(part[3], d, rows)


@njit(**_FAST)
def _candles(bars, out):  # type: ignore[no-untyped-def]
    for i in range(bars.shape[1]):
        o, h, l, c = bars[0, i], bars[1, i], bars[2, i], bars[3, i]  # noqa: E741
        top, bottom, span, shift = max(o, c), min(o, c), h - l + TINY, 2 * c - h - l
        out[0, i], out[1, i], out[2, i] = (c - o) / o, (h - l) / o, (c - o) / span
        out[3, i], out[4, i] = (h - top) / o, (h - top) / span
        out[5, i], out[6, i] = (bottom - l) / o, (bottom - l) / span
        out[7, i], out[8, i] = shift / o, shift / span
        out[9, i], out[10, i], out[11, i] = o / c, h / c, l / c


@njit(**_FAST)
def _close(c, w, out, at):  # type: ignore[no-untyped-def]
    centre, total, squares, weighted = c[0], 0.0, 0.0, 0.0
    for i in range(len(c)):
        x = c[i] - centre
        if i >= w:
            y = c[i - w] - centre
            weighted = weighted - (total - y) + (w - 1) * x
            total += x - y
            squares += x * x - y * y
            out[at, i] = c[i - w] / c[i]
        else:
            weighted += i * x
            total += x
            squares += x * x
        if i >= w - 1:
            out[at + 5, i] = (centre + total / w) / c[i]
            out[at + 10, i] = np.sqrt(max(squares - total * total / w, 0.0) / (w - 1)) / c[i]
            slope = (weighted - total * (w - 1) / 2) / (w * (w * w - 1.0) / 12)
            out[at + 15, i] = slope / c[i]


@njit(**_FAST)
def _extremes(bars, w, out, at):  # type: ignore[no-untyped-def]
    high, low, c = bars[1], bars[2], bars[3]
    tops, bottoms = np.empty(len(c), np.int64), np.empty(len(c), np.int64)
    first_top, last_top, first_bottom, last_bottom = 0, 0, 0, 0
    for i in range(len(c)):
        while last_top > first_top and high[tops[last_top - 1]] <= high[i]:
            last_top -= 1
        while last_bottom > first_bottom and low[bottoms[last_bottom - 1]] >= low[i]:
            last_bottom -= 1
        tops[last_top], bottoms[last_bottom] = i, i
        last_top, last_bottom = last_top + 1, last_bottom + 1
        if tops[first_top] <= i - w:
            first_top += 1
        if bottoms[first_bottom] <= i - w:
            first_bottom += 1
        if i >= w - 1:
            most, least = high[tops[first_top]], low[bottoms[first_bottom]]
            out[at + 20, i], out[at + 25, i] = most / c[i], least / c[i]
            out[at + 40, i] = (c[i] - least) / (most - least + TINY)


@njit(**_FAST)
def _quantiles(c, w, out, at):  # type: ignore[no-untyped-def]
    window = np.empty(w + 1)
    up, down = 0.8 * (w - 1), 0.2 * (w - 1)
    above, below = int(up), int(down)
    for i in range(len(c)):
        size = min(i, w)
        if i >= w:
            place = np.searchsorted(window[:size], c[i - w])
            for j in range(place, size - 1):
                window[j] = window[j + 1]
            size -= 1
        place = size
        while place > 0 and window[place - 1] > c[i]:
            window[place] = window[place - 1]
            place -= 1
        window[place] = c[i]
        if i >= w - 1:
            high, low = min(above + 1, w - 1), min(below + 1, w - 1)
            x = window[above] + (up - above) * (window[high] - window[above])
            y = window[below] + (down - below) * (window[low] - window[below])
            out[at + 30, i], out[at + 35, i] = x / c[i], y / c[i]


@njit(**_FAST)
def _volume(c, v, log_volume, w, out, at):  # type: ignore[no-untyped-def]
    c0, v0, l0 = c[0], v[0], log_volume[0]
    sc, scc, sl, sll, scl, sv, svv = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(len(c)):
        x, y, z = c[i] - c0, log_volume[i] - l0, v[i] - v0
        sc, scc, sl, sll, scl = sc + x, scc + x * x, sl + y, sll + y * y, scl + x * y
        sv, svv = sv + z, svv + z * z
        if i >= w:
            x, y, z = c[i - w] - c0, log_volume[i - w] - l0, v[i - w] - v0
            sc, scc, sl, sll, scl = sc - x, scc - x * x, sl - y, sll - y * y, scl - x * y
            sv, svv = sv - z, svv - z * z
        if i >= w - 1:
            both = (scc - sc * sc / w) * (sll - sl * sl / w)
            out[at + 45, i] = (scl - sc * sl / w) / np.sqrt(both)
            out[at + 65, i] = (v0 + sv / w) / (v[i] + TINY)
            out[at + 70, i] = np.sqrt(max(svv - sv * sv / w, 0.0) / (w - 1)) / (v[i] + TINY)


@njit(**_FAST)
def _moves(d, w, out, at):  # type: ignore[no-untyped-def]
    ups, downs, rises = 0.0, 0.0, 0
    for i in range(1, len(d)):
        ups, downs, rises = ups + max(d[i], 0.0), downs + max(-d[i], 0.0), rises + (d[i] > 0)
        if i > w:
            gone = d[i - w]
            ups, downs, rises = ups - max(gone, 0.0), downs - max(-gone, 0.0), rises - (gone > 0)
        if i >= w:
            out[at + 50, i] = rises / w
            out[at + 55, i] = ups / (ups + downs + TINY)
            out[at + 60, i] = downs / (ups + downs + TINY)


@njit(**_FAST)
def _others(c, d, out):  # type: ignore[no-untyped-def]
    fast, slow, signal, ups, downs = c[0], c[0], 0.0, 0.0, 0.0
    at = out.shape[0] - 12
    for i in range(len(c)):
        fast, slow = fast + (c[i] - fast) * 2 / 13, slow + (c[i] - slow) * 2 / 27
        signal += (fast - slow - signal) * 0.2
        out[at + 1, i], out[at + 2, i] = (fast - slow) / c[i], signal / c[i]
        out[at + 3, i] = (fast - slow - signal) / c[i]
        if i > 0:
            ups, downs = ups + max(d[i], 0.0), downs + max(-d[i], 0.0)
        if i > 14:
            ups, downs = ups - max(d[i - 14], 0.0), downs - max(-d[i - 14], 0.0)
        if i >= 14:
            out[at, i] = 100 * ups / (ups + downs + TINY)
        if i >= 19:
            middle, spread = out[14 + 5, i], out[14 + 10, i]  # over the close already
            out[at + 4, i], out[at + 5, i] = middle + 2 * spread, middle - 2 * spread
            out[at + 6, i] = 4 * spread / middle
        for k, back in enumerate((1, 2, 3, 5, 10)):
            if i > back:
                out[at + 7 + k, i] = c[i - back] / c[i - back - 1] - 1
