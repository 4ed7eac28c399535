"""Each DAG is one line of commands, and each command is one that its room understands."""

from collections.abc import Callable
from datetime import date, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from dag_words import PULLED, argvs, parse, rendered
from typer.testing import CliRunner

from contracts.settings import settings
from contracts.universe import Universe, everything
from training.__main__ import app as training
from training.recipe import DEFAULT, RECIPES

if TYPE_CHECKING:
    from airflow.sdk import DAG

RANGES = [{"first": "2024-06-03", "last": "2024-12-31"}]
PARAMS = {"first": "2024-06-03", "last": "2025-06-27", "session": "2025-06-27"}
PREPARE = ["collect", "clean", "gate", "append"]
DAY = [
    *("extent", *PREPARE),
    *("snapshot", "score_text", "features", "predict", "settle", "drift", "alarms"),
]
ORDER = {
    "market_day": DAY,
    "market_day_london8": DAY,
    "backfill_market": [
        *("ranges", *(f"load.{verb}" for verb in PREPARE)),
        *("snapshot", "score_text", "features"),
    ],
    "train_models": [
        *("snapshot", "inputs", "earlier", "features", "zero", "tune", "experts", "fit"),
        *("ensemble", "evidence", "contest", "promote", "predict"),
    ],
    "train_targets": ["snapshot", "train", "predict"],
    "forecast_champion": ["catch_up"],
    "release_champion": ["gate"],
    "finetune_sentiment": [
        *("data", "tune", "fit", "evaluate", "contest", "promote", "rescore"),
    ],
}


@pytest.mark.parametrize("dag_id", ORDER)
def test_a_dag_is_one_line(dags: "dict[str, DAG]", dag_id: str) -> None:
    dag = dags[dag_id]
    order = ORDER[dag_id]
    assert [task.task_id for task in dag.topological_sort()] == order
    for before, after in pairwise(order):
        assert dag.get_task(after).upstream_task_ids == {before}
        assert dag.get_task(after).trigger_rule == "all_success"
    # Trainings of two targets may go side by side.
    assert dag.max_active_runs == (2 if dag_id.startswith("train_") else 1)
    assert dag.doc_md and dag.doc_md.count(".") == 1


@pytest.mark.parametrize("dag_id", ORDER)
def test_each_command_parses(dags: "dict[str, DAG]", dag_id: str) -> None:
    for argv in argvs(dags[dag_id]):
        parse(rendered(dags[dag_id], argv))


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
            parse(wrong.split())


def test_features_are_made_with_the_text_model_that_scored_or_that_training_asks_for(
    dags: "dict[str, DAG]", monkeypatch: pytest.MonkeyPatch
) -> None:
    # With a text model by name nobody has to be asked who is in office.
    monkeypatch.setenv("FINPULSE_TEXT_MODEL", "minilm")
    monkeypatch.setenv("FINPULSE_DATABASE_URL", "postgresql://nowhere/none")
    settings.cache_clear()
    days = ["--first", "2024-06-03", "--session", "2025-06-27"]
    printed = CliRunner().invoke(training, ["inputs", "--recipe", DEFAULT, *days])
    inputs: Any = dags["train_models"].get_task("inputs")
    assert set(inputs.answer(printed.output)) == set(PULLED["inputs"])
    for name in ("market_day", "backfill_market", "train_models"):
        features: Any = dags[name].get_task("features")
        words = rendered(dags[name], features.argv)
        assert words[words.index("--text-model") + 1] == "minilm-1"
        wanted = "daily_3,daily_4" if name.startswith("market_day") else "daily_3"
        assert words[words.index("--view") + 1] == wanted


def test_a_snapshot_is_named_by_its_run(dags: "dict[str, DAG]") -> None:
    for name in ("market_day", "backfill_market", "train_models", "train_targets"):
        snapshot: Any = dags[name].get_task("snapshot")
        assert rendered(dags[name], snapshot.argv)[-1] == f"{name}/r:1"


def test_every_dag_is_tested(dags: "dict[str, DAG]") -> None:
    assert set(dags) == set(ORDER)


def test_all_experts_of_the_recipe_are_fitted(dags: "dict[str, DAG]") -> None:
    dag = dags["train_models"]
    fit: Any = dag.get_task("fit")
    experts: Any = dag.get_task("experts")
    [(name, listed)] = fit.expand_input.value.items()
    assert name == "part" and listed.operator is experts
    assert "lstm" in rendered(dag, fit.partial_kwargs["argv"])
    assert dag.params["recipe"] == DEFAULT
    for known in RECIPES:
        printed = CliRunner().invoke(training, ["experts", "--recipe", known.name])
        assert experts.answer(printed.output) == list(known.experts)


def test_a_run_is_about_its_close_or_the_newest_session_of_its_source(
    dags: "dict[str, DAG]",
) -> None:
    dag = dags["market_day"]
    collect: Any = dag.get_task("collect")

    def asked(run_type: str, session: str | None) -> str:
        return rendered(dag, collect.argv, run_type, session=session)[-1]

    assert asked("scheduled", None) == "2025-06-27"
    assert asked("manual", None) == "2025-06-30", "not today: the source ends there"
    assert asked("manual", "2025-06-02") == "2025-06-02"
    extent: Any = dag.get_task("extent")
    assert extent.answer("2022-07-05 2025-06-30") == "2025-06-30"


def test_only_a_source_that_goes_on_is_scheduled(
    dags: "dict[str, DAG]",
    read_dags: "Callable[[], dict[str, DAG]]",
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    by_themselves = [name for name, dag in dags.items() if dag.timetable.can_be_scheduled]
    served = ["forecast_champion", "release_champion", "train_models"]
    assert by_themselves == served, "which the ledger asks for"
    monkeypatch.setenv("FINPULSE_SOURCE", "yahoo")
    monkeypatch.setenv("FINPULSE_CALENDAR", "XNSE")
    found = read_dags()
    live = found["market_day"]
    assert found["finetune_sentiment"].timetable.can_be_scheduled, "weekly"
    assert live.timetable.summary == "XNSE close + 60 min"
    assert (live.catchup, live.params["source"]) == (False, "yahoo")


def test_each_declared_universe_has_a_market_day_by_its_own_sessions(
    declared: Callable[[Universe], Universe], read_dags: "Callable[[], dict[str, DAG]]"
) -> None:
    declared(Universe("tokyo", "XTKS", "JPY", ("7203.T",), everything("yahoo", "nasdaq")))
    found = read_dags()
    tokyo = found["market_day_tokyo"]
    assert tokyo.timetable.summary == "XTKS close + 60 min"
    assert (tokyo.params["universe"], tokyo.params["source"]) == ("tokyo", "yahoo")
    assert tokyo.is_paused_upon_creation, "a declaration alone collects nothing"
    assert found["market_day"].is_paused_upon_creation is None
    collect: Any = tokyo.get_task("collect")
    words = rendered(tokyo, collect.argv, session="2025-06-27")
    assert words[words.index("--universe") + 1] == "tokyo"


def test_the_settings_universe_is_market_day_even_where_it_is_declared(
    read_dags: "Callable[[], dict[str, DAG]]", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FINPULSE_UNIVERSE", "london8")
    monkeypatch.setenv("FINPULSE_SOURCE", "yahoo")
    found = read_dags()
    assert set(found) == set(ORDER) - {"market_day_london8"}
    assert found["market_day"].timetable.summary == "XLON close + 60 min", "not the settings'"


def test_the_demo_runs_dags_that_there_are(dags: "dict[str, DAG]") -> None:
    from demo import Demo, Span
    from stack import Stack, asked_settings

    day = date(2025, 6, 27)
    for name in ("", "london8"):
        runs = Demo(Stack.of(asked_settings()), False, name).runs(Span(day, day, day, day))
        for dag, conf in (each for together in runs for each in together.items()):
            assert set(conf) <= set(dags[dag].params), dag


def test_what_the_monitoring_service_tells_of_wakes_the_dag_that_forecasts(
    dags: "dict[str, DAG]",
) -> None:
    from monitoring.office.airflow import LEDGER

    dag = dags["forecast_champion"]
    assert [asset.uri for asset in dag.timetable.asset_condition.objects] == [LEDGER]
    assert dag.is_paused_upon_creation is False, "compose creates DAGs paused"
    others = [
        t.priority_weight for name in ORDER for t in dags[name].tasks if dag is not dags[name]
    ]
    assert dag.get_task("catch_up").priority_weight > max(others)


def test_every_task_of_every_dag_is_charged_to_a_stage_of_the_demo(
    dags: "dict[str, DAG]",
) -> None:
    import stages

    for name, dag in dags.items():
        for task in dag.tasks:
            assert stages.stage(name, f"{task.task_id}[1]") in stages.BUDGETS
