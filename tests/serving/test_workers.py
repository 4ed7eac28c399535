"""Several workers on one socket: they fail no request, count as one, and leave nothing behind."""

import os
import re
import signal
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import httpx
import pyarrow as pa
import pytest
from market import FLAT, STEEP, Market
from predictor import Predictor, Start, wait_for

from contracts.champion import ROLLED_BACK, Office, model_name
from contracts.settings import settings
from contracts.store import Store
from contracts.tables import PROMOTIONS
from training.bundle.bundle import Bundle

pytestmark = pytest.mark.integration

GOOD = r'finpulse_http_requests_total\{method="POST",route="/predict",status="200"\} (\d+)\.0'


def roll_back(store: Store, bundle: Bundle, version: int) -> None:
    """Write into the ledger that a former champion is back in office."""
    row = {
        "promotion_id": uuid4().hex,
        "universe": bundle.manifest.universe,
        "target": "trend_1",
        "cause": "rollback",
        "decision": ROLLED_BACK,
        "bundle": bundle.hash,
        "model_name": model_name(Office(bundle.manifest.universe, "trend_1")),
        "model_version": version,
        "previous_bundle": None,
        "actor": "trainer",
        "reason": "the newer one failed",
        "evidence": "{}",
        "decided_at": datetime.now(UTC) + timedelta(minutes=1),
    }
    store.record(PROMOTIONS, pa.Table.from_pylist([row], schema=PROMOTIONS.schema))


def test_a_swap_a_rollback_and_the_end_of_a_worker_fail_no_request(
    store: Store, market: Market, start: Start
) -> None:
    flat = market.crown(store, FLAT, 1)
    predictor = start(workers=2)
    wait_for(lambda: predictor.ready and len(predictor.workers()) == 2)
    with predictor.under_load(market, {1: 0.3, 2: 0.7}) as load:
        wait_for(lambda: load.seen(1))
        market.crown(store, STEEP, 2)
        wait_for(lambda: load.seen(2))
        first = predictor.workers()
        os.kill(first[0], signal.SIGTERM)
        wait_for(lambda: set(predictor.workers()) - set(first) != set())
        wait_for(lambda: first[0] not in predictor.workers())
        before = load.answers[200, 1]
        roll_back(store, flat, 1)
        wait_for(lambda: load.answers[200, 1] > before + 30)
    assert load.failures == []
    assert set(load.answers) == {(200, 1), (200, 2)}


def test_four_workers_count_every_request_once(store: Store, market: Market, start: Start) -> None:
    market.crown(store, FLAT, 1)
    predictor = start(workers=4)
    wait_for(lambda: predictor.ready and len(predictor.workers()) == 4)
    ask(predictor, 300)
    assert counted(predictor) == 300
    text = httpx.get(f"{predictor.url}/metrics").text
    assert text.count("finpulse_serving_champion_info{") == 1
    assert "finpulse_serving_database_up 1.0" in text
    one = predictor.workers()[0]
    os.kill(one, signal.SIGKILL)
    wait_for(lambda: len(predictor.workers()) == 4 and one not in predictor.workers())
    ask(predictor, 100)
    assert counted(predictor) == 400, "what a killed worker counted is kept"
    folder = metrics_folder(predictor)
    assert list(folder.glob("counter_*.db"))
    assert not list(folder.glob(f"gauge_live*_{one}.db"))
    predictor.process.send_signal(signal.SIGTERM)
    assert predictor.process.wait(20) == 0
    assert not folder.exists()


def ask(predictor: Predictor, times: int) -> None:
    """Ask so often, each time on a connection of its own, so that all workers get some."""
    alone = httpx.Client(headers={"Connection": "close"}, timeout=20)
    with alone, ThreadPoolExecutor(8) as pool:
        url = f"{predictor.url}/predict"
        calls = [pool.submit(alone.post, url, json={"symbol": "SIM001"}) for _ in range(times)]
        assert {call.result().status_code for call in calls} == {200}


def counted(predictor: Predictor) -> int:
    found = re.findall(GOOD, httpx.get(f"{predictor.url}/metrics").text)
    return int(found[0])


def metrics_folder(predictor: Predictor) -> Path:
    return settings().home / f"predictor-{predictor.url.rsplit(':', 1)[1]}"


def test_the_quota_is_one_for_all_workers(store: Store, market: Market, start: Start) -> None:
    market.crown(store, FLAT, 1)
    key = "k" * 20
    predictor = start(workers=3, api_keys=f"desk:{key}", api_quota=50)
    wait_for(lambda: predictor.ready and len(predictor.workers()) == 3)
    alone = httpx.Client(headers={"X-API-Key": key, "Connection": "close"}, timeout=20)
    with alone, ThreadPoolExecutor(8) as pool:
        # Begun early in a minute, so that all fall into the same one.
        wait_for(lambda: datetime.now(UTC).second < 40, 61)
        calls = [pool.submit(alone.get, f"{predictor.url}/assets") for _ in range(80)]
        answers = [call.result() for call in calls]
    statuses = [answer.status_code for answer in answers]
    assert (statuses.count(200), statuses.count(429)) == (50, 30)
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.json()["code"] == "quota_exhausted"
    assert 0 < int(refused.headers["retry-after"]) <= 60


def test_workers_end_with_their_killed_parent(store: Store, market: Market, start: Start) -> None:
    market.crown(store, FLAT, 1)
    predictor = start(workers=2)
    wait_for(lambda: predictor.ready and len(predictor.workers()) == 2)
    workers = predictor.workers()
    os.kill(predictor.process.pid, signal.SIGKILL)
    wait_for(lambda: not any(running(pid) for pid in workers))
    again = start(workers=2, predictor_port=predictor.url.rsplit(":", 1)[1])
    wait_for(lambda: again.ready)
    assert counted_or_none(again) in (None, 0), "the numbers begin anew"


def counted_or_none(predictor: Predictor) -> int | None:
    found = re.findall(GOOD, httpx.get(f"{predictor.url}/metrics").text)
    return int(found[0]) if found else None


def running(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
