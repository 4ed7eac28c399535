"""Each DAG is one line of commands, and each command is one that its room understands."""

import importlib
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import typer
from typer.core import TyperGroup
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


PULLED = {
    "ranges": RANGES,
    "snapshot": "12",
    "inputs": {
        **{"universe": "sim20", "recipe": "default", "target": "trend_1", "view": "daily_3"},
        **{"text_model": "minilm-1", "first": "2024-06-03", "session": "2025-06-27"},
    },
    "score_text": "minilm-1",
    "extent": "2025-06-30",
    "experts": ["lstm"],
    "train": ["return_1", "volatility_5"],
}


def rendered(
    dag: "DAG", argv: list[str], run_type: str = "manual", woken: Any = None, **params: Any
) -> list[str]:
    """The words of a step, filled in one by one as Airflow does."""
    read = '{"views": "daily_3,daily_4", "text_model": "minilm-1"}'
    pulled = PULLED | ({"score_text": read} if dag.dag_id.startswith("market_day") else {})
    ti = SimpleNamespace(xcom_pull=lambda task_ids: pulled[task_ids], map_index=0)
    close = datetime(2025, 6, 27, 20, tzinfo=UTC)
    from airflow.sdk.execution_time import macros

    defaults = {name: dag.params.get_param(name).value for name in dag.params}
    context = {
        "params": defaults | PARAMS | params,
        "ti": ti,
        "data_interval_end": close,
        "dag_run": SimpleNamespace(run_type=run_type),
        "macros": macros,
        "run_id": "r:1",
        "dag": dag,
        "triggering_asset_events": woken or {},
        **(dag.user_defined_macros or {}),
    }
    environment = dag.get_template_env()
    return [environment.from_string(word).render(**context) for word in argv]


def argvs(dag: "DAG") -> list[list[str]]:
    """The words of every step, not yet filled in."""
    found = []
    for task in dag.tasks:
        if task.task_id == "approval":
            continue
        given = getattr(task, "partial_kwargs", {}).get("argv")
        mapped = getattr(task, "expand_input", None)
        inside = mapped.value.get("argv") if mapped is not None else None
        found.append(list(given or inside or task.argv))
    return found


def parse(argv: list[str]) -> None:
    """Parse the words against the room's verbs as its process would, and run nothing."""
    python, flag, package, *words = argv
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


@pytest.fixture
def approved(
    read_dags: "Callable[[], dict[str, DAG]]", monkeypatch: pytest.MonkeyPatch
) -> "dict[str, DAG]":
    """The DAGs where a person has to approve of promotions."""
    monkeypatch.setenv("FINPULSE_APPROVAL", "person")
    return read_dags()


@pytest.mark.parametrize("dag_id", ["train_models", "train_targets", "finetune_sentiment"])
def test_every_promotion_waits_for_a_person_where_one_has_to_approve(
    approved: "dict[str, DAG]", dag_id: str
) -> None:
    dag = approved[dag_id]
    order = [task.task_id for task in dag.topological_sort()]
    assert order[order.index("approval") + 1] == "promote"
    # In one line: what follows a refusal is skipped, all of it.
    for before, after in pairwise(order):
        assert dag.get_task(after).upstream_task_ids == {before}
        assert dag.get_task(after).trigger_rule == "all_success"
    for argv in argvs(dag):
        words = rendered(dag, argv)
        parse(words)
        if "train" in words:
            assert words[-2:] in (["--part", "judge"], ["--part", "promote"])
    told: Any = dag.get_task("approval")
    assert told.response_timeout < timedelta(days=7), "not when the next one comes"
    assert told.defaults == ["Reject"], "silence is no approval"


def test_nobody_else_promotes_a_contest(approved: "dict[str, DAG]") -> None:
    for name, dag in approved.items():
        promoting = {"promote"} & {task.task_id for task in dag.tasks}
        assert bool(promoting) == ("approval" in dag.task_ids), name


@pytest.mark.parametrize(
    ("found", "asked"),
    [
        ("promoted: direction loss 0.61 against 0.69 (p1)", True),
        ("kept: direction loss 0.70 against 0.69 (p2)", False),
        ("the challenger is the champion already: nothing to contest", False),
        ("{'return_1': 'kept: no', 'risk_1': 'promoted: yes'}", True),
    ],
)
def test_a_person_is_asked_about_a_challenger_that_won_alone(
    airflow_home: object, monkeypatch: pytest.MonkeyPatch, found: str, asked: bool
) -> None:
    from airflow.providers.standard.operators.hitl import ApprovalOperator
    from approval import Approval

    monkeypatch.setattr(ApprovalOperator, "execute", lambda *_: "asked")
    step = Approval(task_id="approval", subject="May it?", found=found)
    assert (step.execute({}) == "asked") is asked  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("option", "person", "said"),
    [
        ("Approve", "ann", "approved by ann"),
        ("Reject", "bob", "refused by bob: nothing is promoted"),
        ("Reject", None, "no answer within 6 days: nothing is promoted"),
    ],
)
def test_an_answer_says_who_gave_it_and_a_refusal_skips_what_follows(
    approved: "dict[str, DAG]", option: str, person: str | None, said: str
) -> None:
    from airflow.sdk.exceptions import DownstreamTasksSkipped

    step: Any = approved["train_models"].get_task("approval")
    kept: dict[str, Any] = {}
    ti = SimpleNamespace(map_index=-1, xcom_push=lambda key, value: kept.update({key: value}))
    who = {"id": person, "name": person} if person else None
    event = {"chosen_options": [option], "params_input": {}, "responded_by_user": who}
    event |= {"responded_at": datetime(2025, 7, 1, tzinfo=UTC)}
    skipped: list[str] = []
    try:
        assert step.execute_complete({"ti": ti, "task": step}, event) == said
    except DownstreamTasksSkipped as skip:
        skipped = list(skip.tasks)
    assert kept["return_value"] == said
    assert skipped == ([] if option == "Approve" else ["promote"])


def woken(*told: dict[str, str]) -> dict[Any, list[Any]]:
    """What Airflow gives a run that such events woke."""
    from alarms import ALARMS

    return {ALARMS: [SimpleNamespace(extra=extra) for extra in told]} if told else {}


def inputs_of(dag: "DAG", *told: dict[str, str], **params: Any) -> dict[str, str]:
    """The options of `training inputs` in a run."""
    step: Any = dag.get_task("inputs")
    words = rendered(dag, step.argv, woken=woken(*told), **params)
    parse(words)
    return dict(word[2:].split("=") for word in words if "=" in word)


SEVERE = {"universe": "london8", "target": "risk_1", "family": "drift", "session": "2025-06-20"}


def test_a_training_is_about_the_office_whose_alarm_woke_it(dags: "dict[str, DAG]") -> None:
    dag = dags["train_models"]
    by_hand = inputs_of(dag)
    assert (by_hand["target"], by_hand["recipe"], by_hand["first"]) == ("", DEFAULT, "2024-06-03")
    by_itself = inputs_of(dag, first=None, session=None)
    assert (by_itself["universe"], by_itself["first"], by_itself["session"]) == ("sim20", "", "")
    about = inputs_of(dag, SEVERE, first=None, session=None)
    assert {key: about[key] for key in ("universe", "target", "session")} == {
        "universe": "london8",
        "target": "risk_1",
        "session": "2025-06-20",
    }


def test_alarms_that_come_together_are_a_run_each(
    dags: "dict[str, DAG]", monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first is trained; each other office wakes the next run, once."""
    from alarms import ALARMS, LEFT
    from step import Step

    other = SEVERE | {"target": "trend_1", "family": "drift, realised loss"}
    told = (SEVERE, {"universe": "broken"}, other, SEVERE | {"family": "freshness"}, other)
    assert inputs_of(dags["train_models"], *told)["target"] == "risk_1"
    monkeypatch.setattr(Step, "execute", lambda *_: "12")
    first: Any = dags["train_models"].get_task("snapshot")
    left: list[Any] = []
    outlets = {LEFT: SimpleNamespace(add=lambda asset, extra: left.append((asset, extra)))}
    context = {"triggering_asset_events": woken(*told), "outlet_events": outlets}
    assert first.execute(context) == "12" and LEFT in first.outlets
    assert left == [(ALARMS, other)]
    left.clear()
    for few in ((), (SEVERE,)):
        first.execute(context | {"triggering_asset_events": woken(*few)})
    assert left == []


@pytest.mark.parametrize(
    "told",
    [{}, {"universe": "sim20"}, SEVERE | {"universe": "--help"}, SEVERE | {"target": "a b"}],
)
def test_alarms_that_name_no_office_fail_for_good(
    dags: "dict[str, DAG]", told: dict[str, str]
) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    with pytest.raises(AirflowFailException, match="universe, target, family and session"):
        inputs_of(dags["train_models"], told)


def test_alarms_wake_trainings_whether_or_not_a_week_does(
    dags: "dict[str, DAG]",
    read_dags: "Callable[[], dict[str, DAG]]",
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FINPULSE_SOURCE", "yahoo")
    monkeypatch.setenv("FINPULSE_CALENDAR", "XNSE")
    weekly = read_dags()["train_models"].timetable
    assert weekly.timetable.summary == "XNSE week's close + 720 min"
    for timetable in (weekly, dags["train_models"].timetable):
        uris = [asset.uri for asset in timetable.asset_condition.objects]
        assert uris == ["finpulse://ledger/alarms"]


def test_who_comes_back_ends_the_run_before_anything_is_trained(
    dags: "dict[str, DAG]", monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.sdk.exceptions import DownstreamTasksSkipped
    from alarms import NOBODY
    from step import Step

    from monitoring.watching import NOBODY as SAID

    step: Any = dags["train_models"].get_task("earlier")
    assert NOBODY == SAID and "--judge" not in step.argv
    kept: dict[str, Any] = {}
    ti = SimpleNamespace(map_index=-1, xcom_push=lambda key, value: kept.update({key: value}))
    monkeypatch.setattr(Step, "execute", lambda *_: NOBODY)
    assert step.execute({"ti": ti}) == NOBODY and kept == {}
    monkeypatch.setattr(Step, "execute", lambda *_: "a" * 64)
    with pytest.raises(DownstreamTasksSkipped) as skip:
        step.execute({"ti": ti})
    assert list(skip.value.tasks) == ["features"] and kept == {"return_value": "a" * 64}


def test_where_a_person_approves_who_is_better_is_named_and_no_more(
    approved: "dict[str, DAG]",
) -> None:
    step: Any = approved["train_models"].get_task("earlier")
    assert step.argv[-1] == "--judge"
