"""Text models by name, as FINPULSE_TEXT_MODEL takes it, or by the version that bundles pin."""

from pathlib import Path

from training.text.scorer import Scorer, gone

MINILM = "minilm"
# What a version begins with; that of a checkpoint has an @ in it.
_KINDS = (f"{MINILM}-", "vader-", "tuned-")


def model(name: str, labels: Path | None) -> Scorer:
    """`minilm`: the packaged encoder with our small head; `vader`: a word list; else a checkpoint's
    own classes.

    labels: a folder of labelled texts for the head (docs/model_card_sentiment.md). Raises
    LabelOrderError, LabelledTextError, CheckpointMissing.
    """
    from training.text import checkpoint, head, lexicon

    if name == lexicon.VADER:
        return lexicon.scorer()
    return head.scorer(labels) if name == MINILM else checkpoint.scorer(name)


def version(name: str, labels: Path | None) -> str:
    """The version of the model that `named` gives, without loading it; raises as it does."""
    from training.text import checkpoint, head, lexicon

    if _versioned(name):
        return name
    if name == lexicon.VADER:
        return lexicon.version()
    return head.scorer(labels).model_version if name == MINILM else checkpoint.version_of(name)


def of_version(wanted: str, name: str, labels: Path | None) -> Scorer:
    """What gives scores of the version `wanted`, which a bundle may be pinned to.

    name, labels: as the settings say; a checkpoint's folder is found by that name alone. Raises
    TextModelGone, and as `model` does.
    """
    from training.text import checkpoint, head, lexicon, tuned

    if wanted.startswith(f"{tuned.TUNED}-"):
        return tuned.kept(wanted)
    if wanted.startswith(f"{lexicon.VADER}-"):
        today = lexicon.scorer()
        if today.model_version == wanted:
            return today
        raise gone(wanted, f"the word list that is installed is {today.model_version}")
    stem, at, revision = wanted.rpartition("@")
    if not at:
        today = head.scorer(labels)
        return today if today.model_version == wanted else head.kept(wanted)
    if not revision.startswith("local-"):
        return checkpoint.at(wanted, stem)
    if Path(name).name != stem:
        raise gone(wanted, f"expected its folder as FINPULSE_TEXT_MODEL, found {name}")
    return checkpoint.at(wanted, name)


def named(wanted: str, name: str, labels: Path | None) -> Scorer:
    """By a name as FINPULSE_TEXT_MODEL takes it, or by a version; see `model` and `of_version`."""
    return of_version(wanted, name, labels) if _versioned(wanted) else model(wanted, labels)


def _versioned(wanted: str) -> bool:
    return ("@" in wanted or wanted.startswith(_KINDS)) and not Path(wanted).is_dir()
