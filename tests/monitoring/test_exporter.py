"""What Prometheus scrapes: values against sums made by hand, and the verb as a process."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import httpx
import numpy as np
import pyarrow as pa
import pytest
from market import FLAT, STEEP, Market, close_of
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from sklearn.metrics import f1_score, log_loss, matthews_corrcoef

from contracts.champion import Office
from contracts.store import Store
from contracts.tables import BARS, DRIFT, MEMBERSHIPS, OUTCOMES, PREDICTIONS, REJECTED
from monitoring.export.exporter import Exporter
from monitoring.office.wake import Waker
from monitoring.truth.performance import Truths
from training.run.mlflow_api import Mlflow

pytestmark = pytest.mark.integration

NOW = datetime(2025, 7, 2, tzinfo=UTC)
NOWHERE = "http://127.0.0.1:1"
LABELS = (2, 0, 2)


def newest(store: Store, bundle: str, labels: tuple[int, ...]) -> dict[str, int]:
    """The labels as the truth of the bundle's forecasts of its newest session."""
    found = store.query(
        "SELECT prediction_id FROM predictions WHERE bundle = %s ORDER BY session DESC, symbol",
        (bundle,),
    )["prediction_id"].to_pylist()
    return dict(zip(found, labels, strict=False))


def settle(store: Store, truth: dict[str, int], version: int = 1) -> None:
    """Write the labels of these predictions."""
    rows = [
        {"prediction_id": name, "version": version, "label": label, "total_return": 0.0}
        | {"delisted": False, "settled_at": NOW, "snapshot": 7, "recorded_at": NOW}
        for name, label in truth.items()
    ]
    store.record(OUTCOMES, pa.Table.from_pylist(rows, schema=OUTCOMES.schema))


def scrape(exporter: Exporter) -> Callable[..., float | None]:
    """Looks up the value of a metric by its name and labels; None when there is no such series."""
    text = generate_latest(exporter.registry).decode()
    seen = {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    return lambda name, **labels: seen.get((f"finpulse_{name}", frozenset(labels.items())))


def test_performance_stands_beside_the_class_prior(store: Store, market: Market) -> None:
    market.crown(store, FLAT, 1)
    steep = market.crown(store, STEEP, 2)
    settle(store, newest(store, steep.hash, (0, 0, 0)))
    settle(store, newest(store, steep.hash, LABELS), version=2)
    found = {p.forecaster: p for p in Truths(store).of(Office(market.universe, "trend_1"))}
    truth = np.eye(3)[list(LABELS)]
    for name, chances in (("champion", STEEP), ("class_prior", FLAT)):
        told = np.tile(chances, (3, 1))
        scores = found[name]
        assert scores.n == 3 and scores.origin == "live"
        guesses = told.argmax(1)
        moved = [told[i, label] / (1 - told[i, 1]) for i, label in enumerate(LABELS) if label != 1]
        assert scores.scores == pytest.approx(
            {
                "accuracy": (guesses == LABELS).mean(),
                "macro_f1": f1_score(
                    LABELS, guesses, labels=[0, 1, 2], average="macro", zero_division=0
                ),
                "mcc": matthews_corrcoef(LABELS, guesses),
                "brier": ((told - truth) ** 2).sum(1).mean(),
                "log_loss": -np.log(told[range(3), LABELS]).mean(),
                "direction_loss": -np.log(moved).sum() / 3,
                # All say the same, so that they lie in one tenth.
                "ece": abs(told.max(1).mean() - (guesses == LABELS).mean()),
            }
        )


def test_scores_are_those_of_scikit_learn(store: Store, market: Market) -> None:
    draw = np.random.default_rng(3)
    bundle = market.prior(FLAT)
    rows = market.rows(bundle, 1, market.sessions[-12:])
    told = draw.dirichlet((2, 1, 2), len(rows))
    names = ("p_down", "p_neutral", "p_up")
    varied = [row | dict(zip(names, t, strict=True)) for row, t in zip(rows, told, strict=True)]
    store.record(PREDICTIONS, pa.Table.from_pylist(varied, schema=PREDICTIONS.schema))
    market.promote(store, market.champion(bundle, 1))
    labels = draw.integers(0, 3, len(rows))
    truth = {row["prediction_id"]: int(label) for row, label in zip(rows, labels, strict=True)}
    settle(store, truth)
    [champion] = [
        p
        for p in Truths(store).of(Office(market.universe, "trend_1"))
        if p.forecaster == "champion"
    ]
    guesses = told.argmax(1)
    assert champion.n == len(rows) and len(set(guesses)) == 3
    assert champion.scores["mcc"] == pytest.approx(matthews_corrcoef(labels, guesses))
    assert champion.scores["log_loss"] == pytest.approx(log_loss(labels, told))
    assert champion.scores["accuracy"] == pytest.approx((labels == guesses).mean())


def test_gauges_say_what_the_tables_hold(store: Store, market: Market) -> None:
    market.load(store)
    bundle = market.crown(store, STEEP, 1)
    settle(store, newest(store, bundle.hash, LABELS))
    refused = {"row_hash": "1", "table_name": "bars", "source": "simulated", "batch": "b"}
    refused |= {"reason": "high below low", "row": "{}", "rejected_at": NOW}
    store.record(REJECTED, pa.Table.from_pylist([refused], schema=REJECTED.schema))
    score = {"test": "psi", "feature": "return_1", "universe": market.universe, "snapshot": 7}
    score |= {"target": "trend_1", "bundle": bundle.hash, "threshold": 0.2, "scored_at": NOW}
    scores = [
        score | {"session": market.sessions[-2], "score": 0.1, "alarm": False},
        score | {"session": market.last, "score": 0.3, "alarm": True},
    ]
    store.record(DRIFT, pa.Table.from_pylist(scores, schema=DRIFT.schema))
    exporter = Exporter(store, Mlflow(NOWHERE), Waker(None), market.universe)
    exporter.look()
    seen = scrape(exporter)
    office = {"universe": market.universe, "target": "trend_1"}
    assert seen("database_up") == 1 and seen("mlflow_up") == 0
    assert seen("table_rows", table="bars") == 3 * 40
    assert seen("table_rows", table="predictions") == 9
    assert seen("rejected_rows", table="bars", source="simulated", reason="high below low") == 1
    assert seen("predictions", **office, origin="live") == 9
    assert seen("settled_predictions", **office, origin="live") == 3
    scored = {**office, "origin": "live", "forecaster": "champion"}
    assert seen("forecast_accuracy_ratio", **scored) == pytest.approx(2 / 3)
    up, down = (-np.log(STEEP[way] / (STEEP[0] + STEEP[2])) for way in (2, 0))
    assert seen("settled_loss", **scored, loss="direction_loss") == pytest.approx(
        (up + down + up) / 3
    )
    assert seen("settled_score", **scored, metric="accuracy") == pytest.approx(2 / 3)
    told = {"origin": "simulated"}
    assert seen("newest_session_timestamp_seconds", **told) == close_of(market.last).timestamp()
    assert (seen("data_age_seconds", **told) or 0) > 0
    loaded = store.query("SELECT max(committed_at) AS at FROM loads WHERE table_name = 'bars'")
    at = loaded["at"][0].as_py().timestamp()
    assert seen("newest_load_timestamp_seconds", table="bars") == pytest.approx(at)
    held = {"version": "1", "bundle": bundle.hash, "actor": "trainer"}
    assert seen("champion_info", **office, **held) == 1
    drifted = {**office, "test": "psi", "feature": "return_1"}
    assert seen("drift_score", **drifted) == 0.3 and seen("drift_alarm", **drifted) == 1


def test_members_without_new_bars_are_behind_unless_they_left(store: Store, market: Market) -> None:
    market.load(store)
    known = {"universe": market.universe, "valid_from": market.sessions[0]}
    known["known_at"] = close_of(market.sessions[0])
    ended = {"instrument_id": "LEFT", "valid_to": market.sessions[5]}
    rows = [known | ended, known | {"instrument_id": "SILENT", "valid_to": None}]
    market.append(store, MEMBERSHIPS, rows)
    exporter = Exporter(store, Mlflow(NOWHERE), Waker(None), market.universe)
    exporter.look()
    seen = scrape(exporter)
    assert seen("instruments_listed", universe=market.universe) == 3 + 1
    assert seen("instruments_behind", universe=market.universe) == 1


def test_an_empty_database_has_its_zeros(store: Store, market: Market) -> None:
    exporter = Exporter(store, Mlflow(NOWHERE), Waker(None), market.universe)
    exporter.look()
    assert scrape(exporter)("table_rows", table=BARS.name) == 0


def test_without_the_database_nothing_stale_is_told(store: Store, market: Market) -> None:
    exporter = Exporter(store, Mlflow(NOWHERE), Waker(None), market.universe)
    exporter.look()
    exporter._store = Store("postgresql://nobody@127.0.0.1:1/nothing")
    exporter.look()
    seen = scrape(exporter)
    assert seen("database_up") == 0
    assert seen("table_rows", table=BARS.name) is None


@pytest.fixture
def exported(store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The running verb `export`."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {
        "FINPULSE_MONITORING_PORT": str(port),
        "FINPULSE_MLFLOW_URL": NOWHERE,
    }
    process = subprocess.Popen([sys.executable, "-m", "monitoring", "export"], env=environment)
    yield f"http://127.0.0.1:{port}/metrics"
    process.terminate()
    assert process.wait(20) == 0


def test_the_verb_serves_what_prometheus_reads(exported: str) -> None:
    deadline = time.monotonic() + 120
    while True:
        try:
            text = httpx.get(exported).text
            if "finpulse_table_rows" in text:
                break
        except httpx.TransportError:
            pass
        assert time.monotonic() < deadline, "the exporter did not answer"
        time.sleep(0.1)
    assert "finpulse_database_up 1.0" in text
