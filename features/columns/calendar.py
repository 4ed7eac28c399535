"""Features of calendar and clock, in the exchange's own time zone."""

from features.feature import Inputs, feature
from features.panel.series import Values


@feature(lookback=1, inputs=("minute",), unit="time")
def minute_of_hour(x: Inputs) -> Values:
    """The minute of the hour at which the bar closes."""
    return x.minute


@feature(lookback=1, inputs=("hour",), unit="time")
def hour_of_day(x: Inputs) -> Values:
    """The hour of the day at which the bar closes."""
    return x.hour


@feature(lookback=1, inputs=("weekday",), unit="time")
def day_of_week(x: Inputs) -> Values:
    """0 on Mondays to 6 on Sundays, by the session's date."""
    return x.weekday


@feature(lookback=1, inputs=("month",), unit="time")
def month_of_year(x: Inputs) -> Values:
    """1 in January to 12 in December."""
    return x.month


@feature(lookback=1, inputs=("elapsed",), unit="time")
def session_position(x: Inputs) -> Values:
    """The share of the session that is over, 1 at its close."""
    return x.elapsed


@feature(lookback=1, inputs=("rested",), unit="time")
def days_rested(x: Inputs) -> Values:
    """Days without a session just before: 2 after a weekend, always 0 where trade never rests."""
    return x.rested


@feature(lookback=1, inputs=("rest_announced",), unit="time")
def announced_rest_ahead(x: Inputs) -> Values:
    """Days without a session just after, by what was announced when the bar closed."""
    return x.rest_announced
