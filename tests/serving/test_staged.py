"""Challengers in the batch and before the watch: forecast beside champions, harming nobody."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pytest
from market import FLAT, STEEP, Market
from typer.testing import CliRunner

from contracts import objects
from contracts.champion import model_name
from contracts.gap import gaps
from contracts.release.rollout import GUARDED, Rollout, newest
from contracts.store import Store
from contracts.tables import ROLLOUTS
from serving.__main__ import app
from serving.edge.metrics import Metrics
from serving.served.watch import Watch
from training.bundle import bundle
from training.bundle.bundle import Bundle

pytestmark = pytest.mark.integration

NOW = datetime.now(UTC)
Stage = Callable[..., None]


@pytest.fixture
def stage(store: Store, market: Market) -> Stage:
    """Writes where a release of a bundle against the flat champion stands."""
    count = iter(range(100))

    def written(made: Bundle, stage: str, share: float, at: datetime = NOW) -> None:
        office = market.champion(made, 2).office
        row = {
            **{"decision_id": f"d{next(count)}", "rollout_id": "r1", "universe": office.universe},
            **{"target": office.target, "bundle": made.hash, "model_name": model_name(office)},
            **{"model_version": 2, "champion": market.prior(FLAT).hash, "stage": stage},
            **{"share": share, "verdict": "PROMOTE", "reason": "", "numbers": "{}"},
            **{"actor": "manual", "decided_at": at},
        }
        store.record(ROLLOUTS, pa.Table.from_pylist([row], schema=ROLLOUTS.schema))

    return written


@pytest.fixture
def flat(store: Store, market: Market) -> Bundle:
    """The champion, of a market with facts."""
    market.load(store)
    made = market.prior(FLAT)
    market.promote(store, market.champion(made, 1))
    return made


def predict(store: Store, session: date) -> str:
    words = ["--session", str(session), "--snapshot", str(store.snapshot()), "--catch-up", "3"]
    done = CliRunner().invoke(app, ["predict", "--universe", "sim20", *words])
    assert done.exit_code == 0, done.output
    return done.output


def origins(store: Store, made: Bundle) -> dict[date, str]:
    rows = store.query(
        "SELECT DISTINCT session, origin FROM predictions WHERE bundle = %s", (made.hash,)
    )
    return {row["session"]: row["origin"] for row in rows.to_pylist()}


def test_a_challenger_is_forecast_beside_its_champion_in_shadow_and_then_live(
    store: Store, market: Market, flat: Bundle, stage: Stage
) -> None:
    steep, (first, second, third) = market.prior(STEEP), market.sessions[-3:]
    predict(store, first)
    stage(steep, "shadow", 0.0)
    [gap] = gaps(store)
    assert gap.bundle == steep.hash and gap.session == first
    predict(store, second)
    assert origins(store, steep) == {first: "backfill", second: "shadow"}
    assert gaps(store) == []
    stage(steep, "canary", 0.1)
    predict(store, third)
    assert origins(store, steep)[third] == origins(store, flat)[third] == "live"
    stage(steep, "out", 0.0)
    assert gaps(store) == []


def test_a_challenger_that_cannot_forecast_stops_no_days_work(
    store: Store, market: Market, flat: Bundle, stage: Stage
) -> None:
    steep = market.prior(STEEP)
    stage(steep, "shadow", 0.0)
    objects.remove(f"bundles/{steep.hash}/prior.json")
    told = predict(store, market.last)
    assert f"{steep.hash[:12]}, beside the champion of sim20/trend_1" in told
    assert market.last in origins(store, flat) and origins(store, steep) == {}


def test_the_champion_of_before_forecasts_on_for_four_weeks(
    store: Store, market: Market, flat: Bundle, stage: Stage
) -> None:
    steep, (first, second, third) = market.prior(STEEP), market.sessions[-3:]
    predict(store, first)
    market.promote(store, market.champion(steep, 2))
    stage(steep, "office", 1.0)
    predict(store, second)
    assert origins(store, flat)[second] == "shadow" and origins(store, steep)[second] == "live"
    [release] = newest(store)
    assert release.guarded(NOW) and not release.guarded(NOW + GUARDED + timedelta(seconds=1))
    stage(steep, "office", 1.0, NOW - GUARDED)
    predict(store, third)
    assert third not in origins(store, flat)


def test_the_watch_stages_swaps_shares_and_lets_go(
    store: Store, market: Market, stage: Stage
) -> None:
    watch = Watch(store, market.universe, bundle.load, Metrics())
    market.crown(store, FLAT, 1)
    steep = market.prior(STEEP)
    stage(steep, "shadow", 0.0)
    watch.poll()
    assert watch.state.staged == {}, "it has no forecasts yet"
    market.forecast(store, steep, 2, market.sessions[-3:])
    watch.poll()
    first = watch.state.staged["sim20"]
    assert (first.rollout.share, first.fault, first.view.champion.bundle) == (0.0, "", steep.hash)
    state = watch.state
    watch.poll()
    assert watch.state.staged is state.staged, "nothing moved"
    stage(steep, "canary", 0.1)
    watch.poll()
    assert watch.state.staged["sim20"].rollout.share == 0.1
    assert watch.state.staged["sim20"].view is first.view
    stage(steep, "out", 0.0)
    watch.poll()
    assert watch.state.staged == {} and watch.state.answers is state.answers


def test_a_challenger_in_office_is_beside_nobody(
    store: Store, market: Market, stage: Stage
) -> None:
    watch = Watch(store, market.universe, bundle.load, Metrics())
    market.crown(store, FLAT, 1)
    stage(market.prior(STEEP), "canary", 0.5)
    market.crown(store, STEEP, 2)
    watch.poll()
    assert watch.state.staged == {}


def test_a_spoilt_bundle_is_a_fault_and_its_champion_goes_on(
    store: Store, market: Market, stage: Stage
) -> None:
    watch = Watch(store, market.universe, bundle.load, Metrics())
    market.crown(store, FLAT, 1)
    steep = market.prior(STEEP)
    market.forecast(store, steep, 2, market.sessions[-3:])
    stage(steep, "canary", 0.5)
    objects.put(f"bundles/{steep.hash}/prior.json", b'{"probabilities": [1, 0, 0]}')
    watch.poll()
    staged = watch.state.staged["sim20"]
    assert "was changed" in staged.fault and staged.view.champion.model_version == 1
    assert watch.state.database


def test_a_new_champion_is_what_a_challenger_stands_beside(
    store: Store, market: Market, stage: Stage
) -> None:
    watch = Watch(store, market.universe, bundle.load, Metrics())
    market.crown(store, FLAT, 1)
    steep = market.prior(STEEP)
    market.forecast(store, steep, 2, market.sessions[-3:])
    stage(steep, "canary", 0.5)
    watch.poll()
    before: Rollout = watch.state.staged["sim20"].rollout
    market.crown(store, (0.2, 0.6, 0.2), 3)
    watch.poll()
    assert watch.state.staged["sim20"].rollout == before
    seen = watch.state.beside("sim20")
    [main] = [answers.main for answers in seen.answers["sim20"].values()]
    assert main.champion.bundle == steep.hash
    [own] = [answers.main for answers in watch.state.answers["sim20"].values()]
    assert own.champion.model_version == 3
