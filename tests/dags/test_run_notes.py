"""What Airflow's page of a run tells of it."""

from types import SimpleNamespace
from typing import Any

import pytest


@pytest.fixture(scope="module")
def notes(airflow_home: object) -> Any:
    """The plugin's module, imported as Airflow does."""
    import run_notes

    return run_notes


def test_the_answers_of_the_noted_steps_stand_in_one_line_in_their_order(notes: Any) -> None:
    answers = {"evidence": "http://mlflow/#/runs/7", "tune": "{}", "snapshot": 12}
    assert notes.note(answers) == "snapshot: 12 · evidence: http://mlflow/#/runs/7"
    assert notes.note({"load.gate": "ok"}) == "gate: ok"
    assert notes.note({"tune": "{}"}) == ""


def test_a_note_is_no_longer_than_airflow_keeps(notes: Any) -> None:
    assert len(notes.note({"snapshot": 1, "promote": "x" * 2000})) == 1000


def test_the_note_of_a_person_stays(notes: Any) -> None:
    run = SimpleNamespace(dag_run_note=SimpleNamespace(user_id="admin"), note="do not clear")
    notes.RunNotes().on_dag_run_success(run, "success")
    assert run.note == "do not clear"
