"""One run per key, whatever happens to the task."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Event
from typing import Any

import pytest

from contracts.settings import settings
from contracts.store import Store
from contracts.universe import Universe
from training.recipe import recipe
from training.run.mlflow_api import Mlflow, TrackingError
from training.run.scope import Scope
from training.run.tracking import step

pytestmark = pytest.mark.integration


def runs(server: Mlflow, scope: Scope) -> list[dict[str, Any]]:
    name = f"finpulse-{scope.universe}"
    found = server.call("GET", "mlflow/experiments/get-by-name", experiment_name=name)
    ids = [found["experiment"]["experiment_id"]]
    listed = server.call("POST", "mlflow/runs/search", experiment_ids=ids, max_results=100)
    return list(listed.get("runs", []))


def tags(run: dict[str, Any]) -> dict[str, str]:
    return {t["key"]: t["value"] for t in run["data"]["tags"]}


def test_a_repeated_step_resumes_its_run_below_one_parent(
    store: Store, tracking: Mlflow, market: Callable[..., Scope]
) -> None:
    scope = market()
    for _ in range(2):
        with step(store, scope, "tune") as run:
            with run.child("trial 0") as child:
                child.log({"depth": 3}, {"log_loss": 1.0})
    with step(store, scope, "fit", "xgboost") as other:
        other.attach("note.json", {"kept": True})
    found = {tags(r)["airflow_key"]: r for r in runs(tracking, scope)}
    above = f"manual/{scope.name}"
    assert set(found) == {
        above,
        f"{above}/tune",
        f"{above}/tune/trial 0",
        f"{above}/fit/xgboost",
    }
    assert tags(found[f"{above}/tune"])["mlflow.parentRunId"] == found[above]["info"]["run_id"]
    assert tags(found[f"{above}/tune/trial 0"])["mlflow.parentRunId"] == run.id
    params = {p["key"]: p["value"] for p in found[f"{above}/fit/xgboost"]["data"]["params"]}
    assert params["snapshot"] == "3" and params["universe"] == scope.universe
    assert params["as_of"] == str(scope.as_of) and params["recipe"] == "demo"
    assert {r["info"]["status"] for r in found.values()} == {"FINISHED"}


def test_inside_airflow_the_key_is_the_task_instances(
    store: Store, tracking: Mlflow, market: Callable[..., Scope], monkeypatch: pytest.MonkeyPatch
) -> None:
    scope = market()
    monkeypatch.setenv("AIRFLOW_CTX_DAG_ID", "train_models")
    monkeypatch.setenv("AIRFLOW_CTX_DAG_RUN_ID", "manual__2025-06-30T20:00:00+00:00")
    monkeypatch.setenv("AIRFLOW_CTX_TASK_ID", "fit")
    monkeypatch.setenv("AIRFLOW_CTX_MAP_INDEX", "1")
    with step(store, scope, "fit", "xgboost") as run:
        assert run.key == "train_models/manual__2025-06-30T20:00:00+00:00/fit/1"
    assert len(runs(tracking, scope)) == 2


def test_a_task_of_several_steps_has_a_run_of_each_of_every_recipe(
    store: Store, tracking: Mlflow, market: Callable[..., Scope], monkeypatch: pytest.MonkeyPatch
) -> None:
    scope = market()
    for name, value in {"DAG_ID": "train_targets", "DAG_RUN_ID": "r", "TASK_ID": "train"}.items():
        monkeypatch.setenv(f"AIRFLOW_CTX_{name}", value)
    for one in (scope, replace(scope, recipe=recipe("demo_volatility")), scope):
        for expert in ("xgboost", "har"):
            with step(store, one, "fit", expert) as run:
                assert run.key == f"train_targets/r/{one.name}/fit/{expert}"
    found = [tags(one)["airflow_key"] for one in runs(tracking, scope)]
    assert len(found) == len(set(found)) == 6, "two above, and two below each"


def test_a_failure_is_seen_and_a_repeat_may_log_other_parameters(
    store: Store, tracking: Mlflow, market: Callable[..., Scope]
) -> None:
    scope = market()
    with pytest.raises(ZeroDivisionError):
        with step(store, scope, "fit") as run:
            run.log({"depth": 3})
            raise ZeroDivisionError
    assert {r["info"]["status"] for r in runs(tracking, scope)} == {"FAILED"}
    with step(store, scope, "fit") as run:
        run.log({"depth": 4, "rounds": 10})
    [found] = [r for r in runs(tracking, scope) if r["info"]["run_id"] == run.id]
    assert found["info"]["status"] == "FINISHED"
    assert tags(found)["repeated.depth"] == "4"


def test_two_tasks_at_once_make_one_run(
    store: Store, tracking: Mlflow, market: Callable[..., Scope]
) -> None:
    scope = market()

    def once(_: int) -> str:
        with step(store, scope, "evidence") as run:
            return run.id

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(once, range(4)))) == 1
    assert len(runs(tracking, scope)) == 2


def test_a_lost_server_is_named(
    store: Store, market: Callable[..., Scope], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FINPULSE_MLFLOW_URL", "http://127.0.0.1:9")
    settings.cache_clear()
    with pytest.raises(TrackingError, match=r"127\.0\.0\.1:9 does not answer.*make up"):
        with step(store, market(), "fit"):
            pass


def test_the_second_training_of_a_universe_waits_for_the_first(
    store: Store,
    tracking: Mlflow,
    market: Callable[..., Scope],
    capsys: pytest.CaptureFixture[str],
) -> None:
    first = market()
    cut, elsewhere = first.cut, Universe("another", first.calendar)
    second = replace(first, cut=replace(cut, snapshot=4))
    other = replace(first, cut=replace(cut, universe=elsewhere))
    order, inside, done = list[str](), Event(), Event()

    def later() -> None:
        inside.wait()
        with step(store, second, "tune"):
            order.append("second")

    with ThreadPoolExecutor(1) as pool:
        with step(store, first, "tune"):
            waiting = pool.submit(later)
            inside.set()
            with step(store, other, "tune"):
                order.append("another universe")
            while "waiting for another process" not in capsys.readouterr().err:
                assert not done.wait(0.05) and not waiting.done()
            order.append("first")
        waiting.result(30)
    assert order == ["another universe", "first", "second"]
