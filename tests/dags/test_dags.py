"""Each DAG is one line of commands, and each command is one that its room understands."""

import importlib
import re
import shlex
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import typer
from typer.core import TyperGroup
from typer.testing import CliRunner

from training.__main__ import app as training
from training.recipes import DEFAULT, RECIPES, recipe

if TYPE_CHECKING:
    from airflow.sdk import DAG

RANGES = [{"first": "2024-06-03", "last": "2024-12-31"}]
PARAMS = {"first": "2024-06-03", "last": "2025-06-27", "session": "2025-06-27"}
PREPARE = ["collect", "clean", "gate", "append"]
ORDER = {
    "market_day": [
        *PREPARE,
        *("snapshot", "score_text", "features", "predict", "settle", "drift"),
    ],
    "backfill_market": [
        *("ranges", *(f"load.{verb}" for verb in PREPARE)),
        *("snapshot", "score_text", "features"),
    ],
    "train_models": [
        *("snapshot", "features", "zero", "tune", "experts", "fit"),
        *("ensemble", "evidence", "contest", "promote", "predict"),
    ],
}


def rendered(dag: "DAG", template: str, session: str | None = PARAMS["session"]) -> str:
    pulled = {"ranges": RANGES, "snapshot": "12"}
    ti = SimpleNamespace(xcom_pull=lambda task_ids: pulled[task_ids], map_index=0)
    close = datetime(2025, 6, 27, 20, tzinfo=UTC)
    from airflow.sdk.execution_time import macros

    defaults = {name: dag.params.get_param(name).value for name in dag.params}
    params = defaults | PARAMS | {"session": session}
    environment = dag.get_template_env()
    context = {
        "params": params,
        "ti": ti,
        "data_interval_end": close,
        "macros": macros,
        "run_id": "r:1",
    }
    return environment.from_string(template).render(**context)


def commands(dag: "DAG") -> list[str]:
    found: list[str] = []
    for task in dag.tasks:
        mapped = getattr(task, "expand_input", None)
        if task.task_id == "fit":
            texts = [task.python_callable(expert) for expert in recipe(DEFAULT).experts]
        else:
            texts = mapped.value["bash_command"] if mapped is not None else [task.bash_command]
        found += [rendered(dag, text) for text in texts]
    return found


def parse(command: str) -> None:
    """Parse the words against the room's verbs as its process would, and run nothing."""
    inner = re.search(r"\$\((.*?)\)", command)
    if inner:
        parse(inner.group(1))
        command = command.replace(inner.group(0), "2025-05-02")
    python, flag, package, *words = shlex.split(command)
    assert (python, flag) == ("python", "-m")
    verbs = typer.main.get_command(importlib.import_module(f"{package}.__main__").app)
    assert isinstance(verbs, TyperGroup)
    context = verbs.make_context(package, list(words))
    name, verb, rest = verbs.resolve_command(context, list(words))
    assert verb is not None
    verb.make_context(name, rest, parent=context)


@pytest.mark.parametrize("dag_id", ORDER)
def test_a_dag_is_one_line(dags: "dict[str, DAG]", dag_id: str) -> None:
    dag = dags[dag_id]
    order = ORDER[dag_id]
    assert [task.task_id for task in dag.topological_sort()] == order
    for before, after in pairwise(order):
        assert dag.get_task(after).upstream_task_ids == {before}
        assert dag.get_task(after).trigger_rule == "all_success"
    assert dag.max_active_runs == 1
    assert dag.doc_md and dag.doc_md.count(".") == 1


@pytest.mark.parametrize("dag_id", ORDER)
def test_each_command_parses(dags: "dict[str, DAG]", dag_id: str) -> None:
    for command in commands(dags[dag_id]):
        parse(command)


@pytest.mark.parametrize("dag_id", ORDER)
def test_every_task_ends_and_outlives_a_service_that_is_away_for_a_minute(
    dags: "dict[str, DAG]", dag_id: str
) -> None:
    for task in dags[dag_id].tasks:
        told: Any = getattr(task, "partial_kwargs", None) or vars(task)
        delay, retries = told["retry_delay"], told["retries"]
        assert told["retry_exponential_backoff"], "so that a long absence is not asked often"
        assert delay * (2**retries - 1) > timedelta(minutes=1), task.task_id
        assert delay * 2 ** (retries - 1) <= told["max_retry_delay"]
        assert timedelta(hours=1) <= told["execution_timeout"] <= timedelta(days=1)


def test_a_wrong_command_would_be_found() -> None:
    for wrong in ("python -m etl colect", "python -m etl collect --sesion 2025-06-27"):
        with pytest.raises(Exception, match=r"No such (command|option)"):
            parse(wrong)


def test_every_dag_is_tested(dags: "dict[str, DAG]") -> None:
    assert set(dags) == set(ORDER)


def test_all_experts_of_the_recipe_are_fitted(dags: "dict[str, DAG]") -> None:
    dag = dags["train_models"]
    fit: Any = dag.get_task("fit")
    experts: Any = dag.get_task("experts")
    [(name, listed)] = fit.op_kwargs_expand_input.value.items()
    assert name == "expert" and listed.operator is experts
    assert dag.params["recipe"] == DEFAULT
    for name in RECIPES:
        printed = CliRunner().invoke(training, ["experts", "--recipe", name])
        assert experts.output_processor(printed.output) == list(recipe(name).experts)


def test_a_scheduled_run_names_its_session_by_its_close(dags: "dict[str, DAG]") -> None:
    collect: Any = dags["market_day"].get_task("collect")
    assert "--session 2025-06-27" in rendered(dags["market_day"], collect.bash_command, None)


def test_only_a_source_that_goes_on_is_scheduled(
    dags: "dict[str, DAG]",
    read_dags: "Callable[[], dict[str, DAG]]",
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert not any(dag.timetable.can_be_scheduled for dag in dags.values())
    monkeypatch.setenv("FINPULSE_SOURCE", "yahoo")
    monkeypatch.setenv("FINPULSE_CALENDAR", "XNSE")
    live = read_dags()["market_day"]
    assert live.timetable.summary == "XNSE close + 60 min"
    assert (live.catchup, live.params["source"]) == (False, "yahoo")
