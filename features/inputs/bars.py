"""Panel columns of the bars themselves, in the shares of the newest row."""

import numpy as np

from contracts.tables import ACTIONS, BARS
from features.input import Columns, Known, Made, Need, Rows, Sample, panel_input
from features.inputs.adjust import NUMBERS, adjusted, splits_and_dividends


def _drawn(made: Sample) -> Columns:
    draw, size = np.random.default_rng(made.seed), made.size
    shape = (len(made.instruments), len(made.session))
    close = (50 * np.exp(np.cumsum(draw.normal(0, 0.02, shape), axis=1))).ravel()
    open_ = close * np.exp(draw.normal(0, 0.008, size))
    # Golden panels hold what one stream gave to bars and headlines: these numbers are theirs.
    draw.integers(0, 4, size)
    draw.random(size)
    return {
        "open": open_,
        "high": np.maximum(open_, close) * (1 + 0.01 * draw.random(size)),
        "low": np.minimum(open_, close) * (1 - 0.01 * draw.random(size)),
        "close": close,
        "volume": draw.integers(1_000, 100_000, size).astype(float),
        "dividend": np.zeros(size),
        "total": close * np.repeat(1 + 0.1 * draw.random(shape[0]), shape[1]),
    }


@panel_input(
    columns={
        "open": "first price, in the newest row's shares, as the other prices",
        "high": "highest price",
        "low": "lowest price",
        "close": "last price",
        "volume": "shares traded",
        "dividend": "amount per share that goes ex in the row",
        "total": "close with all dividends so far reinvested",
    },
    # What rows there are, and what is known of them late, is the panel's own matter.
    needs=(Need(BARS), Need(ACTIONS)),
    sample=Made(
        columns=_drawn,
        prices=("open", "high", "low", "close", "total", "dividend"),
        volumes=("volume",),
    ),
)
def bars(rows: Rows, known: Known) -> Columns:  # noqa: ARG001
    """As traded, adjusted by the corporate actions known with them."""
    assert rows.bars is not None
    return adjusted(
        {name: rows.bars[name].to_numpy() for name in NUMBERS},
        rows.session,
        rows.bars["adjustment"].to_numpy(),
        *splits_and_dividends(rows.actions),
    )
