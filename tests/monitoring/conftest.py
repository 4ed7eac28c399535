"""The market of `tests/fixtures`."""

import json
import sys
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "fixtures"))

from lived import CONTEST, TRAINED, Life, declared_recipe
from market import Market
from stub_server import serving
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


@pytest.fixture
def callers() -> Iterator[str]:
    """A Prometheus that counts good answers of both arms."""
    counts = [({"arm": arm, "outcome": "answered"}, "500") for arm in ("champion", "challenger")]
    times = [
        ({"arm": arm, "le": le}, "500")
        for arm in ("champion", "challenger")
        for le in ("0.001", "+Inf")
    ]

    class Asked(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told = times if "bucket" in self.path else counts
            rows = [{"metric": labels, "value": [0, value]} for labels, value in told]
            content = json.dumps({"status": "success", "data": {"result": rows}}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    with serving(Asked) as server:
        yield f"http://127.0.0.1:{server.server_port}"


@pytest.fixture
def life(
    store: Store, mlflow_server: str, callers: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Life]]:
    """Makes a life whose first champion is trained at the session TRAINED; releases are staged
    from then on."""
    monkeypatch.setenv("FINPULSE_MLFLOW_URL", mlflow_server)
    monkeypatch.setenv("FINPULSE_PROMETHEUS_URL", callers)
    monkeypatch.setenv("FINPULSE_CONTEST_SESSIONS", str(CONTEST))

    def made(tells: np.ndarray, **about: Any) -> Life:
        one = Life(store, monkeypatch, tells, **about)
        monkeypatch.setenv("FINPULSE_RELEASE", "direct")
        settings.cache_clear()
        one.begin()
        assert one.train(TRAINED).startswith("promoted")
        monkeypatch.setenv("FINPULSE_RELEASE", "staged")
        settings.cache_clear()
        return one

    with declared_recipe():
        yield made
