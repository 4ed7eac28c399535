"""Facts used before anyone could know them, caught by rebuilding decisions from what was known."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import polars as pl

from features.facts.facts import Facts
from features.feature import FEATURES
from features.guards.hindsight import Build, decisions, refuse_hindsight
from training.leaklab.leak import leak
from training.leaklab.market import JOINED, RESTATED, Lab

_GUARD = "features.guards.hindsight.refuse_hindsight"
_NAMES = ("momentum_5", "volatility_20", "news_sentiment_1", "momentum_rank")


def _decide(facts: Facts) -> pl.DataFrame:
    return decisions(facts, [FEATURES.get(name) for name in _NAMES])


def _try(lab: Lab, tamper: Callable[[Facts], Facts], planted: bool) -> None:
    build: Build = (lambda facts: _decide(tamper(facts))) if planted else _decide
    refuse_hindsight(build, lab.facts, lab.moments)


@leak(planted="features", caught_by=_GUARD)
def late_news(lab: Lab, planted: bool) -> None:
    """A headline counts in the session in which it happened, not in that which knew it."""

    def by_event(facts: Facts) -> Facts:
        news = facts.known["news"]["news"].with_columns(known_at="happened")
        return facts.changed("news", "news", news.sort("known_at"))

    _try(lab, by_event, planted)


@leak(planted="features", caught_by=_GUARD)
def restated_value(lab: Lab, planted: bool) -> None:
    """The newest version of a value stands at the time of the first."""

    def rewritten(facts: Facts) -> Facts:
        newest = facts.bars.unique(["instrument_id", "session"], keep="last", maintain_order=True)
        return replace(facts, bars=newest.with_columns(known_at="event_time"))

    _try(lab, rewritten, planted)


@leak(planted="features", caught_by=_GUARD)
def survivors_only(lab: Lab, planted: bool) -> None:
    """Who was delisted by the end was never there."""

    def survivors(facts: Facts) -> Facts:
        gone = facts.members.filter(pl.col("valid_to").is_not_null())["instrument_id"].to_list()
        alive = ~pl.col("instrument_id").is_in(gone)
        return replace(facts, members=facts.members.filter(alive), bars=facts.bars.filter(alive))

    _try(lab, survivors, planted)


@leak(planted="features", caught_by=_GUARD)
def later_actions(lab: Lab, planted: bool) -> None:
    """Prices are adjusted with splits that were told later."""

    def early(facts: Facts) -> Facts:
        known = pl.col("known_at") - timedelta(days=30)
        return replace(facts, actions=facts.actions.with_columns(known_at=known))

    _try(lab, early, planted)


@leak(planted="features", caught_by=_GUARD)
def shifted_session(lab: Lab, planted: bool) -> None:
    """A time zone is taken off twice: headlines of the evening count in the session before."""

    def shifted(facts: Facts) -> Facts:
        known = pl.col("known_at") - timedelta(hours=5)
        news = facts.known["news"]["news"].with_columns(known_at=known)
        return facts.changed("news", "news", news)

    _try(lab, shifted, planted)


@leak(planted="features", caught_by=_GUARD)
def forming_bar(lab: Lab, planted: bool) -> None:
    """A decision at noon takes the day's bar as far as it has formed."""
    noon = lab.close_of(RESTATED + 10) - timedelta(hours=4)
    facts = lab.facts
    if planted:
        today = facts.bars.filter(pl.col("session") == lab.sessions[RESTATED + 10])
        half = today.with_columns(known_at=pl.lit(noon).cast(today["known_at"].dtype))
        order = ["instrument_id", "event_time", "source", "known_at"]
        facts = replace(facts, bars=pl.concat([facts.bars, half]).sort(order))
    refuse_hindsight(_decide, facts, [noon])


@leak(planted="features", caught_by=_GUARD)
def tomorrows_universe(lab: Lab, planted: bool) -> None:
    """Ranks are taken over the members of the next month."""

    def early(facts: Facts) -> Facts:
        back = lab.sessions[JOINED] - lab.sessions[JOINED - 15]
        changes = {name: pl.col(name) - back for name in ("valid_from", "known_at")}
        return replace(facts, members=facts.members.with_columns(**changes))

    _try(lab, early, planted)
