"""The source `yahoo` with the real client code against a local server."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from yahoo_server import NOW, Serve, chart, error, news_item, without_times

from contracts.settings import settings
from contracts.universe import universe
from etl.source import SOURCES, Cause, Request, SourceError
from etl.web import patience
from etl.web import yahoo as client


def request(first: date, last: date, symbols: str = "AAPL", now: datetime = NOW) -> Request:
    given = settings().model_copy(update={"symbols": symbols})
    return Request(universe("yahoo", given), first, last, now, given)


def delivered(asked: Request) -> dict[str, list[dict[str, Any]]]:
    frames: dict[str, list[pa.Table]] = {}
    for table, frame in SOURCES.get("yahoo").frames(asked):
        frames.setdefault(table, []).append(frame)
    return {table: pa.concat_tables(parts).to_pylist() for table, parts in frames.items()}


NO_NEWS = (200, '{"news": []}')


def test_bars_actions_and_news_become_facts(serve: Serve) -> None:
    days = [datetime(2020, 8, day, 13, 30, tzinfo=UTC) for day in (28, 31)]
    rows = [(days[0], 124.8075, 400.0), (days[1], 129.04, 100.0)]
    rows.append((datetime(2020, 11, 6, 14, 30, tzinfo=UTC), 118.69, 100.0))
    at = int(days[1].timestamp())
    split = {str(at): {"date": at, "numerator": 4, "denominator": 1, "splitRatio": "4:1"}}
    paid_at = int(rows[2][0].timestamp())
    dividend = {str(paid_at): {"date": paid_at, "amount": 0.205}}
    prices = chart("AAPL", rows, split, dividend)
    told = int(datetime(2020, 9, 1, 12, tzinfo=UTC).timestamp())
    items = [
        news_item(1, told),
        news_item(2, told * 1000, relatedTickers=None),
        news_item(
            3, told, title="&lt;b&gt;A&amp;amp;B&lt;/b&gt;\u200b\n rises", relatedTickers=["XOM"]
        ),
        news_item(4, 1),
        news_item(1, told),
        news_item(5, told + 10**7),
    ]
    news = json.dumps({"news": items})
    with serve(lambda path: (200, news if "search" in path else prices)):
        asked = request(date(2020, 8, 31), date(2020, 11, 6))
        found = delivered(asked)
    assert [(bar["session"], bar["close"]) for bar in found["bars"]] == [
        (date(2020, 8, 31), 129.04),
        (date(2020, 11, 6), 118.69),
    ]
    assert found["bars"][0]["known_at"] == datetime(2020, 8, 31, 20, tzinfo=UTC)
    actions = {(a["ex_date"], a["kind"]): a["value"] for a in found["actions"]}
    assert actions == {(date(2020, 8, 31), "split"): 4.0, (date(2020, 11, 6), "dividend"): 0.205}
    assert [(row["native_id"], row["text"], row["fault"]) for row in found["headlines"]] == [
        ("00000000-0001", "News 1", None),
        ("00000000-0002", "News 2", None),
        ("00000000-0003", "A&amp;B rises", None),
        (None, None, "time is not in seconds since 1970: 1"),
    ]
    assert [row["native_id"] for row in found["headline_symbols"]] == ["00000000-0001"]
    account = asked.account
    assert {reason.split(" ")[0]: left.count for (_, reason), left in account.outside.items()} == {
        "session": 1,
        "told": 1,
        "published": 1,
    }
    assert (account.read["bars"], account.read["headlines"]) == (3, 6)


def test_a_split_is_undone_in_prices_and_volume(serve: Serve) -> None:
    days = [datetime(2014, 6, d, 13, 30, tzinfo=UTC) for d in (5, 6, 9, 10)]
    # As Yahoo shows them today: divided by 7 (June 2014) and again by 4 (August 2020).
    rows = [(at, 645.57 / 28, 2800.0) for at in days[:2]]
    rows += [(at, 93.70 / 4, 400.0) for at in days[2:]]
    rows += [(datetime(2020, 8, 31, 13, 30, tzinfo=UTC), 129.04, 100.0)]
    splits = {
        str(int(at.timestamp())): {"date": int(at.timestamp()), "numerator": n, "denominator": 1}
        for at, n in ((days[2], 7), (rows[-1][0], 4))
    }
    body = chart("AAPL", rows, splits)
    with serve(lambda path: NO_NEWS if "search" in path else (200, body)):
        found = delivered(request(date(2014, 6, 5), date(2014, 6, 10)))
    assert [bar["close"] for bar in found["bars"]] == [645.57, 645.57, 93.7, 93.7]
    assert [bar["volume"] for bar in found["bars"]] == [100.0, 100.0, 100.0, 100.0]
    assert [(a["ex_date"], a["value"]) for a in found["actions"]] == [(date(2014, 6, 9), 7.0)]


@pytest.mark.parametrize(
    ("reply", "cause", "asks"),
    [
        ((429, "Too Many Requests"), Cause.THROTTLED, patience.ATTEMPTS),
        ((500, "oops"), Cause.UNREACHABLE, patience.ATTEMPTS),
        ((503, ""), Cause.UNREACHABLE, patience.ATTEMPTS),
        ((200, "<html>maintenance</html>"), Cause.UNREACHABLE, patience.ATTEMPTS),
        ((200, chart("FB", [(NOW, 1.0, 1.0)], {})[:-60]), Cause.UNREACHABLE, patience.ATTEMPTS),
        ((200, ""), Cause.UNREACHABLE, patience.ATTEMPTS),
        (error("Not Found", "No data found, symbol may be delisted"), Cause.DELISTED, 1),
        (error("Not Found", "No such symbol"), Cause.UNKNOWN, 1),
        ((200, chart("META", [(NOW, 1.0, 1.0)], {})), Cause.RENAMED, 1),
        ((200, chart("FB", [], {})), Cause.EMPTY, 1),
    ],
    ids=[
        "429",
        "500",
        "503",
        "html",
        "truncated",
        "nothing",
        "delisted",
        "unknown",
        "renamed",
        "empty",
    ],
)
def test_failures_are_named_and_what_may_pass_is_asked_again(
    serve: Serve, reply: tuple[int, str], cause: Cause, asks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[str] = []
    real = client.history

    def counted(symbol: str, first: date, now: datetime) -> client.Answer:
        tries.append(symbol)
        return real(symbol, first, now)

    monkeypatch.setattr(client, "history", counted)
    with serve(lambda _: reply):
        with pytest.raises(SourceError) as raised:
            delivered(request(date(2020, 11, 2), date(2020, 11, 6), symbols="FB"))
    assert raised.value.cause is cause
    assert len(tries) == asks


def test_an_unknown_symbol_is_refused_and_the_rest_loads(serve: Serve) -> None:
    body = chart("AAPL", [(datetime(2020, 11, 6, 14, 30, tzinfo=UTC), 118.69, 5.0)], {})

    def answers(path: str) -> tuple[int, str]:
        if "NOPE" in path:
            return error("Not Found", "No such symbol")
        return NO_NEWS if "search" in path else (200, body)

    with serve(answers):
        found = delivered(request(date(2020, 11, 6), date(2020, 11, 6), symbols="NOPE,AAPL"))
    assert [row["fault"] for row in found["symbols"]] == ["unknown: NOPE: No such symbol", None]
    assert len(found["bars"]) == 1


def test_a_closed_market_is_said_so() -> None:
    with pytest.raises(SourceError, match="closed: XNYS has no session"):
        delivered(request(date(2020, 11, 7), date(2020, 11, 8)))


def test_symbols_must_be_named() -> None:
    with pytest.raises(SourceError, match="FINPULSE_SYMBOLS"):
        delivered(request(date(2020, 11, 6), date(2020, 11, 6), symbols=""))


def hours(body: str, interval: str) -> str:
    """The chart with one trading day's hours, as answers of minutes have them."""
    held = json.loads(body)
    [result] = held["chart"]["result"]
    begin, end = (int(datetime(2020, 11, 6, *at, tzinfo=UTC).timestamp()) for at in TRADED)
    spans = {"timezone": "EST", "start": begin, "end": end, "gmtoffset": -18000}
    periods = {kind: [[spans]] for kind in ("pre", "regular", "post")}
    result["meta"] |= {"dataGranularity": interval, "tradingPeriods": periods}
    return json.dumps(held)


TRADED = ((14, 30), (21, 0))


def test_minutes_come_besides_the_days(serve: Serve) -> None:
    day = chart("AAPL", [(datetime(2020, 11, 6, 14, 30, tzinfo=UTC), 118.69, 9.0)], {})
    times = [
        datetime(2020, 11, 6, *at, tzinfo=UTC) for at in ((14, 30), (14, 31), (20, 59), (21, 0))
    ]
    rows = [(at, 118.0 + place, 2.0) for place, at in enumerate(times)]
    minutes = json.loads(hours(chart("AAPL", rows, {}), "1m"))
    for prices in minutes["chart"]["result"][0]["indicators"]["quote"][0].values():
        prices[1] = None  # a minute without a trade
    asked: list[str] = []

    def answers(path: str) -> tuple[int, str]:
        if "search" in path:
            return NO_NEWS
        asked.append(path)
        return 200, day if len(asked) == 1 else json.dumps(minutes)

    with serve(answers):
        wanted = request(date(2020, 11, 6), date(2020, 11, 6))
        given = wanted.settings.model_copy(update={"yahoo_interval": "1m"})
        found = delivered(replace(wanted, settings=given))
    bars = [bar for bar in found["bars"] if bar["interval"] == "1m"]
    assert [bar["start_time"] for bar in bars] == [times[0], times[2]]
    assert all(bar["event_time"] - bar["start_time"] == timedelta(minutes=1) for bar in bars)
    assert [(bar["close"], bar["volume"]) for bar in bars] == [(118.0, 2.0), (120.0, 2.0)]
    assert {bar["session"] for bar in found["bars"]} == {date(2020, 11, 6)}
    assert [bar["interval"] for bar in found["bars"]].count("1d") == 1


@pytest.mark.parametrize(
    ("quote", "cause"),
    [({}, Cause.EMPTY), ({"close": [75.1], "volume": [1], "open": [74.1]}, Cause.UNREACHABLE)],
    ids=["no row", "prices without times"],
)
def test_answers_without_bars_are_named(serve: Serve, quote: dict[str, Any], cause: Cause) -> None:
    body = without_times(quote)
    with serve(lambda path: NO_NEWS if "search" in path else (200, body)):
        with pytest.raises(SourceError) as raised:
            delivered(request(date(2020, 11, 2), date(2020, 11, 6)))
    assert raised.value.cause is cause


@pytest.mark.parametrize(
    ("item", "fault"),
    [
        ({"shouldNot": "exist"}, "text is missing"),
        ("text", "item is no JSON object"),
        (news_item(1, None), "headline without time"),
        (news_item(1, 1e300), "time is not in seconds since 1970: 1e+300"),
        (news_item(1, 1604674800, uuid=None), "id is missing"),
        (news_item(1, 1604674800, title="a\x00b"), "text holds a null character"),
        (news_item(1, 1604674800, title={"a": [1]}), "text is no text"),
        (news_item(0, 1604674800, uuid=0, link=None), None),
    ],
)
def test_news_of_a_wrong_shape_are_refused(serve: Serve, item: Any, fault: str | None) -> None:
    day = chart("AAPL", [(datetime(2020, 11, 6, 14, 30, tzinfo=UTC), 118.69, 9.0)], {})
    news = json.dumps({"news": [item]})
    with serve(lambda path: (200, news if "search" in path else day)):
        found = delivered(request(date(2020, 11, 6), date(2020, 11, 6)))
    assert [row["fault"] for row in found["headlines"]] == [fault]
    assert len(found["bars"]) == 1


@pytest.mark.parametrize(
    "strange",
    ['{"chart": {"result": [{"meta": 5}], "error": null}}', '{"chart": []}', "[]", "{", "null"],
)
def test_one_symbol_that_answers_strangely_costs_itself(serve: Serve, strange: str) -> None:
    day = chart("AAPL", [(datetime(2020, 11, 6, 14, 30, tzinfo=UTC), 118.69, 9.0)], {})

    def answers(path: str) -> tuple[int, str]:
        if "ODD" in path:
            return 200, strange
        return NO_NEWS if "search" in path else (200, day)

    with serve(answers):
        found = delivered(request(date(2020, 11, 6), date(2020, 11, 6), symbols="ODD,AAPL"))
    [told, sound] = found["symbols"]
    assert told["symbol"] == "ODD" and "no readable answer on ODD" in told["fault"]
    assert sound["fault"] is None and len(found["bars"]) == 1
