"""The small sentiment head: a logistic regression on frozen embeddings of labelled texts."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from contracts import objects
from training.text.encoder import WIDTH, Embed, encoder_version, graph_key, open_encoder
from training.text.labelled import ORDER, Labelled, labelled
from training.text.scorer import Batch, Read, Scorer, by_length, digest, gone

_STRENGTH = 10.0  # scikit-learn's C
_FOLDS = 5
_ENCODER, _TREATMENT = "encoder", "treatment"


def scorer(labels: Path | None = None) -> Scorer:
    """The encoder with a head on the labelled texts of that folder, or on the packaged ones.

    The head is fitted once and kept in the object store as `sentiment/<model_version>.json`.
    """
    from importlib.metadata import version

    known = labelled(labels)
    learner = f"scikit-learn=={version('scikit-learn')}"
    named = digest(encoder_version(), known.digest, learner, _STRENGTH)
    model_version = f"minilm-{named}"
    return Scorer(model_version, lambda: _load(known, model_version), embeds=True)


def kept(version: str) -> Scorer:
    """The head of that version with its encoder, as the object store holds them.

    The libraries that run them are today's. Raises TextModelGone.
    """
    key = _key(version)
    head = json.loads(objects.get(key)) if objects.exists(key) else {}
    if head.get(_TREATMENT) != digest():
        found = "of another treatment of texts" if head else f"there is no {key}"
        raise gone(version, f"{found} in the object store")
    if not objects.exists(graph_key(head[_ENCODER])):
        raise gone(version, f"there is no {graph_key(head[_ENCODER])} in the object store")
    return Scorer(version, lambda: _batch(head, open_encoder(head[_ENCODER])))


def _key(version: str) -> str:
    return f"sentiment/{version}.json"


def _load(known: Labelled, model_version: str) -> Batch:
    embed, key = open_encoder(), _key(model_version)
    head = json.loads(objects.get(key)) if objects.exists(key) else fit(known, embed)
    made = {_ENCODER: encoder_version(), _TREATMENT: digest()}
    if not made.items() <= head.items():  # New, or of before it said with what it goes.
        head |= made
        objects.put(key, json.dumps(head).encode())
    return _batch(head, embed)


def _batch(head: dict[str, Any], embed: Embed) -> Batch:
    weights, bias = np.array(head["weights"]), np.array(head["bias"])

    def read(texts: list[str]) -> Read:
        meant = embed(texts)
        return Read.of_logits(meant @ weights.T + bias, meant)

    return read


def fit(known: Labelled, embed: Embed) -> dict[str, Any]:
    """Weights and bias per class, with what cross-validation by group says of them."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import accuracy_score, f1_score
    from sklearn.model_selection import GroupKFold, cross_val_predict

    inputs = np.empty((len(known.texts), WIDTH))
    for rows, part in by_length(known.texts):
        inputs[rows] = embed(part)
    classes = np.array(known.classes)
    # Labels are unevenly frequent in real texts; the head shall not prefer the frequent one.
    learner = LogisticRegression(C=_STRENGTH, max_iter=1000, class_weight="balanced")
    folds = GroupKFold(_FOLDS, shuffle=True, random_state=0)
    guessed = cross_val_predict(learner, inputs, classes, groups=known.groups, cv=folds)
    learner.fit(inputs, classes)
    return {
        "order": ORDER,
        "learnt_from": known.origin,
        "texts": len(classes),
        "cross_validated": {
            "accuracy": accuracy_score(classes, guessed),
            "macro_f1": f1_score(classes, guessed, average="macro"),
        },
        "weights": learner.coef_.tolist(),
        "bias": learner.intercept_.tolist(),
    }
