"""A gate that joins what parts say: their answers and the market's state are its inputs."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal, Self

import numpy as np

from training.bundle.model import Model, model
from training.bundle.scaler import Scaler
from training.forecast import Floats, Head, Values
from training.gate import GATES, Gate, Heard, Sizing, Verdict, entropy
from training.part import Part

TIMID = "its training shows no gain after costs"


@model("gate.json")
@dataclass(frozen=True)
class Gated(Model):
    """mode: the gate's name; terms: its fields. state: places of the features that tell the
    market's state, scaled by `scaler`. joined: whom it hears."""

    method: ClassVar[str] = "gate_weights"
    scale: ClassVar[Literal["scores", "answers"]] = "answers"

    mode: str
    terms: Mapping[str, Any]
    joined: tuple[Part, ...]
    state: tuple[int, ...]
    scaler: Scaler
    parameters: Mapping[str, Any]
    sizing: Sizing
    head: Head

    @property
    def gate(self) -> Gate:
        """The gate with its terms."""
        return GATES.get(self.mode)(**self.terms)

    def heard(self, values: Values) -> Heard:
        """What windows (n, window, k) hold for the gate, in the last row of each."""
        inputs = values[:, -1]
        return Heard.of(self.joined, inputs, self.scaler.apply(inputs[:, list(self.state)]))

    def forecast(self, values: Values) -> Floats:
        """Score, position, abstention."""
        heard = self.heard(values)
        found = self.gate.combine(self.parameters, heard)
        scores, abstains = np.clip(found.score, -1.0, 1.0), found.abstains
        held = self.sizing.positions(scores, heard.calm, abstains)
        return np.column_stack([np.where(abstains, 0.0, scores), held, abstains.astype(np.float64)])

    def explain(self, values: Values, typical: Values) -> Floats:  # noqa: ARG002
        """What each part adds to score and position, its lean times its weight, told at the last of
        its columns; what a rule makes of them otherwise is shared out by their size."""
        heard, said = self.heard(values), self.forecast(values)
        weights = self.gate.combine(self.parameters, heard).weights
        adds = weights * np.nan_to_num(heard.leans)
        size = np.abs(adds) + 1e-12 * heard.present
        share = size / np.maximum(size.sum(axis=1, keepdims=True), 1e-300)
        adds += share * (said[:, 0] - adds.sum(axis=1))[:, None]
        held = said[:, 1] / np.where(said[:, 0] == 0, 1.0, said[:, 0])
        found = np.zeros((*said.shape, values.shape[2] + 1))
        places = [part.places[-1] for part in self.joined]
        found[:, 0, places], found[:, 1, places] = adds, adds * held[:, None]
        found[:, 2, -1] = said[:, 2]
        return found

    def grounds(self, values: Values) -> Sequence[Mapping[str, Any]]:
        """Mode, weights and their entropy, what each part said, who was missing, and the reason."""
        heard = self.heard(values)
        found = self.gate.combine(self.parameters, heard)
        spread = entropy(np.abs(found.weights))
        return [self._ground(heard, found, float(spread[row]), row) for row in range(len(heard))]

    def _ground(self, heard: Heard, found: Verdict, spread: float, row: int) -> dict[str, Any]:
        names = [part.name for part in self.joined]
        there = heard.present[row].tolist()
        said = zip(self.joined, heard.answers, there, strict=True)
        timid = TIMID if not self.sizing.boldness and not found.abstains[row] else ""
        return {
            "mode": self.mode,
            "weights": dict(zip(names, found.weights[row].tolist(), strict=True)),
            "entropy": spread,
            "inputs": {p.name: p.named(a[row]) if here else None for p, a, here in said},
            "reason": found.reasons[row] or timid,
            "notices": [
                f"without {name}, which says nothing"
                for name, here in zip(names, there, strict=True)
                if not here
            ],
        }

    def files(self) -> Mapping[str, bytes]:
        """One JSON file."""
        fields = {
            "mode": self.mode,
            "terms": dict(self.terms),
            "parts": [asdict(part) for part in self.joined],
            "state": self.state,
            "scaler": self.scaler.as_json(),
            "parameters": dict(self.parameters),
            "sizing": asdict(self.sizing),
        }
        return {self.file: json.dumps(fields).encode()}

    @classmethod
    def read(cls, files: Mapping[str, bytes], head: Head) -> Self:
        """The gate; raises UnknownMember where this code has none of that name."""
        fields = json.loads(files[cls.file])
        parts = tuple(Part(**{**f, "places": tuple(f["places"])}) for f in fields["parts"])
        scaler, sizing = Scaler.parse(fields["scaler"]), Sizing(**fields["sizing"])
        state, parameters = tuple(fields["state"]), fields["parameters"]
        mode, terms = fields["mode"], fields["terms"]
        return cls(mode, terms, parts, state, scaler, parameters, sizing, head)
