"""Earlier champions are tried before anything is trained, and come back by the way of releases."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import postgres as launcher
import pyarrow as pa
import pytest
from market import FLAT, VIEW, Market
from typer.testing import CliRunner

from contracts.champion import PROMOTED, STAGED, Office, champion
from contracts.cut import Cut
from contracts.release.rollout import ROLLBACK, decisions, staged
from contracts.settings import settings
from contracts.store import Store
from contracts.tables import ALARMS, PREDICTIONS
from contracts.universe import universe
from features.matrix.matrix import materialise
from monitoring.__main__ import app
from monitoring.release import losses
from monitoring.release.check import NO_DATA, PASS
from monitoring.truth.settlement import settle
from monitoring.watch import earlier as module
from monitoring.watch.earlier import Tried, earlier
from training.office import former
from training.office.staging import Step, take
from training.steps.rollback import roll_back

pytestmark = pytest.mark.integration

OFFICE = Office("sim20", "trend_1")
WRONG, WORSE = (0.05, 0.05, 0.9), (0.02, 0.02, 0.96)
NOW = datetime(2025, 7, 2, 12, tzinfo=UTC)
ENOUGH, FEWEST_TRIED = 12, module.SESSIONS


@pytest.fixture
def moved(store: Store, market: Market, monkeypatch: pytest.MonkeyPatch) -> Cut:
    """A market whose prices go either way, as often; the sessions that can be forecast."""
    monkeypatch.setenv("FINPULSE_MLFLOW_URL", f"http://127.0.0.1:{launcher.free_port()}")
    settings.cache_clear()
    monkeypatch.setattr(module, "SESSIONS", ENOUGH)
    draw = np.random.default_rng(7)
    far = draw.choice([0.001, 0.03], (len(market.symbols), len(market.sessions)))
    market.load(
        store,
        *(
            market.bar(symbol, session, far[i, j], 0.031 - far[i, j])
            for i, symbol in enumerate(market.symbols)
            for j, session in enumerate(market.sessions)
        ),
    )
    whole = Cut(universe(market.universe), market.sessions[21], market.last, store.snapshot())
    materialise(store, whole, VIEW)
    return Cut.at(whole.universe, market.last, whole.snapshot)


def alarmed(store: Store, market: Market, bundle: str, began: date | None) -> None:
    row = {"family": "realised_loss", "universe": "sim20", "target": "trend_1", "bundle": bundle}
    row |= {"session": market.last, "snapshot": 7, "number": 30.0, "threshold": 6.0}
    row |= {"severe": 10.0, "watched": 40, "began": began, "alarm": True, "persistent": True}
    row |= {"wakes": True, "scored_at": NOW}
    store.record(ALARMS, pa.Table.from_pylist([row], schema=ALARMS.schema))


@pytest.fixture
def reigned(store: Store, market: Market, moved: Cut) -> Callable[..., list[str]]:
    """Puts bundles of such chances into office one after the other; the last one alarms."""

    def made(*chances: Sequence[float], began: int = 24) -> list[str]:
        bundles = [market.prior(each) for each in chances]
        for version, one in enumerate(bundles, 1):
            market.promote(store, market.champion(one, version))
        alarmed(store, market, bundles[-1].hash, market.sessions[began])
        return [one.hash for one in bundles]

    return made


def in_office(store: Store) -> str:
    found = champion(store, OFFICE)
    assert found is not None
    return found.bundle


def by_name(tried: list[Tried]) -> dict[str, Tried]:
    return {one.bundle: one for one in tried}


def test_the_best_that_is_surely_better_is_staged_before_anything_is_trained(
    store: Store,
    moved: Cut,
    reigned: Callable[..., list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FINPULSE_RELEASE", "staged")
    settings.cache_clear()
    flat, worse, wrong = reigned(FLAT, WORSE, WRONG)
    tried, back = earlier(store, OFFICE, moved, NOW)
    known = by_name(tried)
    assert back == flat and known[flat].better and not known[worse].better
    assert known[flat].chance < module.LEVEL / 2 and known[flat].sessions >= ENOUGH
    assert in_office(store) == wrong, "the gate decides"
    [release] = staged(store, "sim20")
    assert (release.bundle, release.champion, release.stage) == (flat, wrong, "shadow")
    rows = store.query("SELECT decision, cause, bundle, reason FROM promotions ORDER BY number")
    newest = rows.to_pylist()[-1]
    assert (newest["decision"], newest["cause"], newest["bundle"]) == (STAGED, "earlier", flat)
    assert "direction loss" in newest["reason"] and "nats less over" in newest["reason"]
    assert earlier(store, OFFICE, moved, NOW)[1] == flat, "asked again it adds nothing"
    assert len(decisions(store, OFFICE)) == 1
    # Sent away by the gate, it is not tried again against the same champion.
    take(store, release, Step(ROLLBACK, "out", 0.0, "the gate found harm"), NOW)
    tried, back = earlier(store, OFFICE, moved, NOW + timedelta(days=1))
    assert back == "" and set(by_name(tried)) == {worse}


def test_what_brings_it_back_is_enough_for_the_gate(
    store: Store,
    market: Market,
    moved: Cut,
    reigned: Callable[..., list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A gate that asked for more sessions would wait for them until its deadline, in vain."""
    monkeypatch.setenv("FINPULSE_RELEASE", "staged")
    settings.cache_clear()
    monkeypatch.setattr(module, "SESSIONS", FEWEST_TRIED)
    monkeypatch.setattr(module, "LEVEL", 0.05)
    reigned(FLAT, WRONG, began=30)
    [one], _ = earlier(store, OFFICE, moved, NOW)
    assert one.sessions == FEWEST_TRIED and one.better
    [release] = staged(store, "sim20")
    for version, chances in enumerate((FLAT, WRONG), 1):
        market.forecast(store, market.prior(chances), version, market.sessions)
    settle(store, moved.back(20), NOW)
    found = losses.checks(release, losses.its_rows(store, release))
    assert {check.result for check in found} == {PASS}, found
    # What a champion said that is no answer is not held against who is to follow it.
    [row, *_] = market.rows(market.prior(WRONG), 2, market.sessions[-3:-2])
    spoilt = {"p_up": float("nan"), "snapshot": 99, "prediction_id": row["prediction_id"][::-1]}
    store.record(PREDICTIONS, pa.Table.from_pylist([row | spoilt], schema=PREDICTIONS.schema))
    settle(store, moved.back(20), NOW)
    found = losses.checks(release, losses.its_rows(store, release))
    assert {check.result for check in found} == {PASS}, found
    beyond = {"p_up": 7.0, "snapshot": 100, "prediction_id": row["prediction_id"][1:]}
    store.record(PREDICTIONS, pa.Table.from_pylist([row | beyond], schema=PREDICTIONS.schema))
    settle(store, moved.back(20), NOW)
    [one] = losses.checks(release, losses.its_rows(store, release))
    assert one.result == NO_DATA and "probabilities" in one.why


def test_where_releases_are_not_staged_it_takes_office(
    store: Store, moved: Cut, reigned: Callable[..., list[str]]
) -> None:
    flat, _ = reigned(FLAT, WRONG)
    asked = ["earlier", "--session", str(moved.last), "--snapshot", str(moved.snapshot)]
    done = CliRunner().invoke(app, asked, catch_exceptions=False)
    assert done.stdout.splitlines()[-1] == flat and "is better" in done.stdout
    assert in_office(store) == flat
    newest = store.query("SELECT decision, cause FROM promotions ORDER BY number").to_pylist()[-1]
    assert newest == {"decision": PROMOTED, "cause": "earlier"}


def test_nobody_comes_back_who_is_no_better_or_was_rolled_back_or_without_a_change(
    store: Store, market: Market, moved: Cut, reigned: Callable[..., list[str]]
) -> None:
    worse, flat = reigned(WORSE, FLAT)
    tried, back = earlier(store, OFFICE, moved, NOW)
    assert back == "" and [one.better for one in tried] == [False] and in_office(store) == flat
    # The one that is right was rolled back: whatever it was for, it is not tried.
    market.promote(store, market.champion(market.prior(WRONG), 3))
    roll_back(store, OFFICE, market.prior(WRONG).hash, "by hand", NOW)
    assert [one.bundle for one in former.formers(store, OFFICE)] == [worse]
    asked = ["earlier", "--session", str(moved.last), "--snapshot", str(moved.snapshot)]
    done = CliRunner().invoke(app, asked, catch_exceptions=False)
    assert done.stdout.splitlines()[-1] == "nobody"


def test_a_champion_that_is_only_old_has_nobody_tried_against_it(
    store: Store, market: Market, moved: Cut
) -> None:
    for version, chances in enumerate((FLAT, WRONG), 1):
        market.promote(store, market.champion(market.prior(chances), version))
    assert earlier(store, OFFICE, moved, NOW) == ([], "")
    alarmed(store, market, market.prior(WRONG).hash, None)
    assert earlier(store, OFFICE, moved, NOW) == ([], "")


def test_too_few_sessions_and_a_bundle_that_is_gone_are_said(
    store: Store,
    market: Market,
    moved: Cut,
    reigned: Callable[..., list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reigned(FLAT, WRONG)
    monkeypatch.setattr(module, "SESSIONS", 20)
    [one] = earlier(store, OFFICE, moved, NOW)[0]
    assert "sessions are settled since, 20 are needed" in one.why and not one.better
    [known] = former.formers(store, OFFICE)
    monkeypatch.setattr(module, "formers", lambda *_: [replace(known, bundle="f" * 64)])
    [one] = earlier(store, OFFICE, moved, NOW)[0]
    assert one.why.startswith("it cannot be asked")
