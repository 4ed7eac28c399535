"""What a label is: the truth that a decision is judged by, declared with how far it looks ahead.

    @label("total_return")
    @dataclass(frozen=True)
    class TotalReturn(Label):
        horizon: int = 1
        def outcome(self, held: Held) -> tuple[Values, Values]: ...

A decision at a session's close enters at the open of the instrument's next traded session and
looks at `horizon` traded sessions, the entry's included; halted ones are skipped. Everything is
measured from that entry on, in total returns: dividends that go ex after the entry belong to the
position and are reinvested at that session's close. The outcome is settled at the close of the
horizon's last session. An instrument that is delisted before settles at its last traded price,
flagged; when nothing could be bought any more it moved by nothing.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import ClassVar, TypeVar

import numpy as np

from contracts.registry import Registry
from features.panel.panel import Flags, Panel, Times
from features.panel.series import Segments, Series, Values, Whole

DOWN, NEUTRAL, UP = 0, 1, 2
BEFORE = 10  # sessions of `return_before`


@dataclass(frozen=True)
class Outcomes:
    """Per row of a panel: value, total return of the position, time of settlement, delisted.

    settled: False where the outcome is not known, or where the decision had no basis; the other
    columns mean nothing there. value: 0, 1, 2 (down, neutral, up) of a label with classes, else a
    number. total_return: from the entry to where the label closes the position. ambiguous: whether
    the value rests on a rule about what one bar leaves open.
    """

    settled: Flags
    value: Values
    total_return: Values
    settled_at: Times
    delisted: Flags
    ambiguous: Flags


@dataclass(frozen=True)
class Held:
    """The position that each row's decision enters at the open of the row after it.

    decided: rows with a known outcome. last: the last row held of each; the decision's own row
    when the instrument never traded again. basis: (k, positions), as `Label.basis` gave it.
    """

    panel: Panel
    decided: Whole
    last: Whole
    basis: Values

    @property
    def traded(self) -> Flags:
        """Which of them could be entered at all."""
        return self.last > self.decided

    def row(self, step: int) -> Whole:
        """The row of the step-th session held, or of the last one where there are fewer."""
        return np.minimum(self.decided + step, self.last)

    def worth(self, column: str, step: int) -> Values:
        """The position at that price of the step-th session, over the entry's price."""
        first, row = self.row(1), self.row(step)
        columns = self.panel.columns
        shares = columns["total"] / columns["close"]
        # Who buys at the open of an ex-date gets no dividend.
        paid = np.where(row > first, columns["dividend"][row], 0.0)
        grown = np.where(row > first, shares[row - 1] / shares[first], 1.0)
        value = grown * (columns[column][row] + paid) / columns["open"][first]
        return np.where(self.traded, value, 1.0)

    @property
    def total_return(self) -> Values:
        """From the entry to the last close, as a fraction."""
        return self.worth("close", int((self.last - self.decided).max(initial=1))) - 1.0


class Label(ABC):
    """One kind of truth; members are frozen dataclasses under `@label`, their fields its terms.

    kind: its name among labels. classes: whether values are down, neutral, up. from_close: whether
    the basis holds prices over the decision's close. lookback: rows up to a decision, its own
    included, that the basis needs. version: of the rule; a field of kinds that had an earlier one,
    which views of before keep.
    """

    kind: ClassVar[str]
    classes: ClassVar[bool] = False
    from_close: ClassVar[bool] = False
    horizon: int
    lookback: int = 1
    version: int = 1

    @abstractmethod
    def outcome(self, held: Held) -> tuple[Values, Values]:
        """Value and total return of each position held."""

    def ambiguous(self, held: Held) -> Whole:
        """Per position the row whose bar leaves its value open, or -1; no row unless redefined."""
        return np.full(len(held.decided), -1)

    def basis(self, panel: Panel) -> Values:
        """What the label takes from the decision's own time, free of scale: (k, rows).

        Null where there is not history enough; a decision without basis has no label.
        """
        return np.empty((0, len(panel.session)))

    def beside(self, panel: Panel) -> Mapping[str, Values]:
        """What naive forecasts of it are made of, by name, as each row of a decision panel knew it.

        Of every label its newest settled value; a kind adds what it needs besides.
        """
        return {"persistence": self.persistence(panel)}

    @property
    def reach(self) -> int:
        """Rows needed up to a decision to know its basis and the newest settled label."""
        return self.lookback + self.horizon

    @property
    def name(self) -> str:
        """The label in words, for manifests."""
        return f"{self.kind}({', '.join(f'{k}={v}' for k, v in self._terms.items())})"

    @property
    def identity(self) -> dict[str, object]:
        """What a view is hashed over."""
        return {self.kind: self._terms}

    @property
    def _terms(self) -> dict[str, object]:
        terms: dict[str, object] = asdict(self)  # type: ignore[call-overload]
        return {k: v for k, v in terms.items() if (k, v) != ("version", 1)}

    def open_rows(self, panel: Panel, basis: Values) -> Whole:
        """The panel's rows that leave a settled outcome open, in order: see `Panel.inside`."""
        held = self._held(panel, basis)[0]
        found = np.unique(self.ambiguous(held))
        return found[found >= 0]

    def settle(self, panel: Panel, basis: Values) -> Outcomes:
        """The outcome of a decision on each row, with the basis of its time."""
        rows = len(panel.session)
        held, settled, cut = self._held(panel, basis)
        value, total_return = np.full(rows, np.nan), np.full(rows, np.nan)
        value[held.decided], total_return[held.decided] = self.outcome(held)
        ambiguous, last = np.zeros(rows, bool), np.arange(rows)
        ambiguous[held.decided] = self.ambiguous(held) >= 0
        last[held.decided] = held.last
        gone = panel.ended[panel.segment]
        settled_at = np.where(cut, np.maximum(panel.as_of[last], gone), panel.as_of[last])
        return Outcomes(settled, value, total_return, settled_at, settled & cut, ambiguous)

    def _held(self, panel: Panel, basis: Values) -> tuple[Held, Flags, Flags]:
        rows = len(panel.session)
        ends = panel.offsets[1:][panel.segment]
        cut = np.arange(rows) + self.horizon >= ends
        last = np.where(cut, ends - 1, np.arange(rows) + self.horizon)
        gone = panel.ended[panel.segment]
        settled = np.isfinite(basis).all(axis=0) & ~(cut & np.isnat(gone))
        decided = np.flatnonzero(settled)
        return Held(panel, decided, last[decided], basis[:, decided]), settled, cut

    def persistence(self, panel: Panel) -> Values:
        """Per row: the value of the decision whose horizon ends in this row, else null.

        It is the newest settled label of the instrument, as it was known in the row's segment.
        """
        value = self.settle(panel, self.basis(panel)).value
        before = np.arange(len(value)) - self.horizon
        return np.where(panel.place >= self.horizon, value[before], np.nan)


LABELS: Registry[type[Label]] = Registry("label", "features.labels")

Member = TypeVar("Member", bound=type[Label])


def label(
    kind: str, *, classes: bool = False, from_close: bool = False
) -> Callable[[Member], Member]:
    """Declare a frozen dataclass as the label of that kind."""

    def declare(member: Member) -> Member:
        member.kind, member.classes, member.from_close = kind, classes, from_close
        LABELS.add(kind, member)
        return member

    return declare


def return_before(panel: Panel) -> Values:
    """Total return over the BEFORE sessions up to each row, for whoever bets against it."""
    from features.panel import roll  # compiled loops, which who only names a label does not need

    total = Series.of(panel.columns["total"], Segments(panel.offsets, "instrument"))
    return np.asarray(roll.change(total, BEFORE))
