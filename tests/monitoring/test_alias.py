"""Alias and ledger: whoever moves first, they end of one mind."""

import errno
import json
from dataclasses import replace
from typing import Any

import pytest
from market import FLAT, STEEP, Market
from registry import NOW, Registry, look, newest

from contracts import objects
from contracts.champion import (
    ALIAS,
    Office,
    champion,
    pointer,
)
from contracts.release.rollout import decisions, staged
from contracts.settings import settings
from contracts.store import Store
from monitoring.office.alias import ACTOR, reconcile
from monitoring.release.gate import evaluate
from training.bundle.bundle import load
from training.office.staging import begin
from training.run.mlflow_api import Mlflow
from training.run.records import Fit
from training.steps.rollback import roll_back

pytestmark = pytest.mark.integration


@pytest.fixture
def registry(
    mlflow_server: str, store: Store, market: Market, request: pytest.FixtureRequest
) -> Any:
    """Versions 1 (flat) and 2 (steep) of a universe named after the test; 1 is champion."""
    market.universe = request.node.name
    made = Registry(Mlflow(mlflow_server), market.universe)
    flat = market.prior(FLAT, universe=market.universe)
    steep = market.prior(STEEP, universe=market.universe)
    assert (made.add(flat), made.add(steep)) == (1, 2)
    market.promote(store, market.champion(flat, 1))
    return made


def test_a_missing_alias_is_set(store: Store, registry: Registry) -> None:
    assert look(store, registry) == "moved"
    assert registry.alias == 1
    assert look(store, registry) == "agreed"


def test_a_promotion_that_died_before_its_alias_is_finished(
    store: Store, registry: Registry, market: Market
) -> None:
    look(store, registry)
    steep = market.prior(STEEP, universe=market.universe)
    market.promote(store, market.champion(steep, 2))
    assert look(store, registry) == "moved"
    assert registry.alias == 2
    assert json.loads(objects.get(pointer(registry.office)))["model_version"] == 2
    assert store.query("SELECT * FROM promotions").num_rows == 2


def test_a_choice_made_in_the_ui_is_recorded(store: Store, registry: Registry) -> None:
    look(store, registry)
    registry.choose(2)
    assert look(store, registry) == "recorded"
    office = champion(store, registry.office)
    assert office is not None and (office.model_version, office.actor) == (2, ACTOR)
    assert newest(store)["decision"] == "promoted" and newest(store)["previous_bundle"]
    assert json.loads(objects.get(pointer(registry.office)))["model_version"] == 2
    assert look(store, registry) == "agreed"
    registry.choose(1)
    assert look(store, registry) == "recorded", "back to the former is a choice like any other"


def test_a_choice_is_guarded_as_if_it_had_come_by_a_release_and_ends_the_one_under_way(
    store: Store, registry: Registry, market: Market
) -> None:
    look(store, registry)
    other = market.prior((0.2, 0.5, 0.3), universe=market.universe)
    begin(store, registry.office, Fit("", other.hash, 3), "why", NOW)
    first = champion(store, registry.office)
    registry.choose(2)
    assert look(store, registry) == "recorded"
    chosen = champion(store, registry.office)
    assert first is not None and chosen is not None
    newest, ended, _ = decisions(store, registry.office)
    assert (newest.bundle, newest.champion) == (chosen.bundle, first.bundle)
    assert newest.guarded(NOW) and not staged(store, registry.office.universe)
    assert (ended.bundle, ended.stage) == (other.hash, "out")


def test_a_choice_of_who_is_staged_is_left_to_the_gate(
    store: Store, registry: Registry, market: Market
) -> None:
    look(store, registry)
    steep = market.prior(STEEP, universe=market.universe)
    first = begin(store, registry.office, Fit("", steep.hash, 2), "why", NOW)
    registry.choose(2)
    assert look(store, registry) == "recorded"
    assert decisions(store, registry.office) == [first]
    assert evaluate(store, first, NOW).after.guarded(NOW)


def test_an_object_store_for_reading_alone_stops_no_reconciliation(
    store: Store, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The chart and compose mount it so.
    def refuse(*_: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(objects, "put", refuse)
    assert look(store, registry) == "moved"
    registry.choose(2)
    assert look(store, registry) == "recorded"
    assert look(store, registry) == "agreed"
    assert not objects.exists(pointer(registry.office))


def test_a_changed_bundle_is_refused_and_the_alias_put_back(
    store: Store, registry: Registry, market: Market
) -> None:
    look(store, registry)
    steep = market.prior(STEEP, universe=market.universe)
    objects.put(f"bundles/{steep.hash}/prior.json", b"{}")
    registry.choose(2)
    assert look(store, registry) == "refused"
    assert registry.alias == 1
    row = newest(store)
    assert (row["decision"], row["actor"], row["model_version"]) == ("refused", ACTOR, 2)
    assert "prior.json was changed" in row["reason"]
    office = champion(store, registry.office)
    assert office is not None and office.model_version == 1
    assert look(store, registry) == "agreed"


def test_a_version_without_a_bundle_is_refused(store: Store, registry: Registry) -> None:
    look(store, registry)
    registry.choose(registry.add(None))
    assert look(store, registry) == "refused"
    assert "no tag `bundle`" in newest(store)["reason"] and registry.alias == 1


def test_a_bundle_of_another_universe_is_refused(
    store: Store, registry: Registry, market: Market
) -> None:
    look(store, registry)
    registry.choose(registry.add(market.prior(STEEP, universe="elsewhere")))
    assert look(store, registry) == "refused"
    assert "elsewhere" in newest(store)["reason"]


def test_without_a_champion_or_a_model_nothing_is_done(
    store: Store, registry: Registry, mlflow_server: str
) -> None:
    assert reconcile(store, Mlflow(mlflow_server), Office("nobody", "trend_1"), NOW) == "idle"
    uncrowned = Registry(Mlflow(mlflow_server), "uncrowned")
    assert look(store, uncrowned) == "idle"


@pytest.fixture
def before(store: Store, registry: Registry, market: Market) -> Registry:
    """The model of before offices had models; its version 1, of format 2, is champion."""
    made = Registry(registry.server, market.universe, f"finpulse-{market.universe}")
    old = market.prior((0.2, 0.3, 0.5), universe=market.universe, format_version=2)
    other = market.prior((0.5, 0.3, 0.2), universe=market.universe, format_version=2)
    assert (made.add(old), made.add(other)) == (1, 2)
    market.promote(store, replace(market.champion(old, 1), model_name=made.name))
    assert look(store, registry) == "moved" and look(store, registry) == "agreed"
    return made


def shown(store: Store, *models: Registry) -> tuple[int | None, ...]:
    """The aliases, once all is said: exactly one of them, which the ledger names."""
    assert look(store, models[0]) == "agreed"
    [one] = [model for model in models if model.alias is not None]
    held = champion(store, one.office)
    assert held is not None and (held.model_name, held.model_version) == (one.name, one.alias)
    return tuple(model.alias for model in models)


def test_a_version_of_either_model_may_be_chosen(
    store: Store, registry: Registry, before: Registry
) -> None:
    assert shown(store, before, registry) == (1, None)
    for model, version, aliases in (
        (registry, 2, (None, 2)),
        (before, 2, (2, None)),
        (before, 1, (1, None)),
        (registry, 1, (None, 1)),
    ):
        model.choose(version)
        assert look(store, registry) == "recorded"
        assert shown(store, before, registry) == aliases


@pytest.mark.parametrize("first", ["before", "registry"])
def test_an_alias_that_is_on_one_model_only_is_put_right(
    store: Store, registry: Registry, before: Registry, first: str
) -> None:
    chosen, other = (before, registry) if first == "before" else (registry, before)
    chosen.choose(2)
    assert look(store, registry) == "recorded"
    gone = {"name": chosen.name, "alias": ALIAS}
    registry.server.call("DELETE", "mlflow/registered-models/alias", **gone)
    assert look(store, registry) == "moved", "nobody chose another"
    assert shown(store, chosen, other) == (2, None)
    # Of two aliases the one that moved is the choice.
    other.choose(1)
    assert look(store, registry) == "recorded"
    assert shown(store, chosen, other) == (None, 1)


def test_a_refused_choice_on_the_other_model_takes_its_alias_away(
    store: Store, registry: Registry, before: Registry, market: Market
) -> None:
    registry.choose(registry.add(market.prior(STEEP, universe="elsewhere")))
    assert look(store, registry) == "refused"
    assert shown(store, before, registry) == (1, None)


def test_a_rollback_returns_to_a_bundle_of_format_2_under_its_old_name(
    store: Store, registry: Registry, before: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FINPULSE_MLFLOW_URL", registry.server.url)
    settings.cache_clear()
    registry.choose(2)
    assert look(store, registry) == "recorded"
    leaving = champion(store, registry.office)
    assert leaving is not None
    back = roll_back(store, registry.office, leaving.bundle, "worse", NOW)
    assert back is not None and (back.model_name, back.model_version) == (before.name, 1)
    assert load(back.bundle).manifest.format_version == 2
    assert shown(store, before, registry) == (1, None)
    registry.choose(1)
    assert look(store, registry) == "recorded", "from there on as ever"
