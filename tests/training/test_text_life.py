"""The whole life of a text model, of a tiny encoder: from labelled sets to who reads the texts."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from places import ran
from tiny_encoder import tiny_encoder
from told_texts import even, load

from contracts import objects
from contracts.champion import IN_OFFICE, SENTIMENT, champion, offices, reign, text_model
from contracts.settings import settings
from contracts.store import Store
from training.__main__ import app as training
from training.finetune import fitting, rivalry
from training.finetune.life import Life, SeenBefore
from training.reading.scores import Gain
from training.run.mlflow_api import Mlflow
from training.run.records import StepMissing
from training.steps import score_text
from training.text import lexicon
from training.text.corpora import packaged
from training.text.named import named, of_version
from training.text.scorer import TextModelGone
from training.text.sets.corpus import CorpusMissing
from training.text.sets.seen import learnt_by
from training.text.tuned import CARD, GRAPH, Kept, keep, key, told

pytestmark = pytest.mark.integration

NOW = datetime(2025, 6, 30, 20, tzinfo=UTC)
# The tiny encoder learns its few sentences by heart: enough to see every step.
QUICK = ("--epochs", "8", "--rate", "0.01")


@pytest.fixture
def encoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tracking: Mlflow) -> Path:
    place = tiny_encoder(tmp_path / "tiny")
    monkeypatch.setenv("FINPULSE_TEXT_CHECKPOINT", str(place))
    settings.cache_clear()
    return place


def runs(server: Mlflow, checkpoint: Path) -> list[dict[str, Any]]:
    """Those of lives of that checkpoint, whatever else the server holds."""
    found = server.call("GET", "mlflow/experiments/get-by-name", experiment_name="finpulse-texts")
    ids = [found["experiment"]["experiment_id"]]
    listed = server.call("POST", "mlflow/runs/search", experiment_ids=ids, max_results=1000)
    told = {"key": "checkpoint", "value": str(checkpoint)}
    return [run for run in listed.get("runs", []) if told in run["data"].get("params", [])]


def test_a_life_ends_in_an_office_and_the_same_again_changes_nothing(
    store: Store, encoder: Path, tracking: Mlflow
) -> None:
    load(store, [("Profit rose", NOW), ("A loss", NOW)])
    assert text_model(store, IN_OFFICE) == "minilm", "before there is a champion"
    last = ran(training, "finetune", *QUICK).splitlines()[-1]
    ranks = reign(store, SENTIMENT)
    assert [one.bundle for one in ranks][-1] == lexicon.version(), "champion zero knows words"
    version = ranks[0].bundle
    assert last == f"2 of 2 texts scored by {version}" or version == lexicon.version()
    known = {run["info"]["run_name"]: run["info"]["status"] for run in runs(tracking, encoder)}
    assert {"fit", "evaluate", "contest"} <= set(known) and set(known.values()) == {"FINISHED"}
    scored = store.query("SELECT DISTINCT model_version FROM sentiments")["model_version"]
    assert scored.to_pylist() == [version] == [text_model(store, IN_OFFICE)]
    again = ran(training, "finetune", *QUICK)
    assert again.splitlines()[-1] == f"0 of 0 texts scored by {version}"
    assert reign(store, SENTIMENT) == ranks
    assert len(runs(tracking, encoder)) == len(known), "no run is doubled"


def test_each_step_can_be_pasted_and_says_what_is_missing(
    store: Store, encoder: Path, tracking: Mlflow
) -> None:
    for step, needed in (("evaluate", "fit"), ("contest", "evaluate"), ("promote", "contest")):
        with pytest.raises(StepMissing, match=f"finetune {needed}"):
            ran(training, "finetune", step)
    assert "texts" in ran(training, "finetune", "data", *QUICK)
    version = ran(training, "finetune", "fit", *QUICK).splitlines()[-1]
    assert ran(training, "finetune", "evaluate", *QUICK).splitlines()[-1] == version
    card = objects.get(key(version, CARD)).decode()
    for told_of in (str(encoder), "sentences", "posts", "headlines", "vader", "majority"):
        assert told_of in card
    assert "never be tested on** posts, sentences" in card
    assert learnt_by(version) == ("posts", "sentences")


def test_what_was_kept_reads_as_it_did_and_whole_texts(
    store: Store, encoder: Path, tracking: Mlflow
) -> None:
    version = ran(training, "finetune", "fit", *QUICK).splitlines()[-1]
    reader = named(version, "minilm", None)
    long = "Profit rose. " * 200 + "The company went bankrupt."
    read = reader.read(["Profit rose.", long, ""])
    assert read.probabilities.sum(axis=1) == pytest.approx([1, 1, 1])
    assert read.embeddings.shape[0] == 3
    cut = reader.read(["Profit rose. " * 200]).probabilities
    assert abs(read.probabilities[1] - cut[0]).max() > 1e-6, "the end of a long text is read"
    objects.put(key(version, GRAPH), b"another")
    with pytest.raises(TextModelGone, match=GRAPH):
        named(version, "minilm", None).read(["Profit rose."])


def test_a_run_killed_in_the_middle_goes_on_and_doubles_nothing(
    store: Store, encoder: Path, tracking: Mlflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    def until_the_third(line: str) -> None:
        seen.append(line)
        if len(seen) == 3:
            raise KeyboardInterrupt

    life, spread = a_life(str(encoder)), fitting.Spread()
    with pytest.raises(KeyboardInterrupt):
        fitting.fit(store, life, spread, until_the_third)
    assert objects.exists(life.key("state.safetensors"))
    fitting.fit(store, life, spread, seen.append)
    assert len(seen) == len(set(seen)), "no check is done twice"
    assert not objects.exists(life.key("state.safetensors"))
    assert [run["info"]["run_name"] for run in runs(tracking, encoder)].count("fit") == 1
    kept = fitting.fit(store, life, spread, seen.append)
    assert seen[-1] == f"{kept['version']} is kept already and used again"


def a_life(checkpoint: str, **changed: Any) -> Life:
    course = replace(fitting.Course(), epochs=8, rate=0.01)
    return Life(("sentences",), "posts", ("headlines",), checkpoint, course, **changed)


def test_what_taught_can_never_test(tmp_path: Path) -> None:
    sets = ("sentences",), "posts"
    with pytest.raises(SeenBefore, match="sentences"):
        Life(*sets, ("headlines", "sentences"), "minilm")
    with pytest.raises(SeenBefore, match="posts"):
        Life(*sets, ("posts",), "minilm")
    with pytest.raises(SeenBefore, match=r"phrasebank can be no test: ProsusAI/finbert learnt"):
        Life(*sets, ("phrasebank",), "ProsusAI/finbert")
    with pytest.raises(SeenBefore, match="ProsusAI/finbert"):
        Life(("sentences",), "phrasebank", ("headlines",), "ProsusAI/finbert")
    for none in (((), "posts", ("headlines",)), (("sentences",), "posts", ())):
        with pytest.raises(CorpusMissing, match="--learn"):
            Life(*none, "minilm")
    (tmp_path / "learnt.json").write_text('["headlines"]')
    with pytest.raises(SeenBefore, match="headlines"):
        Life(*sets, ("headlines",), str(tmp_path))


def test_a_contest_counts_no_set_that_the_champion_learnt_from(
    store: Store, encoder: Path, tracking: Mlflow
) -> None:
    ran(training, "finetune", *QUICK)
    other = ("--learn", "headlines", "--stop", "posts", "--held", "sentences", *QUICK)
    for step in ("data", "fit", "evaluate"):
        ran(training, "finetune", step, *other)
    said = ran(training, "finetune", "contest", *other)
    in_office = champion(store, SENTIMENT)
    assert in_office is not None
    if in_office.bundle != lexicon.version():
        assert "each held-out set has taught one of the two" in said


def test_only_a_sure_gain_promotes_and_looking_often_costs() -> None:
    blank = rivalry.Decision("*", "c", "v", 1, "kept", "", 400, 0, 0, 0, 0, 1, target="sentiment")
    sure = Gain(0.2, 0.1, 0.3, 0.001)
    assert rivalry.ruled(blank, sure, 0).outcome == "promoted"
    assert rivalry.ruled(blank, replace(sure, p_value=0.01), 0).outcome == "promoted"
    assert rivalry.ruled(blank, replace(sure, p_value=0.01), 3).outcome == "kept"
    assert rivalry.ruled(blank, replace(sure, value=0.001), 0).outcome == "kept"
    assert rivalry.ruled(replace(blank, n=20), sure, 0).outcome == "kept"


def test_the_office_of_texts_is_none_of_a_market(
    store: Store, encoder: Path, tracking: Mlflow
) -> None:
    ran(training, "finetune", *QUICK)
    assert champion(store, SENTIMENT) is not None and offices(store) == ()
    name = f"models:/{SENTIMENT.models[0]}@champion"
    import mlflow

    mlflow.set_tracking_uri(settings().mlflow)
    import pandas as pd

    served = mlflow.pyfunc.load_model(name)
    found = served.predict(pd.DataFrame({"text": ["Profit rose", "A loss"]}))
    in_office = champion(store, SENTIMENT)
    assert in_office is not None
    ours = of_version(in_office.bundle, "minilm", None).probabilities(["Profit rose", "A loss"])
    assert found.to_numpy() == pytest.approx(ours, abs=1e-6)
    before = reign(store, SENTIMENT)
    if len(before) > 1:
        words = ("--target", "sentiment", "--bundle", before[0].bundle, "--reason", "a test")
        assert lexicon.version() in ran(training, "rollback", *words)
        assert text_model(store, IN_OFFICE) == lexicon.version()


def test_texts_known_before_the_newest_that_it_learnt_from_stay_unscored(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = datetime(2024, 3, 5, 12, tzinfo=UTC)
    snapshot = load(
        store,
        [
            ("old", day),
            ("of its last day", day.replace(hour=23)),
            ("new", day + timedelta(days=1)),
            ("old, told again", day),
            ("old, told again", day + timedelta(days=9)),
        ],
    )
    kept = Kept("tiny", ("dated",), 1.0, 128, {}, trained_until="2024-03-05")
    keep(kept, {})
    scorer = replace(named(kept.version, "minilm", None), load=lambda: even, embeds=False)
    left = score_text.unscored(store, NOW, snapshot, scorer)
    assert list(score_text.score(store, left, scorer, NOW)) == [3, 4]
    rows = store.query("SELECT text_hash, p_neutral FROM sentiments").to_pylist()
    said = {row["text_hash"] for row in rows if not np.isnan(row["p_neutral"])}
    assert said == {"hash of new"} and len(rows) == 4
    assert score_text.unscored(store, NOW, snapshot, scorer).num_rows == 0
    assert told(kept.version) == kept


def test_the_packaged_sets_are_three_kinds_of_writing(declared: Callable[..., Any]) -> None:
    parts = [make(Path()) for make in (packaged.sentences, packaged.headlines, packaged.posts)]
    texts = [set(part.texts) for part in parts]
    assert not texts[0] & texts[1] and not texts[2] & (texts[0] | texts[1])
    for part in parts:
        assert {0, 1, 2} == set(part.classes) and len(part.texts) > 150
