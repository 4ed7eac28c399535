"""Trainings that alarms and weeks wake, and promotions that wait for a person."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from dag_words import argvs, parse, rendered

from training.recipe import DEFAULT

if TYPE_CHECKING:
    from airflow.sdk import DAG


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

    other = SEVERE | {"target": "trend_1", "family": "drift, realised loss"}
    told = (SEVERE, {"universe": "broken"}, other, SEVERE | {"family": "freshness"}, other)
    assert inputs_of(dags["train_models"], *told)["target"] == "risk_1"
    first: Any = dags["train_models"].get_task("snapshot")
    # Airflow reads plugins anew: the step that this task is made of.
    monkeypatch.setattr(type(first).__base__, "execute", lambda *_: "12")
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

    from monitoring.watching import NOBODY as SAID

    step: Any = dags["train_models"].get_task("earlier")
    assert NOBODY == SAID and "--judge" not in step.argv
    kept: dict[str, Any] = {}
    ti = SimpleNamespace(map_index=-1, xcom_push=lambda key, value: kept.update({key: value}))
    monkeypatch.setattr(type(step).__base__, "execute", lambda *_: NOBODY)
    assert step.execute({"ti": ti}) == NOBODY and kept == {}
    monkeypatch.setattr(type(step).__base__, "execute", lambda *_: "a" * 64)
    with pytest.raises(DownstreamTasksSkipped) as skip:
        step.execute({"ti": ti})
    assert list(skip.value.tasks) == ["features"] and kept == {"return_value": "a" * 64}


def test_where_a_person_approves_who_is_better_is_named_and_no_more(
    approved: "dict[str, DAG]",
) -> None:
    step: Any = approved["train_models"].get_task("earlier")
    assert step.argv[-1] == "--judge"
