"""The tables at the end, and what a scope says when something is missing."""

import io
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from rich.console import Console
from typer.testing import CliRunner

from contracts.champion import PROMOTED, Office
from contracts.cut import Cut
from contracts.store import Store
from contracts.universe import universe
from features.matrix.receipts import MatrixMissing
from training.__main__ import app
from training.evidence.decision import Comparison, Decision, Parties, Rules, decide
from training.evidence.evidence import Evidence
from training.experts.trees import Trees
from training.objectives.trend import Trend
from training.office import ledger
from training.run import records
from training.run.records import Fit
from training.run.scope import scope
from training.samples.folds import WalkForward
from training.samples.samples import from_matrix
from training.steps.report import WIDTH, tables

pytestmark = pytest.mark.integration

OFFICE = Office("sim", "trend_1")
NOW = datetime(2025, 7, 1, tzinfo=UTC)


def shown(store: Store) -> str:
    out = io.StringIO()
    for table in tables(store, OFFICE, NOW):
        Console(file=out, width=WIDTH).print(table)
    return out.getvalue()


def test_an_empty_ledger_shows_nothing(store: Store) -> None:
    assert shown(store) == ""


def test_evidence_decision_and_champion_are_shown(
    store: Store, matrix: Callable[..., pa.Table], evidence_of: Callable[..., Evidence]
) -> None:
    quick = Trees(rounds=10)
    evidence = evidence_of(quick, from_matrix(matrix()), WalkForward(2))
    records.write_evidence("b" * 64, evidence)
    zero = ledger.Ruling("zero", PROMOTED, "zero", "first", {})
    ledger.record(store, OFFICE, Fit("class_prior", "a" * 64, 1), zero, NOW)
    kept = Decision(
        "sim", "b" * 64, "a" * 64, 3, "kept", "no decision: unsure", 300, 50, 0.01, -0.01, 0.03,
        0.2, others={"log_loss": [1.05, 1.06]},
    )  # fmt: skip
    ruling = ledger.Ruling("kept", "kept", "contest", kept.reason, kept.as_json(), "a" * 64)
    later = NOW + timedelta(days=1)
    ledger.record(store, OFFICE, Fit("xgboost", "b" * 64, 2), ruling, later)
    text = shown(store)
    for part in ("xgboost - persistence", "always_up", "95 % intervals", "permuted"):
        assert part in text
    assert "no decision: unsure" in text and "p = 0.2000" in text
    assert "challenger 1.05000, champion 1.06000" in text and "gain in direction loss" in text
    assert "all its contests" not in text, "a contest of before counted nothing"
    assert "finpulse-sim-trend_1 version 1" in text and "a" * 64 in text


def test_a_contest_of_few_sessions_says_so(store: Store) -> None:
    found = decide(
        Parties("sim", "trend_1", "b" * 64, "a" * 64, 3),
        Comparison(Trend.judged[0], np.ones(5), np.ones(5), np.arange(5).astype("datetime64[D]")),
        Rules(),
    )
    ruling = ledger.Ruling("few", "kept", "contest", found.reason, found.as_json(), "a" * 64)
    ledger.record(store, OFFICE, Fit("xgboost", "b" * 64, 2), ruling, NOW)
    text = shown(store)
    assert "(too few sessions)" in text and "5 sessions are fewer than 40" in text
    assert "needed below 0.0000, 5 sessions" in text


def test_a_missing_matrix_names_the_verb(store: Store) -> None:
    asked = scope(store, Cut.at(universe("sim20"), date(2025, 6, 30), 7), "demo")
    with pytest.raises(MatrixMissing, match="features materialise --view daily_3"):
        asked.training(store)


def test_of_whom_nobody_foretells_it_says_so(store: Store) -> None:
    for words, told in (
        ([], "london8 has no"),
        (["--target", "trend_1"], "london8/trend_1 has no"),
    ):
        done = CliRunner().invoke(app, ["report", "--universe", "london8", *words])
        assert done.exit_code == 0 and f"{told} champion yet" in done.stderr
