"""Verbs about text models: `python -m training finetune | classify | gpu-check`."""

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from contracts.settings import settings
from contracts.store import open_store

if TYPE_CHECKING:
    from training.finetune.life import Life
    from training.finetune.workers import Spread


class Step(StrEnum):
    """The steps of a life, in their order."""

    data = "data"
    tune = "tune"
    fit = "fit"
    evaluate = "evaluate"
    contest = "contest"
    promote = "promote"
    rescore = "rescore"


class Chip(StrEnum):
    """What torch runs on."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


class Way(StrEnum):
    """How a network is spread over workers."""

    ddp = "ddp"
    fsdp = "fsdp"


Sets = Annotated[str, typer.Option(help="labelled sets between commas, see docs/training.md")]
Device = Annotated[Chip | None, typer.Option(help="default: FINPULSE_DEVICE")]


texts = typer.Typer()


@texts.command()
def finetune(  # noqa: PLR0913, PLR0917
    step: Annotated[Step | None, typer.Argument(help="one step; default: all")] = None,
    learn: Sets = "sentences",
    stop: Annotated[str, typer.Option(help="set that says when to stop")] = "posts",
    held: Annotated[str, typer.Option(help="sets to be judged on")] = "headlines",
    trials: Annotated[int, typer.Option(min=1, help="courses to try; 1 searches none")] = 1,
    epochs: Annotated[float, typer.Option(min=0.01, help="of the first course")] = 4.0,
    frozen: Annotated[int, typer.Option(min=0, help="lowest layers that never learn")] = 0,
    rate: Annotated[float, typer.Option(help="learning rate of the last layer")] = 2e-4,
    workers: Annotated[int, typer.Option(min=1, help="of Ray Train")] = 1,
    strategy: Annotated[Way, typer.Option(help="of several workers")] = Way.ddp,
    device: Device = None,
) -> None:
    """Fine-tune a text model on labelled texts, and let it contest the office of reading texts.

    data, tune, fit, evaluate, contest, promote, rescore: all, or one. A step that has been done
    for the same texts and options is not done again.
    """
    from training.finetune.life import Life, words
    from training.finetune.workers import Spread
    from training.reading.course import Course
    from training.reading.device import Device as Place
    from training.reading.device import device as chip

    asked = settings()
    course = Course(epochs=epochs, frozen=frozen, rate=rate)
    life = Life(words(learn), stop, words(held), asked.text_checkpoint, course, trials)
    # Who learns nothing loads no torch to look for a GPU.
    learns = step in (None, Step.fit) or (step == Step.tune and trials > 1)
    here = chip(device or asked.device) if learns else Place()
    spread = Spread(here, workers, strategy.value)
    said = ""
    for one in [step] if step else [*Step]:
        said = _done(one, life, spread)
        typer.echo(said, err=step is None)
    if step is None:
        typer.echo(said)


def _done(step: Step, life: "Life", spread: "Spread") -> str:
    store, now = open_store(), datetime.now(UTC)
    match step:
        case Step.data:
            from training.finetune.life import data

            sizes = data(life, _progress)
            return f"{life.name}: {sum(one['texts'] for one in sizes.values())} texts"
        case Step.tune:
            from training.finetune.trying import tune

            return str(tune(store, life, spread.here, _progress)["best"])
        case Step.fit:
            from training.finetune.fitting import fit

            return str(fit(store, life, spread, _progress)["version"])
        case Step.evaluate:
            from training.finetune.judging import evaluate

            return str(evaluate(store, life, _progress)["version"])
        case Step.contest | Step.promote:
            return _ruled(step, life, now)
        case Step.rescore:
            from training.finetune.rivalry import rescore

            said = ""
            for version, done, whole in rescore(store, now):
                said = f"{done} of {whole} texts scored by {version}"
                _progress(said)
            return said


def _ruled(step: Step, life: "Life", now: datetime) -> str:
    from training.finetune import rivalry

    store, added = open_store(), 0
    if step == Step.contest:
        decision = rivalry.contest(store, life, now)
    else:
        decision, added = rivalry.promote(store, life, now)
    if decision is None:
        return "the challenger is the champion already: nothing to decide"
    said = f"{decision.outcome}: {decision.reason}"
    return said if step == Step.contest else f"{said}; {added} ledger rows added"


def _progress(text: str) -> None:
    typer.echo(text, err=True)


@texts.command()
def classify(
    file: Annotated[Path, typer.Argument(help="CSV with a column text, and label where known")],
    model: Annotated[str, typer.Option(help="text model or version; default: the settings'")] = "",
    to: Annotated[Path | None, typer.Option(help="CSV to write; default: FILE.scored.csv")] = None,
) -> None:
    """Write each text's probabilities; with labels, print the scores beside the majority class."""
    from rich.console import Console

    from contracts.champion import IN_OFFICE, text_model
    from training.finetune.classifying import classified, scored, table
    from training.text.named import named

    known = settings()
    asked = model or known.text_model
    name = text_model(open_store(), asked) if asked == IN_OFFICE else asked
    scorer = named(name, known.text_model, known.text_labels)
    place = to or file.with_name(f"{file.name.removesuffix('.csv')}.scored.csv")
    place.parent.mkdir(parents=True, exist_ok=True)
    rows = classified(file, scorer, _progress)
    rows.write_csv(place)
    if found := scored(rows):
        Console(stderr=True, width=120).print(table(scorer.model_version, found))
    typer.echo(str(place))


@texts.command()
def gpu_check() -> None:
    """Print what torch sees of the machine; exit 3 where there is no GPU that it can use."""
    from training.reading.device import seen

    lines, works = seen()
    for line in lines:
        typer.echo(line)
    if not works:
        raise typer.Exit(3)
