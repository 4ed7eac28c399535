"""Rows are traced back to the Airflow task and the commit."""

import pytest

from contracts.context import git_commit, run_context


def test_outside_airflow_there_is_no_key() -> None:
    assert run_context().airflow_key == "" and run_context().airflow_run == "manual"


def test_the_key_names_the_task(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"DAG_ID": "train_models", "DAG_RUN_ID": "r1", "TASK_ID": "fit", "MAP_INDEX": "0"}
    for name, value in values.items():
        monkeypatch.setenv(f"AIRFLOW_CTX_{name}", value)
    assert run_context().airflow_key == "train_models/r1/fit/0"
    assert run_context().airflow_run == "train_models/r1"


def test_the_commit_is_known() -> None:
    assert len(git_commit()) == 40
