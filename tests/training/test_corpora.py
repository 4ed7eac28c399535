"""Labelled sets: what each reads, whose licence is asked for, and what is not there."""

from pathlib import Path

import polars as pl
import pytest

from contracts.settings import settings
from training.text.labelled import ORDER, LabelledTextError
from training.text.sets.corpus import CORPORA, CorpusMissing, texts_of
from training.text.sets.posts import POSTS

MADE = {
    "phrasebank": (
        "phrasebank",
        {"sentence": ["Up .", "Down ."], "label": ["positive", "negative"]},
    ),
    "fiqa": ("fiqa", {"sentence": ["a", "b", "c", "d"], "sentiment_score": [0.1, -0.1, 0.09, 0.8]}),
    "tfns": ("twitter_fin_news", {"text": ["x", "y", "z"], "label": [0, 1, 2]}),
}
WANTED = {"phrasebank": (2, 0), "fiqa": (2, 0, 1, 2), "tfns": (0, 2, 1)}


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for folder, columns in MADE.values():
        (tmp_path / folder).mkdir()
        pl.DataFrame(columns).write_csv(tmp_path / folder / "made.csv")
    monkeypatch.setenv("FINPULSE_TEXT_DATA", str(tmp_path))
    monkeypatch.setenv("FINPULSE_TEXT_LICENCES", "phrasebank")
    settings.cache_clear()
    return tmp_path


@pytest.mark.parametrize("name", CORPORA.names())
def test_every_set_tells_its_licence_and_has_our_classes(data: Path, name: str) -> None:
    told: list[str] = []
    found = texts_of(name, told.append)
    assert found.origin == name and len(found.texts) == len(found.classes) == len(found.groups)
    assert set(found.classes) <= set(range(len(ORDER)))
    assert CORPORA.get(name).licence in told[0]
    if name in WANTED:
        assert found.classes == WANTED[name]


def test_a_licence_that_binds_has_to_be_accepted_by_name(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FINPULSE_TEXT_LICENCES", "fiqa")
    settings.cache_clear()
    with pytest.raises(CorpusMissing, match=r"CC BY-NC-SA.*FINPULSE_TEXT_LICENCES=phrasebank"):
        texts_of("phrasebank")


def test_the_published_files_of_phrasebank_are_read(data: Path) -> None:
    text = "Sales rose in M\xfcnchen @ home .@positive\nIt fell .@negative\n\n"
    (data / "phrasebank" / "Sentences_50Agree.txt").write_text(text, "latin-1")
    found = texts_of("phrasebank")
    assert found.texts == ("Sales rose in M\xfcnchen @ home .", "It fell .")
    assert found.classes == (2, 0)


def test_any_folder_is_a_set_and_its_newest_text_is_told(data: Path) -> None:
    (data / "mine").mkdir()
    rows = {"text": [f"text {i}" for i in range(30)], "label": [*ORDER] * 10}
    days = [f"2024-03-{1 + i % 28:02d}T09:30:00Z" for i in range(30)]
    pl.DataFrame({**rows, "known_at": days}).write_csv(data / "mine" / "a.csv")
    found = texts_of("mine")
    assert str(found.newest) == "2024-03-28" and len(found.texts) == 30
    pl.DataFrame(rows).write_csv(data / "mine" / "a.csv")
    assert texts_of("mine").newest is None


def test_what_is_not_there_says_where_it_was_looked_for(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(CorpusMissing, match=r"no labelled set is named 'theirs'.*fiqa"):
        texts_of("theirs")
    (data / "fiqa" / "made.csv").unlink()
    with pytest.raises(LabelledTextError, match="sentence, sentiment_score"):
        texts_of("fiqa")
    monkeypatch.delenv("FINPULSE_TEXT_DATA")
    settings.cache_clear()
    with pytest.raises(CorpusMissing, match="expected the folder 'twitter_fin_news'"):
        texts_of("tfns")


def test_another_label_is_refused(data: Path) -> None:
    columns = {"text": ["x"], "label": [3]}
    pl.DataFrame(columns).write_csv(data / "twitter_fin_news" / "made.csv")
    with pytest.raises(LabelledTextError, match="found 1 others"):
        texts_of("tfns")


def test_no_post_has_two_classes() -> None:
    whole = [text for part in POSTS for text in part]
    assert len(whole) == len(set(whole))
