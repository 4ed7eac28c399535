"""Literals come back as they went in, and a lost connection is opened anew."""

import math
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as effort
from hypothesis import strategies as st

from contracts.database.reader import bind
from contracts.store import Store

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


def test_values_must_match_their_places() -> None:
    with pytest.raises(ValueError, match="expected 2 values, found 1"):
        bind("SELECT %s, %s", [1])
    with pytest.raises(ValueError, match="NUL"):
        bind("SELECT %s", ["a\0b"])
    with pytest.raises(TypeError, match="object"):
        bind("SELECT %s", [object()])


@pytest.mark.integration
@effort(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=TEXT, number=st.floats(), flag=st.booleans(), texts=st.lists(TEXT, min_size=1))
def test_literals_survive(
    store: Store, text: str, number: float, flag: bool, texts: list[str]
) -> None:
    row = store.query(
        "SELECT %s::text AS t, %s AS n, %s AS f, %s::text[] AS l", (text, number, flag, texts)
    ).to_pylist()[0]
    assert row["n"] == number or (math.isnan(row["n"]) and math.isnan(number))
    assert (row["t"], row["f"], row["l"]) == (text, flag, texts)


@pytest.mark.integration
def test_times_and_dates_survive(store: Store) -> None:
    when = datetime(2025, 6, 30, 20, 0, 0, 123456, tzinfo=UTC)
    row = store.query("SELECT %s AS w, %s AS d, %s AS n", (when, date(2025, 6, 30), None))
    assert row["w"].to_pylist() == [when] and row["d"].to_pylist() == [date(2025, 6, 30)]


@pytest.mark.integration
@effort(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    time=st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31)),
    minutes=st.integers(-1439, 1439),
)
def test_times_of_any_offset_survive(store: Store, time: datetime, minutes: int) -> None:
    when = time.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    asked = "SELECT extract(epoch FROM %s)::float8 AS at"
    [at] = store.query(asked, (when.replace(microsecond=0),))["at"].to_pylist()
    assert at == when.replace(microsecond=0).timestamp()


@pytest.mark.integration
def test_a_connection_lost_while_idle_is_opened_anew(store: Store) -> None:
    [mine] = store.query("SELECT pg_backend_pid() AS pid")["pid"].to_pylist()
    with store.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", (mine,))
    [other] = store.query("SELECT pg_backend_pid() AS pid")["pid"].to_pylist()
    assert other != mine
