"""Corporate actions, applied when prices are read, with the actions known at that moment."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.panel.panel import Times
from features.panel.series import Values

PRICES = ("open", "high", "low", "close")
NUMBERS = (*PRICES, "volume")


@dataclass(frozen=True)
class Actions:
    """One kind of action of one instrument, sorted: days from which it holds, and its values.

    A split's value is new shares per old one (2.0 for 2:1), a dividend's the amount per share.
    """

    ex_date: Times
    value: Values


_NONE = Actions(np.empty(0, "datetime64[D]"), np.empty(0))


def splits_and_dividends(actions: pl.DataFrame | None) -> tuple[Actions, Actions]:
    """Each kind of the actions, sorted by `ex_date` as they are."""
    if actions is None:
        return _NONE, _NONE
    splits, dividends = (
        Actions(kind["ex_date"].to_numpy(), kind["value"].to_numpy())
        for kind in (actions.filter(kind=name) for name in ("split", "dividend"))
    )
    return splits, dividends


def shares(session: Times, actions: pl.DataFrame | None) -> Values:
    """Per row how many shares of the newest row one of its own became by splits."""
    splits, _ = splits_and_dividends(actions)
    if not len(splits.value):
        return np.ones(len(session))
    # One share traded in each row, counted in those of the newest.
    one = {name: np.ones(len(session)) for name in NUMBERS}
    return adjusted(one, session, np.full(len(session), "none"), splits, _NONE)["volume"]


def adjusted(
    columns: dict[str, Values],
    session: Times,
    delivered: NDArray[np.str_],
    splits: Actions,
    dividends: Actions,
) -> dict[str, Values]:
    """One instrument's bars in the shares of its newest row, with dividends and `total`.

    columns: open, high, low, close, volume. delivered: each row's `adjustment`: a row that came
    split-adjusted is not adjusted again, one that came with dividends inside gets none.
    A dividend is cash per share as paid, of the shares that trade on its ex-date: those after a
    split of that day. `dividend` is the amount per share (of the newest row's) that goes ex in the
    row; `total` is the close with all dividends so far reinvested at the close of their row.
    """
    factor = np.where(
        delivered == "none", _later(splits, session), _marked(splits, session, delivered)
    )
    out = {name: columns[name] / factor for name in PRICES}
    out["volume"] = columns["volume"] * factor
    # By its own ex-date: a halt may hold a dividend and, after it, a split.
    amount = dividends.value / _later(splits, dividends.ex_date)
    paid = _in_row(Actions(dividends.ex_date, amount), session)
    out["dividend"] = np.where(delivered == "split_dividend", 0.0, paid)
    out["total"] = out["close"] * np.cumprod(1.0 + out["dividend"] / out["close"])
    return out


def _marked(splits: Actions, session: Times, delivered: NDArray[np.str_]) -> float:
    """The factor of rows that came split-adjusted.

    Where rows as traded follow, the source had no split of it to undo until then: splits after
    the last adjusted row are not in its price.
    """
    rows = np.flatnonzero(delivered != "none")
    if not len(rows) or rows[-1] == len(session) - 1:
        return 1.0
    return float(_later(splits, session[rows[-1:]])[0])


def _later(splits: Actions, session: Times) -> Values:
    ratios = np.append(np.cumprod(splits.value[::-1])[::-1], 1.0)
    return np.asarray(ratios[np.searchsorted(splits.ex_date, session, side="right")])


def _in_row(dividends: Actions, session: Times) -> Values:
    # An ex-date on which the instrument did not trade counts in the next row.
    place = np.searchsorted(session, dividends.ex_date, side="left")
    inside = (place < len(session)) & (dividends.ex_date >= session[:1])
    paid = np.bincount(place[inside], weights=dividends.value[inside], minlength=len(session))
    return paid.astype(np.float64)
