"""Alias and ledger: whoever moves first, they end of one mind."""

import errno
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from market import FLAT, STEEP, Market

from contracts import objects
from contracts.champion import ALIAS, Office, champion, model_name, pointer
from contracts.store import Store
from monitoring.office.alias import ACTOR, reconcile
from training.bundle.bundle import Bundle
from training.office.registration import move_alias
from training.run.mlflow_api import Mlflow

pytestmark = pytest.mark.integration

NOW = datetime(2025, 7, 2, tzinfo=UTC)


class Registry:
    """The registered model of one universe in MLflow, as a person sees it in the UI."""

    def __init__(self, server: Mlflow, universe: str) -> None:
        self.server, self.office = server, Office(universe, "trend_1")
        server.call("POST", "mlflow/registered-models/create", name=model_name(self.office))

    def add(self, bundle: Bundle | None) -> int:
        tags = [{"key": "bundle", "value": bundle.hash}] if bundle else []
        made = self.server.call(
            "POST",
            "mlflow/model-versions/create",
            name=model_name(self.office),
            source="s3://elsewhere/model",
            tags=tags,
        )
        return int(made["model_version"]["version"])

    def choose(self, version: int) -> None:
        move_alias(self.server, model_name(self.office), version)

    @property
    def alias(self) -> int | None:
        model = self.server.call(
            "GET", "mlflow/registered-models/get", name=model_name(self.office)
        )["registered_model"]
        return next(
            (int(a["version"]) for a in model.get("aliases", []) if a["alias"] == ALIAS), None
        )


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


def look(store: Store, registry: Registry) -> str:
    return reconcile(store, registry.server, registry.office, NOW)


def newest(store: Store) -> dict[str, Any]:
    return store.query("SELECT * FROM promotions ORDER BY number DESC LIMIT 1").to_pylist()[0]


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
