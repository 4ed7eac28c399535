"""What a demo took is charged to its stages, waiting included, and nothing is left over."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import stages
from airflow_client import Task

BEGAN = datetime(2025, 7, 1, 12, tzinfo=UTC)


def task(name: str, ended_after: float | None, index: int = -1) -> Task:
    ended = "" if ended_after is None else (BEGAN + timedelta(seconds=ended_after)).isoformat()
    row: dict[str, Any] = {"task_id": name, "map_index": index, "state": "success"}
    return Task.of(row | {"duration": 0.5, "end_date": ended})


def test_the_budgets_are_eight_minutes() -> None:
    assert sum(stages.BUDGETS.values()) == 480


def test_waiting_is_charged_to_the_task_that_was_waited_for() -> None:
    tasks = [task("snapshot", 4), task("score_text", 10.5), task("predict", 20)]
    other = stages.shares("market_day_london8", BEGAN, tasks)
    assert (
        other
        == stages.shares("market_day", BEGAN, tasks)
        == {
            "ingest": 4.0,
            "text": 6.5,
            "predict, settle, drift": 9.5,
        }
    )


def test_tasks_side_by_side_are_counted_once() -> None:
    tasks = [task("load.clean", 30, 1), task("load.clean", 29, 0), task("features", 31)]
    found = stages.shares("backfill_market", BEGAN, tasks)
    assert found == {"ingest": 30.0, "features": 1.0}
    assert sum(found.values()) == 31


def test_tasks_of_an_earlier_try_and_unfinished_ones_are_left_out() -> None:
    tasks = [task("zero", -50), task("tune", 8), task("fit", None, 0)]
    assert stages.shares("train_models", BEGAN, tasks) == {"train and contest": 8.0}


@pytest.mark.troubleshooting("train and contest")
def test_the_table_adds_up_and_names_the_budgets() -> None:
    taken = {"services": 40.0, "ingest": 30.0, "train and contest": 30.0}
    shown = stages.table(taken, 130.0, 3_400_000_000)
    columns = [list(column.cells) for column in shown.columns]
    assert columns[0][:-2] == list(stages.BUDGETS)
    measured = dict(zip(columns[0], columns[1], strict=True))
    assert (measured["ingest"], measured["text"], measured["reserve"]) == ("30.0", "0.0", "30.0")
    assert measured["train and contest"] == "30.0"
    assert measured["in all"] == "130.0" and columns[2][-2:] == ["480", "8"]
    assert columns[1][-1] == "3.4"
