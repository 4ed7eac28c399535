"""The step `evaluate`: the kept model on sets that it never saw, beside others, and its card."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from contracts import objects
from contracts.champion import SENTIMENT
from contracts.store import Store
from training.finetune.card import card
from training.finetune.life import Life, Told, unseen
from training.office.package import package
from training.office.registration import register_as
from training.reading.scores import Classes, Scores, majority, scores
from training.run.tracking import step
from training.text import lexicon
from training.text.labelled import Labelled
from training.text.named import of_version
from training.text.scorer import Scorer
from training.text.tuned import CARD, key
from training.text.tuned import told as told_by

MAJORITY = "majority"


def guesses(scorer: Scorer, texts: Sequence[str]) -> Classes:
    """The likeliest class of each text."""
    return np.asarray(scorer.probabilities(texts).argmax(axis=1))


def beside(scorers: Mapping[str, Scorer], known: Labelled) -> dict[str, Scores]:
    """Each scorer's scores on a set by name, and those of always answering its majority."""
    classes = np.array(known.classes)
    found = {name: scores(classes, guesses(one, known.texts)) for name, one in scorers.items()}
    return found | {MAJORITY: scores(classes, majority(classes))}


def evaluate(store: Store, life: Life, told: Told) -> dict[str, Any]:
    """Score the life's model on its held-out sets beside VADER and the majority, write its card,
    and register it; leaves all scores by set and model."""
    version = str(life.require("fit")["version"])
    unseen(life.held, told_by(version).learnt, version)
    sides = {"model": of_version(version, version, None), lexicon.VADER: lexicon.scorer()}
    with step(store, life, "evaluate") as run:
        found = {name: beside(sides, life.sets[name]) for name in life.held}
        plain = {
            name: {who: asdict(one) for who, one in sides.items()} for name, sides in found.items()
        }
        for name, rows in found.items():
            for who, one in rows.items():
                told(f"{name}: {who} macro-F1 {one.macro_f1}, accuracy {one.accuracy}")
            run.log(metrics={f"{name}_macro_f1": rows["model"].macro_f1.value})
        page = card(life, version, plain).encode()
        objects.put(key(version, CARD), page)
        run.attach_file(CARD, page)
        run.attach("scores.json", plain)
        run.tag({"bundle": version})
        number = register_as(run, SENTIMENT, package(SENTIMENT, version))
        left = {"version": version, "number": number, "scores": plain}
        life.leave("evaluate", left)
    return left
