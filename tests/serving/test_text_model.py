"""A bundle's features are made with the text model that it learnt from, whoever scored last."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
import simulated
from typer.testing import CliRunner

from contracts.champion import PROMOTED, Champion, Office, model_name
from contracts.cut import Cut
from contracts.settings import settings
from contracts.store import Store
from contracts.tables import PREDICTIONS
from features.matrix.matrix import MatrixMissing, TextUnscored, load_matrix, materialise
from features.matrix.skew import skew
from features.view import view
from monitoring.feature_drift import drift
from monitoring.truth.settlement import settle
from serving.batch import predict
from training.__main__ import app
from training.bundle import bundle
from training.bundle.bundle import Bundle, files_of
from training.bundle.text_model import text_model
from training.expert import EXPERTS
from training.office.ledger import Ruling, deciding, record
from training.recipe import recipe
from training.run.records import Fit
from training.run.scope import Scope, scope
from training.samples.samples import TrainingError
from training.steps.combine import pack_together
from training.steps.fit import pack
from training.text import named
from training.text.scorer import Read, Scorer

pytestmark = pytest.mark.integration

VIEW = view("daily_3")
NOW = simulated.NOW


def reader(version: str) -> Scorer:
    """A text model whose every opinion is its own."""

    def opinions(texts: list[str]) -> Read:
        digests = [hashlib.sha256(f"{version} {text}".encode()).digest() for text in texts]
        raw = np.array([list(digest[:3]) for digest in digests], dtype=float) + 1
        return Read.toned(raw / raw.sum(axis=1, keepdims=True))

    return Scorer(version, lambda: opinions)


FIRST, SECOND = reader("minilm-first"), reader("minilm-second")


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A market of four instruments."""
    monkeypatch.setenv("FINPULSE_SIM_INSTRUMENTS", "4")
    monkeypatch.setenv("FINPULSE_SIM_SESSIONS", "180")
    monkeypatch.setenv("FINPULSE_CONTEST_SESSIONS", "20")
    settings.cache_clear()


def trained(store: Store, cut: Cut, scorer: Scorer) -> tuple[Scope, Bundle]:
    """A logistic regression on features that this text model made."""
    run = Scope(cut.since(cut.last), recipe("demo"), 20, scorer.model_version)
    return run, pack(run, EXPERTS.get("logistic")(), run.training(store))


def market(store: Store) -> Cut:
    """Facts whose texts the first model has scored, and the matrix made with it."""
    cut = simulated.load_facts(store)
    simulated.score_texts(store, cut, FIRST)
    materialise(store, cut, VIEW, FIRST.model_version)
    return cut


OFFICE = Office("sim20", "trend_1")


def rescored(store: Store, cut: Cut) -> None:
    """The second model scores last, and a matrix is there of it."""
    simulated.score_texts(store, cut, SECOND, NOW + timedelta(hours=1))
    materialise(store, cut, VIEW, SECOND.model_version)


def office(made: Bundle) -> Champion:
    return Champion("p", "sim20", "trend_1", made.hash, model_name(OFFICE), 1, "trainer", NOW)


def said(store: Store, cut: Cut, made: Bundle) -> list[Any]:
    """What the bundle forecasts of the last three sessions."""
    predict(store, office(made), made, cut.back(3), NOW)
    found = store.query(
        "SELECT instrument_id, session, p_down, p_neutral, p_up FROM predictions "
        "WHERE bundle = %s ORDER BY 1, 2",
        (made.hash,),
    )
    return found.to_pylist()


Stores = Callable[[], AbstractContextManager[Store]]


@pytest.fixture
def alone(new_store: Stores) -> Iterator[tuple[Bundle, list[Any], list[Any]]]:
    """The first champion, its forecasts and its drift where nobody else ever scored a text."""
    with new_store() as store:
        cut = market(store)
        _, made = trained(store, cut, FIRST)
        told = said(store, cut, made)
        assert len(told) == 12
        yield made, told, drift(store, made.hash, cut.back(10), NOW).to_pylist()


def test_a_champion_goes_on_as_before_when_another_model_scores_and_a_new_one_learns_from_it(
    alone: tuple[Bundle, list[Any], list[Any]], new_store: Stores
) -> None:
    first, told, drifted = alone
    assert first.manifest.text_model == FIRST.model_version
    with new_store() as store:
        cut = market(store)
        rescored(store, cut)
        assert said(store, cut, first) == told
        assert drift(store, first.hash, cut.back(10), NOW).to_pylist() == drifted
        ids = [row["instrument_id"] for row in told]
        pinned = first.manifest.text_model
        assert skew(store, cut, VIEW, ids, pinned).apart == {}

        _, second = trained(store, cut, SECOND)
        assert second.manifest.text_model == SECOND.model_version
        assert second.hash != first.hash
        other = said(store, cut, second)
        assert [row["p_up"] for row in other] != [row["p_up"] for row in told]
        mixed = load_matrix(store, cut, VIEW, SECOND.model_version)
        own = load_matrix(store, cut, VIEW, pinned)
        differ = {n for n in VIEW.features if not mixed[n].equals(own[n])}
        assert differ == {f.name for f in VIEW.members if "scored" in f.columns}


def test_a_bundle_of_before_is_pinned_to_what_its_matrix_was_made_with(
    alone: tuple[Bundle, list[Any], list[Any]], new_store: Stores
) -> None:
    first, told, _ = alone
    manifest = replace(first.manifest, text_model="", files={})
    assert b"text_model" not in manifest.canonical(), "it is written as it was"
    names = [name for name in first.manifest.files if name != bundle.GOLDEN]
    old = bundle.save(manifest, files_of(first.hash, names), first.golden)
    assert old.manifest.text_model == ""
    with new_store() as store:
        cut = market(store)
        rescored(store, cut)
        assert text_model(store, old.manifest) == FIRST.model_version
        assert said(store, cut, old) == told
    with new_store() as store:
        cut = simulated.load_facts(store)
        assert text_model(store, old.manifest) == "", "nothing was scored by then"
        simulated.score_texts(store, cut, SECOND)
        assert text_model(store, old.manifest) == SECOND.model_version, "that of the settings"


def test_without_its_scores_a_champion_is_refused_by_the_name_of_its_model(
    alone: tuple[Bundle, list[Any], list[Any]], new_store: Stores
) -> None:
    first, told, _ = alone
    with new_store() as store:
        cut = simulated.load_facts(store)
        rescored(store, cut)
        command = (
            f"no sentiment by minilm-first: run `python -m training score-text --model "
            f"minilm-first --universe sim20 --session {cut.last} --snapshot {cut.snapshot}`"
        )
        with pytest.raises(TextUnscored, match=command):
            said(store, cut, first)
        run = Scope(cut.since(cut.last), recipe("demo"), 20, FIRST.model_version)
        with pytest.raises(MatrixMissing, match="--text-model minilm-first`"):
            run.training(store)
        simulated.score_texts(store, cut, FIRST)
        assert said(store, cut, first) == told


def test_what_came_true_does_not_hang_on_who_scored(
    alone: tuple[Bundle, list[Any], list[Any]], new_store: Stores
) -> None:
    first, _, _ = alone
    with new_store() as store:
        cut = market(store)
        said(store, cut, first)
        gone = bundle.save(
            replace(first.manifest, text_model="minilm-gone", files={}),
            files_of(first.hash, [n for n in first.manifest.files if n != bundle.GOLDEN]),
            first.golden,
        )
        rows = store.query("SELECT * FROM predictions")
        other = rows.set_column(
            rows.schema.get_field_index("bundle"), "bundle", [[gone.hash] * len(rows)]
        )
        ids = [name[::-1] for name in rows["prediction_id"].to_pylist()]
        other = other.set_column(
            rows.schema.get_field_index("prediction_id"), "prediction_id", [ids]
        )
        store.record(PREDICTIONS, other.select(PREDICTIONS.names))
        assert settle(store, cut.back(3), NOW) > 0


def test_a_contest_makes_each_sides_features_with_its_own_text_model(store: Store) -> None:
    cut = simulated.load_facts(store)
    simulated.score_texts(store, cut, FIRST)
    materialise(store, cut.until(cut.sessions[-60]), VIEW, FIRST.model_version)
    rescored(store, cut)
    run, second = trained(store, cut, SECOND)
    first = replace(second.manifest, text_model=FIRST.model_version)
    mine, theirs = (
        run.contest(store, side, second.manifest.as_of) for side in (second.manifest, first)
    )
    assert len(mine) == len(theirs) > 20
    place = mine.features.index("news_sentiment_5")
    here, there = (rows.windows(1)[:, 0, place] for rows in (mine, theirs))
    assert not np.array_equal(here, there, equal_nan=True)


def test_an_ensemble_has_members_of_one_text_model(store: Store) -> None:
    cut = market(store)
    rescored(store, cut)
    run, first = trained(store, cut, FIRST)
    _, second = trained(store, cut, SECOND)
    samples = run.training(store)
    parameters = {"weights": [0.5, 0.5]}
    with pytest.raises(TrainingError, match="learnt from texts as minilm-second scores them"):
        pack_together(run, {"a": first, "b": second}, parameters, samples)


def test_texts_are_scored_for_the_champion_and_for_the_next_training(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut = market(store)
    _, first = trained(store, cut, FIRST)
    with deciding(store, OFFICE) as lock:
        ruling = Ruling("p", PROMOTED, "person", "", {})
        record(lock, OFFICE, Fit("x", first.hash, 1), ruling, NOW)
    asked: list[str] = []

    def today(name: str, *_: object) -> Scorer:
        asked.append(name)
        return SECOND

    def of_version(wanted: str, name: str, labels: object) -> Scorer:
        asked.append(wanted)
        if wanted != FIRST.model_version:
            raise named.gone(wanted, "it was lost")
        return FIRST

    monkeypatch.setattr("training.steps.score_text.named", today)
    monkeypatch.setattr("training.steps.score_text.of_version", of_version)
    monkeypatch.setattr("training.run.scope.version", lambda *_: SECOND.model_version)
    place = ["--session", str(cut.last), "--snapshot", str(cut.snapshot)]
    done = CliRunner().invoke(app, ["score-text", *place], catch_exceptions=False)
    assert done.stdout.splitlines()[-1] == SECOND.model_version
    assert set(asked) == {"minilm", FIRST.model_version}
    scored = store.query("SELECT model_version, count(*) AS n FROM sentiments GROUP BY 1")
    [of_first, of_second] = scored["n"].to_pylist()
    assert of_first == of_second > 100

    # A champion whose model is gone stops nobody: its own forecasts say what they lack.
    lost = bundle.save(
        replace(first.manifest, text_model="minilm-lost", files={}),
        files_of(first.hash, [n for n in first.manifest.files if n != bundle.GOLDEN]),
        first.golden,
    )
    with deciding(store, OFFICE) as lock:
        again = replace(ruling, id="q")
        record(lock, OFFICE, Fit("x", lost.hash, 2), again, NOW + timedelta(hours=1))
    done = CliRunner().invoke(app, ["score-text", *place], catch_exceptions=False)
    assert done.exit_code == 0 and done.stdout.splitlines()[-1] == SECOND.model_version
    assert "minilm-lost cannot be had: it was lost" in done.stderr


def test_a_run_learns_from_the_text_model_of_the_settings(store: Store) -> None:
    cut = simulated.load_facts(store)
    run = scope(store, cut.since(cut.last), "demo")
    assert run.text_model == named.version("minilm", None)
