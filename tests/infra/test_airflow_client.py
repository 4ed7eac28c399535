"""Runs of one DAG that are at work side by side: all are triggered before one is waited for."""

from typing import Any

import httpx
import pytest
from airflow_client import Airflow, RunFailed

from contracts.settings import Settings


class Fake(Airflow):
    """An Airflow whose runs end with the state that their name begins with."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.told: list[str] = []
        super().__init__(Settings(), self.told.append)

    def wait_for(self, dag: str, seconds: float = 120) -> None:
        """It is known."""

    def ask(self, method: str, path: str, **request: Any) -> httpx.Response:
        run = path.split("/")[3] if path.count("/") > 2 else request["json"]["dag_run_id"]
        known = ("POST", run) in self.asked
        self.asked.append((method, run))
        if not known and method == "GET":
            return httpx.Response(404)
        row = {"task_id": f"task of {run}", "map_index": -1, "state": run.split("-")[0]}
        row |= {"duration": 1.0, "end_date": "9999-01-01T00:00:00+00:00", "try_number": 1}
        return httpx.Response(200, json={"state": row["state"], "task_instances": [row]})


def test_all_runs_begin_before_the_first_is_waited_for() -> None:
    fake = Fake()
    found = fake.run_all({"train_models": ("success-1", {}), "train_targets": ("success-2", {})})
    assert [run for _, run in fake.asked[:4]] == ["success-1"] * 2 + ["success-2"] * 2
    assert {dag: [task.name for task in tasks] for dag, tasks in found.items()} == {
        "train_models": ["task of success-1"],
        "train_targets": ["task of success-2"],
    }
    assert [line.strip().split("  ")[0] for line in fake.told] == [
        *("train_models success-1", "task of success-1"),
        *("train_targets success-2", "task of success-2"),
    ]


def test_one_alone_is_not_named() -> None:
    fake = Fake()
    assert [task.name for task in fake.run("market_day", "success-1", {})] == ["task of success-1"]
    assert len(fake.told) == 1


def test_a_failure_of_one_ends_the_wait_for_all() -> None:
    with pytest.raises(RunFailed, match="task of failed-1 of train_models failed"):
        Fake().run_all({"train_models": ("failed-1", {}), "train_targets": ("success-2", {})})
