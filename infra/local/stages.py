"""The stages of a demo: which task belongs to which, and what each took beside its budget."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from airflow_client import Task
from rich.table import Table

# Seconds on two cores with the services cold; together eight minutes.
BUDGETS = {
    "services": 90,
    "ingest": 75,
    "reader of texts": 45,
    "text": 45,
    "features": 15,
    "train and contest": 150,
    "predict, settle, drift": 45,
    "reserve": 15,
}
MEMORY_GB = 8

# What a DAG's tasks are for, save those that are at home in a stage of their own. A universe's
# `market_day` bears its name behind.
_OF_DAG = {
    "finetune_": "reader of texts",
    "backfill_market": "ingest",
    "market_day": "ingest",
    "train_": "train and contest",
    "forecast_champion": "predict, settle, drift",
    "release_champion": "predict, settle, drift",
}
_OF_TASK = {
    "score_text": "text",
    "features": "features",
    "predict": "predict, settle, drift",
    "settle": "predict, settle, drift",
    "drift": "predict, settle, drift",
    "alarms": "predict, settle, drift",
}


def stage(dag: str, task: str) -> str:
    """The stage of a task, named as Airflow shows it (`load.clean[1]`)."""
    bare = task.rpartition(".")[-1].partition("[")[0]
    return _OF_TASK.get(bare) or next(of for name, of in _OF_DAG.items() if dag.startswith(name))


def shares(dag: str, began: datetime, tasks: Iterable[Task]) -> dict[str, float]:
    """Seconds of a run by stage, waiting included: the time between the ends of two tasks is
    charged to the later one, the time before the first end to the first.

    began: when the run was triggered; tasks that ended before it are left out.
    """
    found: dict[str, float] = {}
    before = began
    ended = [(datetime.fromisoformat(task.ended), task.name) for task in tasks if task.ended]
    for end, name in sorted(ended):
        if end > before:
            of = stage(dag, name)
            found[of] = found.get(of, 0.0) + (end - before).total_seconds()
            before = end
    return found


def table(seconds: Mapping[str, float], total: float, peak_bytes: int) -> Table:
    """The stages beside their budgets; what no stage took is charged to the reserve."""
    shown = Table("stage", "seconds", "budget", title="What the demo took")
    for column in shown.columns[1:]:
        column.justify = "right"
    rest = total - sum(seconds.values())
    for name, budget in BUDGETS.items():
        measured = seconds.get(name, 0.0) + (rest if name == "reserve" else 0.0)
        shown.add_row(name, f"{measured:.1f}", str(budget))
    shown.add_section()
    shown.add_row("in all", f"{total:.1f}", str(sum(BUDGETS.values())))
    shown.add_row("peak memory, GB (sum of PSS)", f"{peak_bytes / 1e9:.1f}", str(MEMORY_GB))
    return shown
