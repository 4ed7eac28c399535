"""What was tried before, counted over all runs of the MLflow registry, aborted ones included."""

from collections.abc import Iterator
from typing import Any

from contracts.registry import UnknownMember
from training.evidence.luck import Trials
from training.recipe import recipe
from training.run.endings import experiment_of
from training.run.mlflow_api import Mlflow

# What a forecaster's run of the evidence logs, and what a run of `tune` says that it will try.
SHARPE, PLANNED = "gain_sharpe", "planned_trials"
_TRIED = ("fit ", "ensemble ")


def trials_of(server: Mlflow, target: str, apart_from: str = "") -> Trials:
    """All trials about a target, whichever universe and recipe they are of.

    A run of `tune` counts with all that it planned, whether they ended or not, one of `fit` or
    `ensemble` as one. Recipes that this code does not know are counted, too. apart_from: the run
    whose children's Sharpe ratios are not among those known.
    """
    count, sharpes = 0, []
    for run in _runs(server):
        data = run.get("data", {})
        told = {each["key"]: each["value"] for each in data.get("params", [])}
        if (told.get("target") or _target(told.get("recipe", ""))) not in ("", target):
            continue
        count += int(told.get(PLANNED, told.get("trials", 0)))
        count += run["info"].get("run_name", "").startswith(_TRIED)
        tags = {each["key"]: each["value"] for each in data.get("tags", [])}
        if not apart_from or tags.get("mlflow.parentRunId") != apart_from:
            metrics = data.get("metrics", [])
            sharpes += [float(m["value"]) for m in metrics if m["key"] == SHARPE]
    return Trials(count, sharpes)


def _runs(server: Mlflow) -> Iterator[dict[str, Any]]:
    ours = {"filter": f"name LIKE '{experiment_of('%')}'", "max_results": 1000}
    ours |= {"view_type": "ALL"}
    found = server.call("POST", "mlflow/experiments/search", **ours).get("experiments", [])
    query: dict[str, Any] = {"experiment_ids": [each["experiment_id"] for each in found]}
    query |= {"run_view_type": "ALL", "max_results": 1000}
    while query["experiment_ids"]:
        page = server.call("POST", "mlflow/runs/search", **query)
        yield from page.get("runs", [])
        if not page.get("next_page_token"):
            return
        query["page_token"] = page["next_page_token"]


def _target(name: str) -> str:
    try:
        return recipe(name).target
    except UnknownMember:
        return ""
