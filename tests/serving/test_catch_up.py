"""The verb `catch-up`: a champion that a person chose forecasts what it has not."""

import re

import pyarrow as pa
import pytest
from market import FLAT, STEEP, Market
from typer.testing import CliRunner, Result

from contracts.champion import PROMOTED, REFUSED, ROLLED_BACK, Cause
from contracts.gap import Gap, gaps
from contracts.store import Store
from contracts.tables import PROMOTIONS
from serving.__main__ import app
from training.bundle.bundle import Bundle
from training.bundle.manifest import ViewChanged

pytestmark = pytest.mark.integration


def decide(
    store: Store,
    market: Market,
    bundle: Bundle,
    version: int,
    decision: str = PROMOTED,
    cause: Cause = "person",
) -> None:
    """Write a decision into the ledger."""
    row = vars(market.champion(bundle, version)) | {"decision": decision, "previous_bundle": None}
    row |= {"cause": cause}
    row |= {"reason": "because", "evidence": "{}"}
    store.record(PROMOTIONS, pa.Table.from_pylist([row], schema=PROMOTIONS.schema))


def forecast(store: Store, market: Market, bundle: Bundle, version: int = 1) -> None:
    market.forecast(store, bundle, version, market.sessions[-2:])


def ran() -> Result:
    return CliRunner().invoke(app, ["catch-up"])


@pytest.mark.parametrize("decision", [PROMOTED, ROLLED_BACK])
def test_who_was_chosen_by_hand_forecasts_the_newest_sessions_once(
    store: Store, market: Market, decision: str
) -> None:
    market.load(store)
    flat, steep = market.prior(FLAT), market.prior(STEEP)
    decide(store, market, flat, 1)
    assert gaps(store) == [], "before the first forecast there is no newest session"
    forecast(store, market, flat)
    assert gaps(store) == []
    decide(store, market, steep, 2, decision)
    snapshot = 7  # that of the newest forecasts
    assert gaps(store) == [Gap(market.universe, "trend_1", steep.hash, market.last, snapshot)]
    done = ran()
    assert done.exit_code == 0, done.output
    assert int(done.stdout.splitlines()[-1]) == 3, "no matrix reaches further back"
    assert gaps(store) == []
    assert ran().stdout == "0\n"


def test_a_contests_winner_and_a_refused_choice_are_not_ours_to_forecast(
    store: Store, market: Market
) -> None:
    flat, steep = market.prior(FLAT), market.prior(STEEP)
    decide(store, market, flat, 1)
    forecast(store, market, flat)
    decide(store, market, steep, 2, REFUSED)
    assert gaps(store) == []
    decide(store, market, steep, 2, cause="contest")
    assert gaps(store) == [], "the step after the contest does"


def test_each_universe_is_caught_up_whatever_becomes_of_the_others(
    store: Store, market: Market
) -> None:
    broken, sound = Market(), market
    broken.universe, sound.universe = "broken", "sound"
    sound.load(store)
    chosen = {}
    for place, changes in ((broken, {"view_hash": "0" * 16}), (sound, {})):
        forecast(store, place, place.prior(FLAT, universe=place.universe))
        chosen[place.universe] = place.prior(STEEP, universe=place.universe, **changes)
        decide(store, place, chosen[place.universe], 2)
    assert [gap.universe for gap in gaps(store)] == ["broken", "sound"]
    done = ran()
    assert isinstance(done.exception, ViewChanged), "the task fails and is tried again"
    assert re.search("broken/trend_1: bundle", done.stderr)
    assert [gap.universe for gap in gaps(store)] == ["broken"]


def test_every_office_of_the_universe_forecasts_and_one_that_fails_is_named(
    store: Store, market: Market
) -> None:
    market.load(store)
    volatile, broken = market.times(1.0), market.prior(STEEP, view_hash="0" * 16)
    decide(store, market, broken, 1)
    decide(store, market, volatile, 1)
    options = ["predict", "--session", str(market.last), "--snapshot", str(store.snapshot())]
    done = CliRunner().invoke(app, [*options, "--catch-up", "2"])
    assert done.exit_code == 1 and isinstance(done.exception, ViewChanged)
    assert f"{market.universe}/trend_1: bundle" in done.stderr
    said = "SELECT target, volatility, p_up FROM predictions"
    assert {row["target"] for row in store.query(said).to_pylist()} == {"volatility_5"}
    decide(store, market, market.prior(FLAT), 2)
    done = CliRunner().invoke(app, [*options, "--catch-up", "1"])
    assert (done.exit_code, done.stdout.splitlines()[-1]) == (0, "3"), done.output
    rows = store.query(said).to_pylist()
    assert {row["target"] for row in rows} == {"trend_1", "volatility_5"}
    for row in rows:
        assert (row["volatility"] is None, row["p_up"] is None) == (
            row["target"] == "trend_1",
            row["target"] == "volatility_5",
        )
