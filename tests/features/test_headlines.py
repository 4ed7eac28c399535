"""News of a session on real dates: weekends, holidays, early closes."""

from datetime import date, datetime

import numpy as np
import polars as pl
import pytest
from panel_inputs import input_columns

from contracts.time.calendar import session_close, sessions


@pytest.mark.parametrize(
    ("calendar", "told", "session"),
    [
        # A second before, at, and a second after a close on the day after Thanksgiving, at 13:00.
        ("XNYS", "2024-11-29T17:59:59", date(2024, 11, 29)),
        ("XNYS", "2024-11-29T18:00:00", date(2024, 11, 29)),
        ("XNYS", "2024-11-29T18:00:01", date(2024, 12, 2)),
        # A weekend, a holiday within the week, the hour before summer time's first close.
        ("XNYS", "2024-06-08T12:00:00", date(2024, 6, 10)),
        ("XNYS", "2024-07-04T15:00:00", date(2024, 7, 5)),
        ("XNYS", "2024-03-11T19:59:59", date(2024, 3, 11)),
        ("XNYS", "2024-03-08T20:59:59", date(2024, 3, 8)),
        ("XNYS", "2024-03-11T20:30:00", date(2024, 3, 12)),
        # Mumbai closes at 10:00 UTC; Republic Day 2024 was a Friday.
        ("XNSE", "2024-01-25T10:00:00", date(2024, 1, 25)),
        ("XNSE", "2024-01-25T10:00:01", date(2024, 1, 29)),
        ("XNSE", "2024-01-26T09:00:00", date(2024, 1, 29)),
        ("24/7", "2024-06-08T12:00:00", date(2024, 6, 8)),
    ],
)
def test_news_belong_to_the_session_that_first_knew_them(
    calendar: str, told: str, session: date
) -> None:
    days = sessions(calendar, date(2024, 1, 15), date(2024, 12, 15))
    closes = [session_close(calendar, day).replace(tzinfo=None) for day in days]
    news = pl.DataFrame({"known_at": [datetime.fromisoformat(told)], "tone": [0.5]})
    news = news.with_columns(pl.col("known_at").cast(pl.Datetime("us")).dt.replace_time_zone("UTC"))
    found = input_columns("news", np.array(closes, "datetime64[us]"), {"news": news})
    assert [day for day, count in zip(days, found["headlines"], strict=True) if count > 0] == [
        session
    ]
    assert np.nansum(found["sentiment"]) == 0.5 and np.nansum(found["sentiment_squares"]) == 0.25
