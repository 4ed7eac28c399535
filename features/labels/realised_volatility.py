"""How much prices moved while a position was held."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from features.label import Held, Label, label
from features.panel.series import Values

Estimator = Literal["garman_klass", "garman_klass_overnight", "close_to_close"]


@label("realised_volatility")
@dataclass(frozen=True)
class RealisedVolatility(Label):
    """The root mean square of log returns per session held; a fraction, not annualised.

    close_to_close: of the total returns from close to close, the first from the entry's open.
    garman_klass: 0.5 ln(high/low)^2 - (2 ln 2 - 1) ln(close/open)^2 stands for a session's squared
    return (Garman and Klass, 1980): surer by far, blind for what happens overnight.
    garman_klass_overnight: and the squared total return of each night that is held; the one before
    the entry is not.
    """

    horizon: int = 5
    estimator: Estimator = "garman_klass"

    def outcome(self, held: Held) -> tuple[Values, Values]:
        """The volatility, and the total return of the whole horizon."""
        squares = np.zeros(len(held.decided))
        for step in range(1, self.horizon + 1):
            inside = held.decided + step <= held.last
            squares += np.where(inside, self._square(held, step), 0.0)
        sessions = np.maximum(held.last - held.decided, 1)
        return np.sqrt(squares / sessions), held.total_return

    def _square(self, held: Held, step: int) -> Values:
        if self.estimator == "close_to_close":
            return _from_last_close(held, "close", step)
        within = _garman_klass(held, step)
        if self.estimator == "garman_klass" or step == 1:
            return within
        return within + _from_last_close(held, "open", step)


def _from_last_close(held: Held, column: str, step: int) -> Values:
    before = held.worth("close", step - 1) if step > 1 else 1.0
    return np.asarray(np.log(held.worth(column, step) / before) ** 2)


def _garman_klass(held: Held, step: int) -> Values:
    row, columns = held.row(step), held.panel.columns
    ranged = np.log(columns["high"][row] / columns["low"][row])
    moved = np.log(columns["close"][row] / columns["open"][row])
    # Of a bar of one price rounding may leave less than nothing.
    square = 0.5 * ranged**2 - (2.0 * np.log(2.0) - 1.0) * moved**2
    return np.asarray(np.maximum(square, 0.0))
