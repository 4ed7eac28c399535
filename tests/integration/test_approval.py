"""A challenger that won waits in a real Airflow for a person, who refuses it and then agrees."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import ports
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "fixtures"))

from airflow_client import Airflow
from live_stack import eventually, run
from market import Market
from postgres import free_port
from simulated import load_facts, score_texts
from stack import Stack, asked_settings

from contracts.champion import Office, champion
from contracts.cut import Cut
from contracts.settings import settings
from contracts.store import Store
from training.text import named

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1200)]

OFFICE = Office("sim20", "volatility_5")
SMALL = {"SIM_INSTRUMENTS": "5", "SIM_SESSIONS": "400", "CONTEST_SESSIONS": "120"}


@pytest.fixture
def cut(store: Store, mlflow_server: str, monkeypatch: pytest.MonkeyPatch) -> Cut:
    """A small market whose champion says four times the volatility that there is."""
    told = SMALL | {"MLFLOW_URL": mlflow_server, "APPROVAL": "person"}
    for name, value in told.items():
        monkeypatch.setenv(f"FINPULSE_{name}", value)
    settings.cache_clear()
    facts, market = load_facts(store), Market(OFFICE.universe)
    score_texts(store, facts, named.model("minilm", None))
    wrong = market.times(4, as_of=datetime(2023, 12, 29, 21, tzinfo=UTC))
    market.promote(store, market.champion(wrong, 1))
    return facts


@pytest.fixture
def airflow(cut: Cut, monkeypatch: pytest.MonkeyPatch) -> Iterator[Airflow]:
    """The Airflow of a local stack on the test's database and MLflow."""
    for name in ports.NAMES:
        monkeypatch.setenv(f"FINPULSE_{name.upper()}", str(free_port()))
    environment = {k: v for k, v in os.environ.items() if not k.startswith("AIRFLOW")}
    started = run("up", environment)
    try:
        assert started.returncode == 0, started.stdout
        client = Airflow(Stack.of(asked_settings()).settings, print)
        client.wait_for("train_models")
        yield client
    finally:
        stopped = run("down", environment)
    assert stopped.returncode == 0, stopped.stdout


RUN = "dags/train_models/dagRuns"


def state(airflow: Airflow, task: str, name: str = "by-hand") -> str | None:
    found = airflow.ask("GET", f"{RUN}/{name}/taskInstances/{task}").json().get("state")
    assert found not in ("failed", "upstream_failed"), f"{task} is {found}"
    return str(found)


def answered(airflow: Airflow, option: str) -> None:
    """A person's answer to the only question that is open, as the page gives it."""
    asked = "dags/~/dagRuns/~/hitlDetails"
    listed = airflow.ask("GET", asked, params={"response_received": False}).json()
    [question] = listed["hitl_details"]
    assert question["subject"] == f"May the challenger come into the office {OFFICE}?"
    assert question["body"].startswith("promoted: ")
    # Nobody answers within the second in which it was asked: Airflow would ask once more.
    time.sleep(10)
    place = f"{RUN}/by-hand/taskInstances/approval/-1/hitlDetails"
    airflow.ask("PATCH", place, json={"chosen_options": [option], "params_input": {}})


def ended(airflow: Airflow) -> dict[str, Any]:
    """The run when it has ended."""

    def whole() -> dict[str, Any] | None:
        found: dict[str, Any] = airflow.ask("GET", f"{RUN}/by-hand").json()
        return found if found["state"] in ("success", "failed") else None

    return dict(eventually(whole))


def woken(airflow: Airflow, about: dict[str, str]) -> dict[str, Any]:
    """What a run is about that such an alarm woke; the run is ended then."""
    [alarms] = airflow.ask("GET", "assets", params={"uri_pattern": "ledger/alarms"}).json()[
        "assets"
    ]
    airflow.ask("POST", "assets/events", json={"asset_id": alarms["id"], "extra": about})
    asked = {"run_type": "asset_triggered"}
    [one] = eventually(lambda: airflow.ask("GET", RUN, params=asked).json()["dag_runs"])
    name = one["dag_run_id"]
    eventually(lambda: state(airflow, "inputs", name) == "success")
    path = f"{RUN}/{name}/taskInstances/inputs/xcomEntries/return_value"
    found = airflow.ask("GET", path, params={"deserialize": True}).json()["value"]
    airflow.ask("PATCH", f"{RUN}/{name}", json={"state": "failed"})
    return dict(found)


def test_a_person_decides_on_a_challenger_and_an_alarm_wakes_a_training(
    store: Store, cut: Cut, airflow: Airflow, decisions: Callable[[], list[str]]
) -> None:
    before = champion(store, OFFICE)
    asked = {"dag_run_id": "by-hand", "logical_date": None}
    airflow.ask("POST", RUN, json=asked | {"conf": {"recipe": "demo_volatility"}})
    eventually(lambda: state(airflow, "approval") == "awaiting_input", 600)
    assert champion(store, OFFICE) == before and decisions() == ["promoted"]

    answered(airflow, "Reject")
    refused = ended(airflow)
    assert (refused["state"], state(airflow, "promote")) == ("success", "skipped")
    assert "refused by admin: nothing is promoted" in refused["note"]
    assert champion(store, OFFICE) == before and decisions() == ["promoted"]

    again = {"dry_run": False, "dag_run_id": "by-hand", "task_ids": ["approval"]}
    again |= {"only_failed": False, "include_downstream": True, "reset_dag_runs": True}
    airflow.ask("POST", "dags/train_models/clearTaskInstances", json=again)
    eventually(lambda: state(airflow, "approval") == "awaiting_input")
    answered(airflow, "Approve")
    approved = ended(airflow)
    assert (approved["state"], state(airflow, "predict")) == ("success", "success")
    assert "approved by admin" in approved["note"]
    after = champion(store, OFFICE)
    assert after is not None and after != before and decisions() == ["promoted", "promoted"]

    session = str(cut.last)
    about = {"universe": OFFICE.universe, "target": OFFICE.target, "family": "loss"}
    inputs = woken(airflow, about | {"session": session})
    told = {"recipe": "volatility", "first": str(cut.first), "session": session}
    assert {key: inputs[key] for key in told} == told


@pytest.fixture
def decisions(store: Store) -> Callable[[], list[str]]:
    """The decisions in the ledger, in their order."""

    def read() -> list[str]:
        asked = "SELECT decision FROM promotions WHERE target = %s ORDER BY number"
        return list(store.query(asked, (OFFICE.target,))["decision"].to_pylist())

    return read
