"""The verbs of the ground, as a task runs them."""

import json
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from typer.testing import CliRunner

from contracts.__main__ import app
from contracts.store import Provenance, Store
from contracts.tables import ACTIONS

SIMULATED = Provenance("load", "simulated", "simulated")


def answer(*words: str) -> str:
    done = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout.strip()


def load(store: Store, day: int) -> None:
    when = datetime(2025, 6, day, 20, tzinfo=UTC)
    row = {"instrument_id": "SIM001", "ex_date": when.date(), "kind": "dividend"}
    row |= {"source": "simulated", "value": 1.0, "known_at": when}
    store.append(ACTIONS, pa.Table.from_pylist([row], schema=ACTIONS.schema), SIMULATED)


@pytest.mark.integration
def test_a_run_keeps_its_snapshot(store: Store) -> None:
    load(store, 2)
    assert answer("snapshot", "--run", "market_day/a") == "1"
    load(store, 3)
    assert answer("snapshot", "--run", "market_day/a") == "1"
    assert answer("snapshot", "--run", "market_day/b") == "2"
    assert answer("snapshot") == "2"


def test_ranges_cover_every_session_once() -> None:
    # The week of Thanksgiving 2024: four sessions.
    words = ["--first", "2024-11-25", "--last", "2024-12-02", "--sessions", "2"]
    assert json.loads(answer("ranges", *words)) == [
        {"first": "2024-11-25", "last": "2024-11-26"},
        {"first": "2024-11-27", "last": "2024-12-01"},
        {"first": "2024-12-02", "last": "2024-12-02"},
    ]


@pytest.mark.troubleshooting("holds no session of")
@pytest.mark.parametrize(
    ("first", "last"), [("2024-12-02", "2024-11-25"), ("2024-11-30", "2024-12-01")]
)
def test_a_range_without_a_session_is_refused_and_not_green(first: str, last: str) -> None:
    words = ["ranges", "--first", first, "--last", last, "--sessions", "2"]
    refused = CliRunner().invoke(app, words, env={"COLUMNS": "200"})
    assert refused.exit_code != 0 and "holds no session of XNYS" in refused.output
