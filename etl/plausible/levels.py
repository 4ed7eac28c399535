"""Jumps of a price path sorted out: which bars are on another scale than their neighbours.

A path is cut at its jumps into runs, each on a level. A run a hundred times off the others is in
another unit, however long it is; one off by ten or by the ratio of a stated split is wrong when
the path comes back to its level within weeks, else the price has moved. What was stored before
counts as right; where nothing was, the level of two bars in three does, and without one none.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import copysign, exp, log

from etl.plausible.moves import Jump

_HUNDRED = log(100.0)
_WITHIN = log(2.0)  # of a hundred
_TEN = log(10.0)
_SAME = 0.1
_WEEKS = 30  # bars of an excursion

UNIT = "price is a hundred times off its neighbours: another unit of money"
MIXED = "prices are in two units of money, and nothing says which is right"
SCALE = "price is off its neighbours by ten or a split's ratio, and comes back"
IDLE = "split without a jump of the price"


@dataclass(frozen=True)
class Verdict:
    """What is said of new bars `first` to `last` (excluded), by position in their series.

    refused: the bars are; of `IDLE` the split is, and of other sentences nothing is refused.
    """

    first: int
    last: int
    said: str
    refused: bool = False


@dataclass(frozen=True)
class _Run:
    first: int
    last: int
    level: float
    jump: Jump | None = None


def sorted_out(
    jumps: Sequence[Jump], count: int, known: bool, ratios: Sequence[float]
) -> Iterator[Verdict]:
    """The verdicts on a series of `count` new bars.

    known: whether bars were stored before. ratios: of the instrument's stated splits.
    """
    sizes = {_TEN, *(abs(log(ratio)) for ratio in ratios)}
    runs = _runs(jumps, count, sizes)
    level, until = 0.0 if known else _main(runs, count), 0
    if level is None:
        yield Verdict(0, count, MIXED, True)
        return
    for place, run in enumerate(runs):
        if run.jump and not _size(run.jump, sizes):
            yield _moved(run.jump)
        if run.first < until or _equal(run.level, level):
            continue
        back = _back(runs[place:], level)
        if _hundreds(run.level - level):
            yield Verdict(run.first, run.last, UNIT, True)
        elif back and run.jump:
            yield Verdict(run.first, back, SCALE, True)
            until = back
        else:
            level = run.level
            if run.jump:
                yield _moved(run.jump)


def _runs(jumps: Sequence[Jump], count: int, sizes: set[float]) -> list[_Run]:
    starts = [jump.at for jump in jumps] + [count]
    runs, level = [_Run(0, starts[0], 0.0)], 0.0
    for jump, end in zip(jumps, starts[1:], strict=True):
        level += _size(jump, sizes)
        runs.append(_Run(jump.at, end, level, jump))
    return runs


def _size(jump: Jump, sizes: set[float]) -> float:
    """Hundreds, or else the nearest of the sizes that a mistake could have; 0.0 for none."""
    if hundreds := _hundreds(jump.move):
        return hundreds * _HUNDRED
    near = min(sizes, key=lambda size: abs(abs(jump.move) - size))
    allowed = max(_SAME, min(6 * jump.deviation, 0.25))
    return copysign(near, jump.move) if abs(abs(jump.move) - near) < allowed else 0.0


def _hundreds(move: float) -> int:
    count = round(move / _HUNDRED)
    return count if abs(move - count * _HUNDRED) < _WITHIN else 0


def _equal(left: float, right: float) -> bool:
    return abs(left - right) < 1e-6


def _main(runs: Sequence[_Run], count: int) -> float | None:
    """The level of most bars if units of money are mixed, else the first; None: of too few."""
    rows: dict[float, int] = {}
    for run in runs:
        level = round(run.level, 6)
        rows[level] = rows.get(level, 0) + run.last - run.first
    if not any(_hundreds(level) for level in rows):
        return 0.0
    most = max(rows, key=lambda level: rows[level])
    return most if 3 * rows[most] >= 2 * count else None


def _back(runs: Sequence[_Run], level: float) -> int:
    """The bar at which the path is on that level again, soon after the first run; 0: never."""
    for run in runs[1:]:
        if run.first - runs[0].first > _WEEKS:
            return 0
        if _equal(run.level, level):
            return run.first
    return 0


def _moved(jump: Jump) -> Verdict:
    if jump.ignored:
        return Verdict(jump.at, jump.at + 1, IDLE)
    beyond = "beyond its split" if jump.split else "without a split"
    said = f"price jumps by {exp(jump.move) - 1:+.0%} {beyond}"
    return Verdict(jump.at, jump.at + 1, said)
