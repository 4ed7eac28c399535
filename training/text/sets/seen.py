"""Which labelled sets a text model has learnt from: none of them can ever be its test."""

from pathlib import Path

import orjson

from training.text.named import MINILM
from training.text.tuned import TUNED, told

# What checkpoints on the hub say that they were trained on. ProsusAI/finbert: Araci 2019, Financial
# PhraseBank, after texts of TRC2 without labels. Their names in small letters.
PUBLISHED = {
    "prosusai/finbert": ("phrasebank",),
    "mrm8488/distilroberta-finetuned-financial-news-sentiment-analysis": ("phrasebank",),
    "ahmedrachid/financialbert-sentiment-analysis": ("phrasebank",),
}


def learnt_by(model: str) -> tuple[str, ...]:
    """The sets that a checkpoint or a text model's version learnt from, as far as is known.

    A folder tells it in `learnt.json` (a list of names), or by the hub name that it was saved from.
    """
    if model.startswith(f"{TUNED}-"):
        return told(model).learnt
    place = Path(model)
    if place.is_dir():
        return _of_folder(place)
    return () if model == MINILM else _published(model.rpartition("@")[0] or model)


def _of_folder(place: Path) -> tuple[str, ...]:
    if (place / "learnt.json").is_file():
        return tuple(orjson.loads((place / "learnt.json").read_bytes()))
    config = place / "config.json"
    saved = orjson.loads(config.read_bytes()) if config.is_file() else {}
    return _published(str(saved.get("_name_or_path", "")))


def _published(name: str) -> tuple[str, ...]:
    return PUBLISHED.get(name.lower(), ())
