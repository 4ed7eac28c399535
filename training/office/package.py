"""What an office's registered model holds: a bundle, or a text model."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from contracts.champion import SENTIMENT, Office
from training.bundle import bundle
from training.bundle.bundle import Bundle
from training.bundle.manifest import BundleError
from training.bundle.mlflow_model import columns

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

# The whole code that MLflow keeps with a model: two lines that import ours.
_CODE = "from training.served import {what}\n{what}()\n"
# The experiment of all trainings of text models.
TEXTS = "texts"


@dataclass(frozen=True)
class Package:
    """One version by its hash: its files, and what MLflow is told of it.

    universe: whose experiment its runs are in.
    """

    hash: str
    universe: str
    code: str
    libraries: Mapping[str, str]
    copy_to: Callable[[Path], None]
    signature: Callable[[], "ModelSignature"]


def package(office: Office, held: str) -> Package:
    """What the office's `held` is, once it has been shown to load.

    Raises BundleError, TextModelGone.
    """
    return _of_text(held) if office == SENTIMENT else of_bundle(bundle.load(held))


def require_fit(office: Office, held: str) -> None:
    """Raise unless `held` may be champion of the office: BundleError, ViewChanged, TextModelGone.

    A bundle loads, its view is the code's, and it was trained for the office; a text model's files
    are those that were kept.
    """
    if office == SENTIMENT:
        from training.text import tuned
        from training.text.named import of_version

        of_version(held, held, None)
        if held.startswith(tuned.TUNED):
            tuned.require_whole(held)
        return
    known = bundle.load(held)
    known.require_view()
    trained_for = Office(known.manifest.universe, known.manifest.target)
    if trained_for != office:
        raise BundleError(f"expected a bundle of {office}, found one trained for {trained_for}")


def of_bundle(known: Bundle) -> Package:
    """A bundle as a registered model holds it."""

    def signature() -> "ModelSignature":
        return _signature(columns(known.manifest), "float", known.manifest.asked.columns)

    return Package(
        known.hash,
        known.manifest.universe,
        _CODE.format(what="set_bundle_model"),
        known.manifest.libraries,
        lambda folder: bundle.copy_to(folder, known),
        signature,
    )


def _of_text(version: str) -> Package:
    from importlib.metadata import version as of

    from contracts import objects
    from training.text.labelled import ORDER
    from training.text.named import of_version
    from training.text.tuned import CARD, GRAPH, MODEL, TOKENIZER, TUNED, key

    of_version(version, version, None)
    tuned = version.startswith(TUNED)
    names = (GRAPH, TOKENIZER, CARD, MODEL) if tuned else ()
    libraries = ("onnxruntime", "tokenizers") if tuned else ("vaderSentiment",)

    def copy_to(folder: Path) -> None:
        for name in names:
            (folder / name).write_bytes(objects.get(key(version, name)))
        (folder / "version").write_text(version)

    return Package(
        version,
        TEXTS,
        _CODE.format(what="set_text_model"),
        {name: of(name) for name in libraries},
        copy_to,
        lambda: _signature(["text"], "string", [f"p_{word}" for word in ORDER]),
    )


def _signature(
    inputs: list[str], kind: str, outputs: "list[str] | tuple[str, ...]"
) -> "ModelSignature":
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    return ModelSignature(
        inputs=Schema([ColSpec(kind, name) for name in inputs]),
        outputs=Schema([ColSpec("double", name) for name in outputs]),
    )
