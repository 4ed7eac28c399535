"""Who belongs to a universe, how often that is asked, and whether any ever left."""

from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from contracts.store import Store
from contracts.tables import MEMBERSHIPS
from features.facts.members import members, survivors_only
from features.matrix import matrix
from features.view import view

pytestmark = pytest.mark.integration


def test_a_list_of_which_nobody_ever_left_is_told_from_a_dated_one(market: Any) -> None:
    end = market.close_of(market.sessions[-1])

    def asked(universe: str = market.universe) -> bool:
        return survivors_only(market.store, universe, end, market.store.snapshot())

    assert not asked(), "nobody belongs to it yet"
    market.list_instruments()
    assert asked() and not asked("another")
    left = {"universe": market.universe, "instrument_id": "SIM002"}
    left |= {"valid_from": market.sessions[0], "valid_to": market.sessions[40]}
    market.append(MEMBERSHIPS, [left | {"known_at": market.close_of(market.sessions[30])}])
    assert not asked()
    early = market.close_of(market.sessions[20])
    assert survivors_only(market.store, market.universe, early, market.store.snapshot())


def test_members_are_asked_once_per_step(market: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    market.load()
    counted: list[object] = []

    def counting(store: Store, cut: Any) -> Any:
        counted.append(cut)
        return members(store, cut)

    monkeypatch.setattr(matrix, "members", counting)
    monkeypatch.setattr("features.facts.facts.members", counting)
    cut = market.cut(market.sessions[30], market.sessions[-1])
    matrix.load_matrix(market.store, cut, view("daily_0"), missing="write")
    assert counted == [cut]


@given(data=st.data())
@examples(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_matrix_written_in_any_parts_is_the_one_written_at_once(
    market: Any, data: st.DataObject
) -> None:
    if not market.store.snapshot():
        market.load()
        late = {"universe": market.universe, "valid_to": None, "instrument_id": "SIM009"}
        at = market.sessions[50]
        market.append(MEMBERSHIPS, [late | {"valid_from": at, "known_at": market.close_of(at)}])
    days = market.sessions[40:]
    cut, chosen = market.cut(days[0], days[-1]), view("daily_0")
    whole = matrix.load_matrix(market.store, cut, chosen, missing="write")
    first, last = sorted(data.draw(st.lists(st.integers(0, len(days) - 1), min_size=2, max_size=2)))
    part = matrix.load_matrix(market.store, cut.since(days[first]).until(days[last]), chosen)
    kept = pl.DataFrame(whole).filter(pl.col("session").is_between(days[first], days[last]))
    features = ["instrument_id", "session", *chosen.features]
    assert pl.DataFrame(part).select(features).equals(kept.select(features))
