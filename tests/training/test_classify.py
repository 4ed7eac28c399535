"""Any file of texts can be put in, with labels or without."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import f1_score
from typer.testing import CliRunner

from contracts.settings import settings
from training.__main__ import app
from training.finetune.classifying import classified, scored
from training.text import lexicon
from training.text.labelled import ORDER, LabelledTextError

TEXTS = (
    "A great profit",
    "A terrible loss",
    "The board meets, https://t.co/x",
    "Profit, profit",
    "",
)


def written(place: Path, **columns: object) -> Path:
    pl.DataFrame(columns).write_csv(place)
    return place


def test_each_row_keeps_what_it_had_and_gets_its_probabilities(tmp_path: Path) -> None:
    file = written(tmp_path / "a.csv", id=list(range(5)), text=list(TEXTS))
    found = classified(file, lexicon.scorer())
    assert found["id"].to_list() == ["0", "1", "2", "3", "4"] and found.height == len(TEXTS)
    told = found.select("p_negative", "p_neutral", "p_positive").to_numpy()
    assert told == pytest.approx(lexicon.scorer().probabilities(TEXTS))
    assert found["said"].to_list()[:3] == ["positive", "negative", "neutral"]
    assert scored(found) == {}


def test_labels_give_scores_beside_the_majority(tmp_path: Path) -> None:
    labels = ["positive", "negative", "neutral", "neutral", "neutral"]
    rows = classified(written(tmp_path / "a.csv", text=list(TEXTS), label=labels), lexicon.scorer())
    found = scored(rows)
    known = [ORDER.index(label) for label in labels]
    said = [ORDER.index(word) for word in rows["said"]]
    assert found["model"].macro_f1.value == pytest.approx(f1_score(known, said, average="macro"))
    assert found["majority"].accuracy.value == 0.6 and found["majority"].mcc.value == 0
    assert found["model"].n == 5


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"words": ["a"]}, "expected a column text, found words"),
        ({"text": ["a"], "label": ["bullish"]}, "the first 'bullish'"),
        ({"text": ["a", "b"], "label": ["neutral", None]}, "found 1 rows with others"),
    ],
)
def test_a_file_of_another_kind_is_refused(
    tmp_path: Path, columns: dict[str, list[str]], told: str
) -> None:
    with pytest.raises(LabelledTextError, match=told):
        classified(written(tmp_path / "a.csv", **columns), lexicon.scorer())
    with pytest.raises(LabelledTextError, match="expected a CSV"):
        classified(tmp_path / "none.csv", lexicon.scorer())


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_dialects_and_capitals_are_read(tmp_path: Path, separator: str, mark: bytes) -> None:
    lines = [
        ("id", "text", "label"),
        ("1", '"A great, great; profit"', " Positive"),
        ("2", "", "NEUTRAL"),
    ]
    file = tmp_path / "a.csv"
    file.write_bytes(mark + "\r\n".join(separator.join(line) for line in lines).encode())
    rows = classified(file, lexicon.scorer())
    assert rows["text"].to_list()[0] == "A great, great; profit"
    assert rows["label"].to_list() == ["positive", "neutral"] == rows["said"].to_list()


def test_what_is_no_table_of_texts_is_refused_with_the_reason(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    for content in (b"", "text\nÜber\n".encode("latin-1"), "text\na\n".encode("utf-16"), b"\x00"):
        file.write_bytes(content)
        with pytest.raises(LabelledTextError, match="expected a"):
            classified(file, lexicon.scorer())
    with pytest.raises(LabelledTextError, match="expected a CSV"):
        classified(tmp_path, lexicon.scorer())
    written(file, text=["a", "b"], label=["1", "2"])
    with pytest.raises(LabelledTextError, match=r"2 rows with others.*differs from set to set"):
        classified(file, lexicon.scorer())


def test_few_or_many_or_all_of_one_class(tmp_path: Path) -> None:
    none = classified(written(tmp_path / "a.csv", text=[], label=[]), lexicon.scorer())
    assert none.height == 0 and none.columns[-1] == "said" and scored(none) == {}
    heard = list[str]()
    many = written(tmp_path / "b.csv", text=["A great profit"] * 2500, label=["positive"] * 2500)
    found = scored(classified(many, lexicon.scorer(), heard.append))
    assert [line.split()[0] for line in heard] == ["1000", "2000", "2500"]
    assert found["model"].accuracy.value == 1.0 == found["majority"].accuracy.value
    assert found["model"].mcc.value == 0.0, "nothing is told apart"


def test_the_verb_writes_beside_the_file_and_needs_no_database_for_a_named_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(tmp_path / "mine.csv", text=list(TEXTS), label=["neutral"] * 5)
    done = CliRunner().invoke(app, ["classify", str(file), "--model", "vader"])
    assert done.exit_code == 0, done.output
    place = Path(done.stdout.splitlines()[-1])
    assert place == tmp_path / "mine.scored.csv" and pl.read_csv(place).height == 5
    assert "macro-F1" in done.stderr and "majority" in done.stderr
    settings.cache_clear()
    place = tmp_path / "new" / "folder" / "said.csv"
    asked = ["classify", str(file), "--model", "vader", "--to", str(place)]
    assert CliRunner().invoke(app, asked).exit_code == 0 and place.is_file()


def test_a_word_list_calls_neutral_what_its_authors_do() -> None:
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    words = SentimentIntensityAnalyzer()
    texts = [f"{a} {b}" for a in ("good", "bad", "not good", "profit") for b in ("!", "day", "")]
    compound = np.array([words.polarity_scores(text)["compound"] for text in texts])
    wanted = np.where(compound > 0.05, 2, np.where(compound < -0.05, 0, 1))
    found = lexicon.scorer().probabilities(texts)
    assert found.argmax(axis=1).tolist() == wanted.tolist()
    assert found.sum(axis=1) == pytest.approx(np.ones(len(texts)))


def test_what_torch_sees_ends_with_three_where_there_is_no_gpu(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    done = CliRunner().invoke(app, ["gpu-check"])
    assert done.exit_code == 3 and f"torch {torch.__version__}" in done.stdout
