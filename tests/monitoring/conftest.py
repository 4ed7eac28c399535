"""The market of `tests/fixtures`."""

import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "fixtures"))

from market import Market
from world import CHANCES, World

from contracts.champion import Office
from contracts.settings import settings
from contracts.store import Store
from training.run.mlflow_api import Mlflow
from training.run.records import Fit
from training.steps import zero


@pytest.fixture
def market() -> Market:
    """Facts and ledgers, to be put where a test wants them."""
    return Market()


@pytest.fixture
def new_world(
    store: Store, mlflow_server: str, market: Market, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., World]:
    """Makes the world of an office: a seed draws what is registered, the first is champion."""
    monkeypatch.setenv("FINPULSE_MLFLOW_URL", mlflow_server)
    settings.cache_clear()

    def make(universe: str, seed: int, target: str = "trend_1") -> World:
        named = {"universe": universe, "target": target}
        bundles = [market.prior(chances, **named) for chances in CHANCES]
        office = Office(universe, target)
        world = World(store, Mlflow(mlflow_server), office, bundles, Random(seed))
        for bundle in bundles[: world.draw.randint(1, 4)]:
            world.register(bundle)
        zero.install_first(store, office, Fit("prior", bundles[0].hash, 1), world.clock())
        return world

    return make
