"""The dashboard and the rules ask for metrics that somebody exports, in PromQL that parses."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from contracts.store import Store
from monitoring.export.exporter import Exporter
from monitoring.office.wake import Waker
from serving.app import create_app
from training.objective import OBJECTIVES
from training.run.mlflow_api import Mlflow

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "infra" / "grafana" / "dashboards.py"
RULES = sorted((ROOT / "helm" / "monitoring" / "rules").glob("*.yml"))
_SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the script writes."""
    folder = tmp_path_factory.mktemp("dashboards") / "new"
    command = [sys.executable, str(SCRIPT), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(folder / "finpulse.json")
    return json.loads((folder / "finpulse.json").read_text())


def panels(board: dict[str, Any]) -> list[dict[str, Any]]:
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def targets(board: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for panel in panels(board):
        for target in panel["targets"]:
            yield target["expr"], target.get("legendFormat", "")
    for mark in board["annotations"]["list"]:
        yield mark["expr"], mark["titleFormat"]


def rules() -> dict[str, str]:
    """Expressions of the rules, by the metric they record or the alert they raise."""
    groups = [g for file in RULES for g in yaml.safe_load(file.read_text())["groups"]]
    return {r.get("record") or r["alert"]: r["expr"] for group in groups for r in group["rules"]}


def names(expr: str) -> set[str]:
    """Metrics that a query asks for; raises when it does not parse."""
    found: set[str] = set()

    def visit(node: object) -> bool:
        if isinstance(node, promql_parser.VectorSelector):
            found.add(str(node.name))
        return True

    promql_parser.walk(promql_parser.parse(expr), visit)
    return found


def test_rows_and_panels_are_laid_out(board: dict[str, Any]) -> None:
    rows = [panel["title"] for panel in board["panels"] if panel["type"] == "row"]
    assert rows == ["Champion", "Accuracy", "Drift", "Alarms", "Latency", "Freshness"]
    boxes = [tuple(p["gridPos"][k] for k in "xywh") for p in panels(board)]
    assert all(x + w <= 24 for x, _, w, _ in boxes)
    cells = [(x + i, y + j) for x, y, w, h in boxes for i in range(w) for j in range(h)]
    assert len(cells) == len(set(cells)), "panels overlap"
    assert all(panel["description"] for panel in panels(board))
    assert board["uid"] == "finpulse"


def test_an_objective_is_shown_without_being_named(board: dict[str, Any]) -> None:
    chosen = {each["name"]: each for each in board["templating"]["list"]}
    assert "label_values(finpulse_settled_score" in chosen["metric"]["query"]
    assert chosen["metric"]["includeAll"] and chosen["metric"]["current"]["value"] == ["$__all"]
    [repeated] = [panel for panel in panels(board) if panel.get("repeat")]
    assert (repeated["repeat"], repeated["title"]) == ("metric", "$metric")
    own = {metric for each in OBJECTIVES for metric in each.metrics}
    for text in (*(expr for expr, _ in targets(board)), *rules().values()):
        assert not own & set(re.findall(r"[a-z]+(?:_[a-z]+)*", text)), text


def test_every_query_parses(board: dict[str, Any]) -> None:
    asked = [names(expr) for expr, _ in targets(board)]
    assert len(asked) > 15 and all(asked)
    recorded = {name for name in set[str]().union(*asked) if ":" in name}
    assert recorded and recorded <= set(rules())
    with pytest.raises(ValueError):
        names("sum(rate(finpulse_http_requests_total[5m])")


def test_the_json_beside_the_chart_is_the_scripts(board: dict[str, Any]) -> None:
    kept = json.loads((ROOT / "helm" / "monitoring" / "dashboards" / "finpulse.json").read_text())
    assert kept == board, "run `python infra/grafana/dashboards.py helm/monitoring/dashboards`"


@pytest.mark.integration
def test_every_metric_asked_for_is_exported(store: Store, board: dict[str, Any]) -> None:
    exporter = Exporter(store, Mlflow("http://127.0.0.1:1"), Waker(None), "sim20")
    exporter.look()
    exported = {"up", *rules()}
    served = create_app(store, "sim20").state.service.metrics
    for registry in (exporter.registry, served.registry):
        for family in registry.collect():
            exported |= {family.name + suffix for suffix in _SUFFIXES[family.type]}
    asked = set[str]().union(*(names(expr) for expr, _ in targets(board)))
    asked |= set[str]().union(*map(names, rules().values()))
    assert asked <= exported, f"nobody exports {sorted(asked - exported)}"
    variable = next(v for v in board["templating"]["list"] if v["name"] == "universe")
    metric = re.search(r"label_values\((\w+), universe\)", variable["query"])
    assert metric and metric[1] in exported
