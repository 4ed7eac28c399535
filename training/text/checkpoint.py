"""A published sentiment model (FinBERT and its like) by name or folder, with its own classes."""

import hashlib
import os
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from contracts.expected import Expected
from training.text.encoder import mean_pooled
from training.text.graph import TOKENS
from training.text.labelled import ORDER
from training.text.scorer import Read, Scorer, digest, gone

if TYPE_CHECKING:
    from transformers import PretrainedConfig

# The order of outputs that a published checkpoint is known to have: a config that says
# otherwise is not that checkpoint.
_DECLARED = {"ProsusAI/finbert": ("positive", "negative", "neutral")}


class LabelOrderError(Expected, ValueError):
    """A checkpoint's classes are not negative, neutral and positive in their declared order."""


class CheckpointMissing(Expected, OSError):
    """A checkpoint cannot be had, or is none; the message says what its library said."""


def columns(name: str, config: "PretrainedConfig") -> list[int]:
    """Where the checkpoint's outputs hold ORDER; raises LabelOrderError."""
    found = tuple(str(config.id2label[i]).lower() for i in range(len(config.id2label)))
    declared = _DECLARED.get(name, found)
    if sorted(found) != sorted(ORDER) or found != declared:
        raise LabelOrderError(
            f"{name}: expected the classes {declared if name in _DECLARED else ORDER}, found "
            f"{found}: its probabilities cannot be told apart, use another checkpoint"
        )
    return [found.index(word) for word in ORDER]


def quiet_torch() -> Any:
    """Torch with transformers that say and send nothing, of OMP_NUM_THREADS threads."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    import torch
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    if threads := os.environ.get("OMP_NUM_THREADS"):
        torch.set_num_threads(int(threads))
    return torch


def scorer(name: str) -> Scorer:
    """The checkpoint of that name on the hub, or in that folder.

    Raises LabelOrderError, CheckpointMissing.
    """
    torch = quiet_torch()
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    try:
        model = AutoModelForSequenceClassification.from_pretrained(name).eval()
        tokenizer = AutoTokenizer.from_pretrained(name)
    except OSError as error:
        raise unavailable(name, error) from error
    order = columns(name, model.config)

    def read(texts: list[str]) -> Read:
        tokens = tokenizer(
            texts, padding=True, truncation=True, max_length=TOKENS, return_tensors="pt"
        )
        with torch.inference_mode():
            said = model(**tokens, output_hidden_states=True)
            meant = mean_pooled(said.hidden_states[-1], tokens["attention_mask"])
        logits, embeddings = (np.asarray(x, dtype=np.float64) for x in (said.logits, meant))
        return Read.of_logits(logits[:, order], embeddings)

    return Scorer(_version(name, model.config), lambda: read, embeds=True)


def unavailable(name: str, error: Exception, key: str = "FINPULSE_TEXT_MODEL") -> CheckpointMissing:
    """The failure to have the checkpoint that the setting `key` names."""
    return CheckpointMissing(
        f"{key}: no checkpoint {name!r} can be had ({error}): name one on the "
        "hub, or a folder that holds one"
    )


def version_of(name: str) -> str:
    """The version that `scorer` would give; raises CheckpointMissing."""
    quiet_torch()
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(name)
    except OSError as error:
        raise unavailable(name, error) from error
    return _version(name, config)


def at(version: str, name: str) -> Scorer:
    """The checkpoint `name`, which must be of the version's revision or have its files.

    The libraries that run it may be others. Raises TextModelGone, and as `scorer` does.
    """
    found = scorer(name)
    local = "@local-" in version
    same = version if local else version.rpartition("-")[0]
    if not found.model_version.startswith(same):
        raise gone(version, f"{name} is {found.model_version} now")
    return Scorer(version, found.load)


def held_in(folder: Path) -> list[list[str]]:
    """Names and SHA-256 of a folder's files."""
    files = sorted(p for p in folder.iterdir() if p.is_file())
    return [[p.name, hashlib.sha256(p.read_bytes()).hexdigest()] for p in files]


def _version(name: str, config: "PretrainedConfig") -> str:
    libraries = [f"{library}=={version(library)}" for library in ("transformers", "torch")]
    if Path(name).is_dir():
        held = held_in(Path(name))
        return f"{Path(name).name}@local-{digest(libraries, held)}"
    revision = getattr(config, "_commit_hash", None) or "unknown"
    return f"{name}@{revision[:12]}-{digest(libraries)}"
