"""The card of a fine-tuned model, written from its run."""

from collections.abc import Mapping
from itertools import takewhile
from pathlib import Path
from typing import Any

from training.finetune.life import Life
from training.text.encoder import folder
from training.text.named import MINILM
from training.text.tuned import told


def card(life: Life, version: str, found: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> str:
    """As Markdown: what it began as, what it learnt from under which licences, its scores by set
    beside others, and what it must not be tested on."""
    about, data, fitted = told(version), life.require("data"), life.require("fit")
    sets = [
        f"| {name} | {_role(life, name)} | {one['texts']} | {one['licence']} | "
        f"{one['newest'] or '-'} |"
        for name, one in data.items()
    ]
    rows = [
        f"| {name} | {who} | {one['n']} | {_shown(one['accuracy'])} | {_shown(one['macro_f1'])} | "
        f"{_shown(one['mcc'])} |"
        for name, sides in found.items()
        for who, one in sides.items()
    ]
    course = ", ".join(f"{name} {value}" for name, value in fitted["course"].items())
    return "\n".join(
        [
            f"# Model card: {version}",
            "",
            f"Sentiment of English financial texts: {', '.join(about.order)}. Fine-tuned from the "
            f"checkpoint {about.checkpoint} ({licence_of(about.checkpoint)}); graph in 8 bits.",
            "",
            f"Temperature {about.temperature:.3f}, by the set {life.stop}, which also said when to "
            f"stop. Course: {course}.",
            "",
            "| set | what for | texts | licence | newest text |",
            "|---|---|---|---|---|",
            *sets,
            "",
            "The licences of the sets follow the weights. **It must never be tested on** "
            f"{', '.join(about.learnt)}: it, or its checkpoint, learnt from them.",
            _time(about.trained_until),
            "",
            "| set | model | texts | accuracy | macro-F1 | MCC |",
            "|---|---|---|---|---|---|",
            *rows,
            "",
            "Intervals are 95 %, by bootstrap over texts. Irony, numbers and comparisons are taken "
            "at face value; texts beyond the length are read in chunks.",
            "",
        ]
    )


def licence_of(checkpoint: str) -> str:
    """What is known of a checkpoint's licence: what the README beside its files declares."""
    place = folder() if checkpoint == MINILM else Path(checkpoint)
    if not place.is_dir():
        return f"licence as declared by its publisher: check at https://huggingface.co/{checkpoint}"
    readme = place / "README.md"
    declared = _declared(readme.read_text(errors="replace")) if readme.is_file() else ""
    if not declared:
        return "licence: none is declared beside its files; check where they came from"
    return f"licence: {declared}, as declared beside its files; check at its publisher's"


def _declared(readme: str) -> str:
    # The fields of a model stand before its text, between two lines of dashes.
    first, *lines = readme.splitlines() or [""]
    fields = takewhile(lambda line: line.strip() != "---", lines) if first.strip() == "---" else ()
    own = (line.partition(":")[2] for line in fields if line.startswith("license:"))
    return next(own, "").strip(" '\"")


def _role(life: Life, name: str) -> str:
    if name in life.learn:
        return "learnt from"
    return "stops" if name == life.stop else "test"


def _shown(score: Mapping[str, float]) -> str:
    return f"{score['value']:.3f} [{score['low']:.3f}, {score['high']:.3f}]"


def _time(until: str) -> str:
    if until:
        return f"It learnt from texts up to {until}: none that was known by then is scored by it."
    return (
        "None of its texts bears a date that it was told of, so that nothing is known of what it "
        "may have read before it scores older texts."
    )
