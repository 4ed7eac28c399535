"""Panel columns of the headlines about an instrument, counted in the row that first knew them."""

from datetime import timedelta

import numpy as np
import polars as pl

from contracts.tables import HEADLINE_SYMBOLS, HEADLINES, SENTIMENTS
from features.input import (
    Columns,
    Known,
    Made,
    Need,
    Reading,
    Rows,
    Sample,
    Scores,
    panel_input,
)
from features.panel.panel import times_of

# A headline that became known longer after it happened is history, not news: it counts nowhere.
STALE = timedelta(days=30)
_TONED = ("scored", "sentiment", "sentiment_squares")


def told_of(read: Known) -> pl.DataFrame:
    """The mentions that are news, with their headlines' text_hash, as they became known."""
    key = ["source", "native_id"]
    headlines = read["headlines"].unique(key, keep="first", maintain_order=True)
    mentions = read["headline_symbols"].unique(
        [*key, "instrument_id"], keep="first", maintain_order=True
    )
    both = mentions.join(headlines, on=key, suffix="_headline").with_columns(
        known_at=pl.max_horizontal("known_at", "known_at_headline")
    )
    return both.filter(pl.col("known_at") - pl.col("event_time_headline") <= STALE)


def _gather(read: Known) -> Known:
    """One row per headline and instrument: known_at, and tone (null when unscored)."""
    tones = read["sentiments"].select("text_hash", tone=pl.col("p_positive") - pl.col("p_negative"))
    found = told_of(read).join(tones, on="text_hash", how="left")
    return {"news": found.select("instrument_id", "known_at", "tone")}


def _made(made: Sample) -> Known:
    """Headlines hours to days before they are known; one in five has no sentiment."""
    draw, rows = np.random.default_rng(made.seed + 3), 2 * len(made.session)
    frames = []
    for name in made.instruments:
        known = np.sort(
            draw.choice(made.as_of, rows) - draw.integers(0, 72, rows) * np.timedelta64(1, "h")
        )
        tone = np.where(draw.random(rows) < 0.2, np.nan, draw.uniform(-1, 1, rows))
        times = pl.Series(known).dt.replace_time_zone("UTC")
        frames.append(
            pl.DataFrame({"known_at": times, "tone": tone}).with_columns(
                instrument_id=pl.lit(name), tone=pl.col("tone").fill_nan(None)
            )
        )
    return {"news": pl.concat(frames).sort("known_at")}


def _drawn(made: Sample) -> Columns:
    draw, size = np.random.default_rng(made.seed), made.size
    # Golden panels hold what one stream gave to bars and headlines: the others are the bars'.
    draw.normal(0, 0.02, size)
    draw.normal(0, 0.008, size)
    headlines = draw.integers(0, 4, size).astype(float)
    scored = np.maximum(headlines - (draw.random(size) < 0.2), 0.0)
    draw.random((2, size))
    draw.integers(1_000, 100_000, size)
    draw.random(len(made.instruments))
    sentiment = scored * draw.uniform(-1, 1, size)
    # And another stream to what is around them.
    draw = np.random.default_rng(made.seed + 1)
    draw.normal(2.0, 1.0, (3, len(made.session) // 21 + 1))
    squares = 4.0 * draw.random(size)
    return dict(zip(("headlines", *_TONED), (headlines, scored, sentiment, squares), strict=True))


@panel_input(
    columns={
        "headlines": "headlines known since the row before and up to the row's close",
        "scored": "those of them that have a sentiment",
        "sentiment": "sum of their p_positive - p_negative",
        "sentiment_squares": "sum of the squares of the same",
    },
    needs=(Need(HEADLINES, back=STALE), Need(HEADLINE_SYMBOLS, back=STALE), Need(SENTIMENTS)),
    since_row_before=True,
    reading=Reading(
        gather=_gather,
        scores=Scores(_TONED, lambda known: known["news"]["tone"].null_count()),
    ),
    sample=Made(facts=_made, columns=_drawn),
)
def news(rows: Rows, known: Known) -> Columns:
    """How many became known up to each row's close, and sums over their tones."""
    told = known["news"].sort("known_at", maintain_order=True)
    tone = told["tone"].to_numpy().astype(float)
    place = np.searchsorted(rows.as_of, times_of(told["known_at"]), side="left")
    said = np.nan_to_num(tone)
    weights = (np.ones(len(tone)), ~np.isnan(tone), said, said**2)
    count = len(rows.as_of) + 1  # one more for what became known after the last row
    return {
        name: np.bincount(place, weight, count)[:-1].astype(np.float64)
        for name, weight in zip(("headlines", *_TONED), weights, strict=True)
    }
