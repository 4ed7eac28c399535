"""Promotions and rollbacks as the dashboard marks them, by a real Prometheus and the ledger."""

import json
import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import postgres
import pyarrow as pa
import pytest
from market import FLAT, STEEP, Market
from prometheus_client import start_http_server
from prometheus_server import scraping

from contracts.store import Store
from contracts.tables import PROMOTIONS
from monitoring.export.exporter import Exporter
from monitoring.office.wake import Waker
from training.run.mlflow_api import Mlflow

ROOT = Path(__file__).resolve().parents[2]
BOARD = ROOT / "helm" / "monitoring" / "dashboards" / "finpulse.json"

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(
        shutil.which("prometheus") is None, reason="no prometheus: it is a Debian package"
    ),
]


def marks(url: str, universe: str, since: float) -> list[tuple[int, str, str]]:
    """What Grafana makes of the annotation's query: the moment in milliseconds, title and text.

    Values are moments; those of a series within a step of the one before are one mark.
    """
    [asked] = json.loads(BOARD.read_text())["annotations"]["list"]
    expr = asked["expr"].replace("$universe", universe).replace("$target", "trend_1")
    span = {"start": since, "end": time.time(), "step": "1s"}
    answer = httpx.get(f"{url}/api/v1/query_range", params={"query": expr} | span).json()
    assert asked["useValueForTime"] and answer["status"] == "success", answer
    found = []
    for series in answer["data"]["result"]:
        latest = -1e18
        for _, value in series["values"]:
            if latest + 60_000 < float(value):
                words = [_filled(asked[each], series["metric"]) for each in FORMATS]
                found.append((int(float(value)), *words))
            latest = float(value)
    return sorted(found)  # type: ignore[arg-type]


FORMATS = ("titleFormat", "textFormat")


def _filled(text: str, labels: dict[str, str]) -> str:
    for name, value in labels.items():
        text = text.replace("{{" + name + "}}", value)
    return text


def decided(store: Store, market: Market, bundle: str, version: int, **about: Any) -> int:
    """Write a decision into the ledger; its moment in milliseconds."""
    at = datetime(2025, 7, 1, 12, version, tzinfo=UTC)
    row = {"promotion_id": f"p{version}", "universe": market.universe, "target": "trend_1"}
    row |= {"bundle": bundle, "model_name": "m", "model_version": version, "actor": "a"}
    row |= {"previous_bundle": None, "reason": "why", "evidence": "{}", "decided_at": at} | about
    store.record(PROMOTIONS, pa.Table.from_pylist([row], schema=PROMOTIONS.schema))
    return int(at.timestamp() * 1000)


def test_each_promotion_and_rollback_is_one_mark_at_its_moment(
    store: Store, tmp_path: Path
) -> None:
    market = Market("sim20")
    flat, steep = market.prior(FLAT).hash, market.prior(STEEP).hash
    exporter = Exporter(store, Mlflow("http://127.0.0.1:1"), Waker(None), market.universe)
    port, began, wanted = postgres.free_port(), time.time(), list[int]()
    server, thread = start_http_server(port, "127.0.0.1", exporter.registry)
    story = [
        (flat, {"decision": "promoted", "cause": "contest"}),
        (steep, {"decision": "kept", "cause": "contest"}),
        (steep, {"decision": "promoted", "cause": "person"}),
        (flat, {"decision": "rolled_back", "cause": "person"}),
    ]
    try:
        with scraping({"finpulse-exporter": f"http://127.0.0.1:{port}"}, tmp_path) as url:
            for version, (bundle, about) in enumerate(story, 1):
                moment = decided(store, market, bundle, version, **about)
                wanted += [moment] if about["decision"] != "kept" else []
                exporter.look_at_tables()
                _until_marked(url, began, wanted)
            found = _marks(url, began)
    finally:
        server.shutdown()
        thread.join()
    assert [title for _, title, _ in found] == ["promoted", "promoted", "rolled_back"]
    assert found[1][2] == f"version 3 (person), bundle {steep}"
    assert timedelta(milliseconds=wanted[2] - wanted[1]) == timedelta(minutes=1)


def _marks(url: str, since: float) -> list[tuple[int, str, str]]:
    try:
        return marks(url, "sim20", since)
    except httpx.TransportError:
        return []


def _until_marked(url: str, since: float, wanted: list[int]) -> None:
    deadline = time.monotonic() + 60
    while [at for at, *_ in _marks(url, since)] != wanted:
        assert time.monotonic() < deadline, "no such marks"
        time.sleep(0.5)
