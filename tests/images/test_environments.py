"""What ships, tried: the images' environments serve, forecast and reconcile on real services."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import environments
import httpx
import numpy as np
import postgres
import pytest
from market import Market
from predictor import wait_for

from contracts.champion import ALIAS, Office, model_name
from contracts.cut import Cut
from contracts.settings import settings
from contracts.store import Store
from contracts.time.calendar import last_sessions
from contracts.universe import universe
from features.matrix.matrix import materialise
from features.view import view
from training.bundle.bundle import Bundle
from training.ensemble import ENSEMBLES
from training.expert import EXPERTS
from training.recipe import RECIPES, Recipe
from training.run.mlflow_api import Mlflow
from training.run.scope import Scope
from training.steps.combine import pack_together
from training.steps.fit import pack

pytestmark = [pytest.mark.integration, pytest.mark.timeout(3000)]

SNAPSHOT = 7
COMPARED = "finpulse_feature_comparisons_total"
QUICK = {"lstm": {"epochs": 1}, "xgboost": {"rounds": 5}}


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """The python of an image's environment, built once."""
    made: dict[str, str] = {}

    def of(target: str) -> str:
        if target not in made:
            folder = tmp_path_factory.mktemp(target)
            made[target] = str(environments.build(target, folder))
        return made[target]

    return of


@pytest.fixture(scope="module")
def numba(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Where the images keep compiled features."""
    return str(tmp_path_factory.mktemp("numba"))


@dataclass
class Image:
    """Runs commands in an image's environment, away from the repository."""

    python: str
    folder: Path
    numba: str

    def start(self, *words: str, **settings: Any) -> subprocess.Popen[bytes]:
        changed = {f"FINPULSE_{k.upper()}": str(v) for k, v in settings.items()}
        environment = {**os.environ, "NUMBA_CACHE_DIR": self.numba, **changed}
        environment.pop("PYTHONPATH", None)
        command = [self.python, "-m", *words]
        with (self.folder / f"{words[0]}.log").open("ab") as log:
            return subprocess.Popen(
                command, cwd=self.folder, env=environment, stdout=log, stderr=log
            )

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()


@pytest.fixture
def image(python: Callable[[str], str], tmp_path: Path, numba: str) -> Callable[[str], Image]:
    def of(target: str) -> Image:
        folder = tmp_path / target
        folder.mkdir(exist_ok=True)
        return Image(python(target), folder, numba)

    return of


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An S3 server of this test's own, named by the settings as the object store."""
    port = postgres.free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with (tmp_path / "s3.log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        assert server.poll() is None, (tmp_path / "s3.log").read_text()
        try:
            return httpx.get(url, timeout=5).status_code < 500
        except httpx.TransportError:
            return False

    try:
        wait_for(answers)
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(key, "testing")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        httpx.put(f"{url}/finpulse").raise_for_status()
        monkeypatch.setenv("FINPULSE_OBJECTS_URL", "s3://finpulse/objects")
        settings.cache_clear()
        yield "s3://finpulse/objects"
    finally:
        server.terminate()
        server.wait(30)


def loaded(store: Store) -> Market:
    """A market of 140 sessions that touches its barriers now and then."""
    made, random = Market(), np.random.default_rng(3)
    made.sessions = last_sessions("XNYS", made.last, 140)
    bars = []
    for symbol in made.symbols:
        for session in made.sessions:
            bar = made.bar(symbol, session, *random.choice([0.0005, 0.02], 2))
            bars.append(bar | {"open": bar["close"] * (1 + random.uniform(-4e-4, 4e-4))})
    made.load(store, *bars)
    return made


def trained(store: Store, market: Market, recipe: Recipe) -> Bundle:
    """The bundle that the recipe contests, its experts fitted in a moment."""
    cut = Cut.at(universe(market.universe), market.last, SNAPSHOT)
    scope = Scope(cut, recipe, contest_sessions=3)
    materialise(store, cut.since(market.sessions[0]), scope.view)
    samples = scope.training(store)
    members = {
        name: pack(scope, EXPERTS.get(name)(**QUICK.get(name, {})), samples)
        for name in recipe.experts
    }
    ensemble = ENSEMBLES.get(recipe.ensemble)()
    said = np.stack([member.forecast(samples.windows(member.manifest.window))
                     for member in members.values()])  # fmt: skip
    return pack_together(
        scope, members, ensemble.fit(scope.objective, said, samples.truth), samples
    )


def registered(server: Mlflow, bundles: list[Bundle], universe: str) -> list[int]:
    """The offices' models in MLflow, one version per bundle, without an alias: their numbers."""
    numbers = []
    for place, each in enumerate(bundles):
        name = model_name(Office(universe, each.manifest.target))
        if each.manifest.target not in {one.manifest.target for one in bundles[:place]}:
            server.call("POST", "mlflow/registered-models/create", name=name)
        tags = [{"key": "bundle", "value": each.hash}]
        path = "mlflow/model-versions/create"
        made = server.call("POST", path, name=name, source="s3://finpulse/model", tags=tags)
        numbers.append(int(made["model_version"]["version"]))
    return numbers


def alive(process: subprocess.Popen[bytes], url: str, said: Callable[[], str]) -> bool:
    assert process.poll() is None, said()
    try:
        return httpx.get(url, timeout=10).status_code == 200
    except httpx.TransportError:
        return False


@dataclass
class Shipped:
    """The predictor and the monitoring service as their images run them."""

    predictor: Image
    monitoring: Image
    served: str
    watched: str
    server: subprocess.Popen[bytes]
    watcher: subprocess.Popen[bytes]

    @property
    def ready(self) -> bool:
        return alive(
            self.server, f"{self.served}/health/ready", lambda: self.predictor.log("serving")
        )

    @property
    def watching(self) -> bool:
        return alive(
            self.watcher, f"{self.watched}/metrics", lambda: self.monitoring.log("monitoring")
        )

    def forecast(self, market: Market) -> None:
        """As the monitoring service asks for a new champion's forecasts."""
        words = ["--universe", market.universe, "--session", str(market.last)]
        words += ["--snapshot", str(SNAPSHOT), "--catch-up", "2"]
        done = self.monitoring.start("serving", "predict", *words)
        assert done.wait(900) == 0, self.monitoring.log("serving")

    def versions(self, market: Market, target: str) -> set[int | None]:
        """The versions that answer for the target, of all symbols of the market."""
        found: set[int | None] = set()
        for symbol in market.symbols:
            answer = httpx.get(f"{self.served}/analysis/{symbol}", timeout=30).json()
            said = {each["target"]: each["model_version"] for each in answer.get("forecasts", [])}
            found.add(said.get(target))
        return found

    def number(self, name: str) -> float:
        """The sum of a series, as the predictor's /metrics tells it."""
        lines = httpx.get(f"{self.served}/metrics", timeout=30).text.splitlines()
        ours = [line for line in lines if line.startswith((f"{name} ", f"{name}{{"))]
        return sum(float(line.rpartition(" ")[2]) for line in ours)


@pytest.fixture
def shipped(
    store: Store, bucket: str, image: Callable[[str], Image], mlflow_server: str
) -> Iterator[Shipped]:
    """Both services, on free ports; they end with the test."""
    predictor, monitoring = image("predictor"), image("monitoring")
    port, exporter = postgres.free_port(), postgres.free_port()
    server = predictor.start("serving", "run", predictor_port=port, drain_seconds=0)
    watcher = monitoring.start(
        "monitoring", "export", monitoring_port=exporter, mlflow_url=mlflow_server
    )
    urls = (f"http://127.0.0.1:{port}", f"http://127.0.0.1:{exporter}")
    try:
        yield Shipped(predictor, monitoring, *urls, server, watcher)
    finally:
        for process in (server, watcher):
            process.terminate()
        for process in (server, watcher):
            process.wait(60)


def test_every_recipes_champion_is_forecast_served_and_watched_by_the_images(
    store: Store, shipped: Shipped, mlflow_server: str
) -> None:
    market, values = loaded(store), 0
    # Those that hear others are trained after them by the verbs (tests/training/test_parts.py).
    recipes = [recipe for recipe in RECIPES if not recipe.parts]
    bundles = [trained(store, market, recipe) for recipe in recipes]
    numbers = registered(Mlflow(mlflow_server), bundles, market.universe)
    newest = {each.manifest.target: n for each, n in zip(bundles, numbers, strict=True)}
    assert set(newest) == {recipe.target for recipe in recipes} and len(newest) > 1
    left = list(zip(numbers, bundles, strict=True))
    while left:
        # One of each target takes office at once; whoever comes after it, with the next.
        office = {each.manifest.target: (version, each) for version, each in reversed(left)}
        taken = {each.hash for _, each in office.values()}
        left = [one for one in left if one[1].hash not in taken]
        for version, each in office.values():
            market.promote(store, market.champion(each, version))
            values += len(market.symbols) * len(view(each.manifest.view).features)
        shipped.forecast(market)
        wait_for(lambda: shipped.ready)
        for target, (version, _) in office.items():
            asked = (market, target)
            wait_for(lambda asked=asked, version=version: shipped.versions(*asked) == {version})
        wait_for(lambda values=values: shipped.number(COMPARED) == values, 900)
    assert shipped.number("finpulse_feature_skew_total") == 0
    wait_for(lambda: store.query("SELECT FROM requests").num_rows > 0)

    def alias(target: str) -> int | None:
        asked = {"name": model_name(Office(market.universe, target))}
        found = Mlflow(mlflow_server).call("GET", "mlflow/registered-models/get", **asked)
        held = found["registered_model"].get("aliases", [])
        return next((int(a["version"]) for a in held if a["alias"] == ALIAS), None)

    wait_for(lambda: {target: alias(target) for target in newest} == newest)
    assert shipped.watching
