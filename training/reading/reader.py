"""The network that is fine-tuned: a checkpoint's encoder and a head over the three classes."""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.reading.course import Course, Pooling
from training.text.checkpoint import columns, quiet_torch, unavailable
from training.text.encoder import folder
from training.text.labelled import ORDER
from training.text.named import MINILM

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Base:
    """What is fine-tuned: where its files are, and its tokenizer as JSON."""

    name: str
    place: str
    tokenizer: str
    layers: int
    width: int
    longest: int


def base(name: str) -> Base:
    """The checkpoint of that name: `minilm`, a name on the hub, or a folder.

    Raises CheckpointMissing, and LabelOrderError for one with a head for other classes.
    """
    quiet_torch()
    from transformers import AutoConfig, AutoTokenizer

    place = str(folder()) if name == MINILM else name
    try:
        config = AutoConfig.from_pretrained(place)
        tokenizer = AutoTokenizer.from_pretrained(place)
    except (OSError, ValueError) as error:
        raise unavailable(name, error, "FINPULSE_TEXT_CHECKPOINT") from error
    if _has_head(config):
        columns(name, config)
    content = tokenizer.backend_tokenizer.to_str()
    longest = int(getattr(config, "max_position_embeddings", 512))
    return Base(name, place, content, config.num_hidden_layers, config.hidden_size, longest)


def _has_head(config: Any) -> bool:
    built = getattr(config, "architectures", None) or []
    return any(one.endswith("ForSequenceClassification") for one in built)


def build(chosen: Base, course: Course) -> "torch.nn.Module":
    """Takes input_ids and attention_mask (chunks, tokens) to logits (chunks, 3) in ORDER and
    normalised mean-pooled embeddings (chunks, width).

    A checkpoint that has a head for the three classes keeps it, with its columns put in order.
    """
    import torch
    from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification

    config = AutoConfig.from_pretrained(chosen.place)
    own = _has_head(config)
    for name in ("hidden_dropout_prob", "attention_probs_dropout_prob", "dropout"):
        if hasattr(config, name):
            setattr(config, name, course.dropout)
    kind = AutoModelForSequenceClassification if own else AutoModel
    torch.manual_seed(course.seed)
    words = kind.from_pretrained(chosen.place, config=config, dtype=torch.float32)
    order = columns(chosen.name, config) if own else []
    if not own and getattr(words, "pooler", None) is not None:
        words.pooler.requires_grad_(False)  # nothing is asked of it

    class Reader(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words = words
            if not own:
                self.drop = torch.nn.Dropout(course.dropout)
                wide = chosen.width * (2 if course.pooling == "both" else 1)
                self.head = torch.nn.Linear(wide, len(ORDER))

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            read = self.words(
                input_ids=input_ids, attention_mask=attention_mask, output_hidden_states=own
            )
            states = read.hidden_states[-1] if own else read.last_hidden_state
            mask = attention_mask.unsqueeze(-1).to(states.dtype)
            mean = (states * mask).sum(dim=1) / mask.sum(dim=1)
            embedding = torch.nn.functional.normalize(mean.float())
            if own:
                return read.logits[:, order], embedding
            self.pooled = _pooled(course.pooling, states, mean)
            return self.head(self.drop(self.pooled)), embedding

    return Reader()


def _pooled(pooling: Pooling, states: Any, mean: Any) -> Any:
    import torch

    first = states[:, 0]
    return {"mean": mean, "cls": first, "both": torch.cat([mean, first], dim=-1)}[pooling]


def floors(network: Any) -> list[list[tuple[str, Any]]]:
    """Its parameters by name, from embeddings and lowest layer up to the head.

    Errors: a checkpoint whose layers are not numbered in their parameters' names has one floor
    below its head.
    """
    found: dict[int, list[tuple[str, Any]]] = {}
    named = list(network.named_parameters())
    depth = {name: _layer(name) for name, _ in named}
    top = max((layer for layer in depth.values() if layer is not None), default=0)
    for name, parameter in named:
        layer = depth[name]
        if layer is None:
            layer = -1 if "embeddings" in name else top + 1
        found.setdefault(layer, []).append((name, parameter))
    return [found[layer] for layer in sorted(found)]


def _layer(name: str) -> int | None:
    parts = name.split(".")
    for before, after in pairwise(parts):
        if before in ("layer", "layers", "h", "block") and after.isdigit():
            return int(after)
    return None


def local(name: str) -> bool:
    """Whether that checkpoint needs no network."""
    return name == MINILM or Path(name).is_dir()
