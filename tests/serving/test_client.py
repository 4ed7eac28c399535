"""A client that is generated from the published document, and calls all of it."""

import importlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
from market import Market
from places import Place, placed, ran
from predictor import Predictor, Start, wait_for

from contracts.champion import Office, champion
from contracts.store import Store
from serving.__main__ import app as serving
from serving.app import VERSION
from training.__main__ import app as training
from training.bundle import bundle
from training.run.mlflow_api import Mlflow

pytestmark = pytest.mark.integration

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "openapi" / f"{VERSION}.json"
KEY = "client-key-0123456789"
RECIPES = ("demo", "demo_volatility", "demo_return", "demo_levels", "demo_risk")
VIEWS = ("daily_3", "daily_4", "daily_5", "daily_6")


@dataclass
class Caller:
    """The generated client, and what it was answered: operation, status.

    operations: those of the document by name.
    """

    package: ModuleType
    url: str
    operations: Mapping[str, Any]
    called: set[tuple[str, int]] = field(default_factory=set)

    def __call__(self, operation: str, key: str = KEY, **asked: Any) -> Any:
        """The typed answer, which loses nothing of the body that came."""
        package = importlib.import_module(f"{self.package.__name__}.api.default.{operation}")
        door = {"token": key, "prefix": "", "auth_header_name": "X-API-Key"}
        client = self.package.AuthenticatedClient(base_url=self.url, timeout=30, **door)
        if isinstance(asked.get("body"), dict):
            [form] = [name for name in vars(package) if name.endswith("Request")]
            asked["body"] = getattr(package, form).from_dict(asked["body"])
        found = package.sync_detailed(client=client, **asked)
        self.called.add((operation, int(found.status_code)))
        answer, raw = found.parsed, json.loads(found.content)
        assert answer is not None, f"{operation} answered {found.status_code}, undocumented"
        form = self.documented(operation, int(found.status_code))
        assert type(answer).__name__ == form
        assert form == "ErrorAnswer" or set(answer.to_dict()) == set(raw), "unknown fields came"
        assert not getattr(answer, "additional_properties", {}) or form == "ErrorAnswer"
        return answer

    def documented(self, operation: str, status: int) -> str:
        responses = self.operations[operation]["responses"]
        form = responses[str(status)]["content"]["application/json"]["schema"]["$ref"]
        return str(form.split("/")[-1])


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The client as the generator makes it of the published document."""
    made, config = tmp_path / "finpulse_client", tmp_path / "generator.yaml"
    # It would format its files by a ruff in the path, which says nothing of the document.
    config.write_text("post_hooks: []\n")
    command = [str(Path(sys.executable).parent / "openapi-python-client"), "generate"]
    command += ["--path", str(DOCUMENT), "--meta", "none", "--output-path", str(made)]
    command += ["--config", str(config), "--fail-on-warning"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module(made.name)
    for name in [name for name in sys.modules if name.split(".")[0] == made.name]:
        del sys.modules[name]


@pytest.fixture
def place(store: Store, tracking: Mlflow, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A small simulated market, with what the champions of five objectives learn from."""
    return placed(store, monkeypatch, 300, 60, VIEWS)


def trained(store: Store, place: Place) -> None:
    """Champions zero forecast the sessions before; then a trained trend takes office, and all
    forecast the newest."""
    for name in RECIPES:
        ran(training, "zero", "--recipe", name, *place.now)
    ran(serving, "predict", *place.now, "--catch-up", "3")
    learnt = ran(training, "fit", "--expert", "logistic", "--recipe", "demo", *place.now)
    found, market = bundle.load(learnt.split()[-1]), Market()
    market.promote(store, market.champion(found, 2))
    held = champion(store, Office("sim20", "trend_1"))
    assert held and held.bundle == found.hash
    ran(serving, "predict", *place.now, "--catch-up", "1")


def newest(predictor: Predictor) -> bool:
    told = httpx.get(f"{predictor.url}/model/info", headers={"X-API-Key": KEY}).json()
    return len(told.get("offices", [])) == len(RECIPES) and told["version"] == 2


def test_it_calls_every_operation_and_is_told_all_that_the_document_promises(
    store: Store, place: Place, start: Start, package: ModuleType
) -> None:
    predictor = start(api_keys=f"client:{KEY}")
    wait_for(lambda: predictor.status("/health/live") == 200)
    served = httpx.get(f"{predictor.url}/openapi.json").json()
    assert served == json.loads(DOCUMENT.read_text())
    paths = served["paths"].values()
    operations = {one["operationId"]: one for path in paths for one in path.values()}
    call = Caller(package, predictor.url, operations)
    assert call("live").status == "live"
    assert call("ready").code == "no_champion"
    trained(store, place)
    wait_for(lambda: predictor.ready and newest(predictor))
    assert call("ready").version == 2

    every_forecast(call)
    what_they_rest_on(call, store)
    who_answers(call)
    the_risk_of_a_portfolio(call)
    the_page_shows_it(predictor.url)
    assert call("assets", key="wrong-key-0123456789").code == "key_unknown"

    answered = {name for name, status in call.called if status == 200}
    refused = {name for name, status in call.called if status != 200}
    assert answered == set(operations), "an operation was not called, or never answered"
    refuse = {name for name, one in operations.items() if set(one["responses"]) != {"200"}}
    assert refused == refuse == set(operations) - {"live"}, "an operation was never refused"


def every_forecast(call: Caller) -> None:
    asked = {"symbols": ["SIM001", "NOBODY", "SIM002"]}
    found = call("predict", body=asked)
    assert [row.symbol for row in found.predictions] == ["SIM001", "SIM002"]
    assert [(one.symbol, one.code) for one in found.missing] == [("NOBODY", "unknown_symbol")]
    row = found.predictions[0]
    assert row.p_down + row.p_neutral + row.p_up == pytest.approx(1.0)
    assert 0 < row.volatility.value < 0.2
    assert row.returns.interval_90[0] < row.returns.expected_return < row.returns.interval_90[1]
    assert row.levels.support < row.levels.resistance and 0 <= row.levels.p_support <= 1
    assert 0 < row.risk.var_95 < row.risk.es_99 and row.advice is None, "nobody gives advice yet"
    assert call("predict", body={"symbols": []}).code == "invalid_request"
    one = call("predict_one", symbol="SIM001")
    assert one.predictions[0].prediction_id == row.prediction_id
    assert call("predict_one", symbol="SIM001", horizon=3).code == "unknown_horizon"
    before = call("predict_one", symbol="SIM001", as_of=row.as_of)
    assert before.predictions[0].prediction_id == row.prediction_id
    analysed = call("analysis", symbol="SIM001")
    assert {one.objective for one in analysed.forecasts} == {
        *("trend", "volatility", "return", "levels", "risk")
    }
    assert call("analysis", symbol="NOBODY").code == "unknown_symbol"
    ranked = call("ranking", universe="sim20", by="p_up", limit=3)
    values = [one.value for one in ranked.ranking]
    assert len(values) == 3 and values == sorted(values, reverse=True)
    assert call("ranking", universe="sim20", by="luck").code == "unknown_number"


def what_they_rest_on(call: Caller, store: Store) -> None:
    row = call("predict_one", symbol="SIM002").predictions[0]
    found = call("explain", prediction_id=row.prediction_id)
    assert (found.symbol, found.model_version) == ("SIM002", 2)
    said = found.parts[0].said.to_dict()["p_up"]
    added = said["base"] + sum(said["features"].values()) + said["rest"]
    assert added == pytest.approx(said["total"], abs=1e-6)
    assert call("explain", prediction_id="0" * 32).code == "unknown_prediction"


def who_answers(call: Caller) -> None:
    assert {asset.symbol for asset in call("assets").assets} >= {"SIM001", "SIM002"}
    assert call("assets", universe="mars").code == "unknown_universe"
    info = call("model_info", target="volatility_5")
    assert info.manifest["objective"] == "volatility" and len(info.offices) == len(RECIPES)
    assert call("model_info", target="luck_5").code == "unknown_target"


def the_risk_of_a_portfolio(call: Caller) -> None:
    found = call("portfolio_risk", portfolio="SIM001:0.6,SIM002:0.4", sessions=200)
    assert found.sessions <= 200 and 0 < found.var_95 <= found.var_99
    assert found.weights.to_dict() == {"SIM001": 0.6, "SIM002": 0.4}
    assert call("portfolio_risk", portfolio="SIM001").code == "invalid_portfolio"


def the_page_shows_it(url: str) -> None:
    page = (DOCUMENT.parents[1] / "api.md").read_text()
    assert f"--path docs/openapi/{DOCUMENT.name} " in page
    [code] = re.findall(r"```python\n(.*?)```", page, re.S)
    exec(code, {"URL": url, "KEY": KEY})
