"""The note of a run: the facts that it saw, and where what came of it is to be seen."""

from collections.abc import Mapping

from airflow.listeners import hookimpl
from airflow.models.dagrun import DagRun
from airflow.models.xcom import XComModel
from airflow.plugins_manager import AirflowPlugin
from sqlalchemy.orm import object_session

# The steps whose answers are noted, those of mapped steps once each; a note has 1,000 characters.
NOTED = ("snapshot", "gate", "load.gate", "evidence", "approval", "promote")
_ROOM = 1000


def note(answers: Mapping[str, object]) -> str:
    """The answers in the order of `NOTED`, in one line: Airflow's page shows no more of a note."""
    found = [f"{step.rpartition('.')[2]}: {answers[step]}" for step in NOTED if step in answers]
    return " · ".join(found)[:_ROOM]


class RunNotes:
    """Writes a run's note when the run ends; a person's own note stays."""

    @hookimpl
    def on_dag_run_success(self, dag_run: DagRun, msg: str) -> None:  # noqa: ARG002
        """Called by the scheduler."""
        _write(dag_run)

    @hookimpl
    def on_dag_run_failed(self, dag_run: DagRun, msg: str) -> None:  # noqa: ARG002
        """Called by the scheduler."""
        _write(dag_run)


def _write(dag_run: DagRun) -> None:
    written = dag_run.dag_run_note
    if written and written.user_id:
        return
    # The scheduler's own session: it stores the note together with the run's state.
    session = object_session(dag_run)
    asked = {"dag_ids": dag_run.dag_id, "run_id": dag_run.run_id, "task_ids": NOTED}
    rows = session.scalars(XComModel.get_many(key="return_value", **asked)) if session else ()
    if found := note({row.task_id: XComModel.deserialize_value(row) for row in rows}):
        dag_run.note = found


class NotesPlugin(AirflowPlugin):
    """Registers the listener."""

    name = "run_notes"
    listeners = [RunNotes()]  # noqa: RUF012
