"""Headlines of the simulated market: sentences with a polarity, timed through the day."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from contracts.time.calendar import session_close, session_open
from etl.simulation.market import EPOCH, Market, Reals

MOST = 4  # headlines of one instrument and session
_PER_SESSION = 0.6
_AFTER_CLOSE = 0.15  # share that appears in the evening after the close before

POSITIVE = (
    "{name} beats quarterly earnings estimates and raises its outlook",
    "{name} wins a large contract and shares are expected to gain",
    "Analysts upgrade {name} to buy on strong demand",
    "{name} reports record revenue and growing margins",
    "{name} announces a share buyback after excellent results",
    "Regulator approves the new product of {name}",
    "{name} profit surges as orders grow faster than expected",
    "{name} lifts its dividend on improving cash flow",
    "Strong bookings make {name} optimistic about next year",
    "{name} gains market share as rivals stumble",
)
NEGATIVE = (
    "{name} misses quarterly earnings estimates and cuts its outlook",
    "{name} loses a large contract and warns of weaker sales",
    "Analysts downgrade {name} to sell on slowing demand",
    "{name} reports a surprising loss and shrinking margins",
    "{name} suspends its share buyback after poor results",
    "Regulator opens an investigation into {name}",
    "{name} profit plunges as orders fall faster than expected",
    "{name} cuts its dividend on deteriorating cash flow",
    "Weak bookings make {name} pessimistic about next year",
    "{name} recalls its main product after failures",
)
NEUTRAL = (
    "{name} will hold its annual meeting next month",
    "{name} names a new member of its board",
    "{name} to present at an industry conference",
    "{name} publishes the agenda of its investor day",
    "{name} moves its headquarters to another district",
    "{name} schedules its quarterly report",
    "{name} renews its agreement with a supplier",
    "{name} completes the update of its website",
)
_POLARITIES = np.array([1, 0, -1])
_TEMPLATES = {1: POSITIVE, 0: NEUTRAL, -1: NEGATIVE}

# fmt: off
_FIRST = (
    "Alder", "Birch", "Cedar", "Dune", "Elm", "Fjord", "Granite", "Harbor", "Iris", "Juniper",
    "Krill", "Larch", "Maple", "Nordic", "Ochre", "Pine", "Quartz", "River", "Summit", "Tundra",
    "Umber", "Violet", "Willow", "Xenon", "Yarrow", "Zephyr",
)
_SECOND = (
    "Systems", "Energy", "Health", "Motors", "Foods",
    "Capital", "Logistics", "Materials", "Media", "Robotics",
)
# fmt: on


@dataclass(frozen=True)
class News:
    """An instrument's headlines of all sessions, as arrays of (session, place in the session)."""

    count: npt.NDArray[np.int64]
    polarity: npt.NDArray[np.int64]
    template: Reals
    moment: Reals

    @property
    def sentiment(self) -> Reals:
        """Mean polarity of each session's headlines, 0 where there are none."""
        present = np.arange(MOST) < self.count[:, None]
        total = (self.polarity * present).sum(axis=1)
        return np.asarray(total / np.maximum(self.count, 1), dtype=np.float64)


def company(number: int) -> str:
    """The name of the instrument with that number, counted from 1; differs for the first 260."""
    place = number - 1
    return f"{_FIRST[place % len(_FIRST)]} {_SECOND[(place // len(_FIRST) + place) % len(_SECOND)]}"


def news(market: Market, instrument: str) -> News:
    """Draw the instrument's headlines."""
    shape = (len(market.days), MOST)
    counts = market.stream(instrument, "news count").poisson(_PER_SESSION, shape[0])
    polarity = market.stream(instrument, "news polarity").choice(
        _POLARITIES, size=shape, p=(0.35, 0.3, 0.35)
    )
    return News(
        count=np.minimum(counts, MOST),
        polarity=polarity,
        template=market.stream(instrument, "news template").random(shape),
        moment=market.stream(instrument, "news moment").random(shape),
    )


def texts(drawn: News, name: str, index: int) -> Iterator[tuple[int, str, float]]:
    """Place, sentence and drawn moment of each headline of one session."""
    for place in range(int(drawn.count[index])):
        sentences = _TEMPLATES[int(drawn.polarity[index, place])]
        sentence = sentences[int(drawn.template[index, place] * len(sentences))]
        yield place, sentence.format(name=name), float(drawn.moment[index, place])


def published(market: Market, index: int, moment: float) -> datetime:
    """When a headline of that session appears: after the close before, up to its own close."""
    day = market.days[index]
    closes = session_close(market.calendar, day)
    if moment < _AFTER_CLOSE and day > EPOCH:
        before = session_close(market.calendar, market.shift(day, -1))
        at = before + timedelta(hours=3) * (moment / _AFTER_CLOSE)
    else:
        share = (moment - _AFTER_CLOSE) / (1 - _AFTER_CLOSE)
        begin = session_open(market.calendar, day) - timedelta(minutes=90)
        at = begin + (closes - timedelta(minutes=5) - begin) * max(share, 0.0)
    return at.replace(microsecond=0) + timedelta(seconds=1)
