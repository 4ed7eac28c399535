"""Weighted sums of features and of the few numbers that an encoder makes of them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from training.bundle.codes import Half
from training.bundle.model import Model, model
from training.bundle.models.linear import Linear
from training.bundle.scaler import Scaler
from training.forecast import Floats, Head, Values


@model("encoded.json")
@dataclass(frozen=True)
class Encoded(Model):
    """scaler, down: from features (n, k) to codes (n, m). sums: of features, then codes."""

    method: ClassVar[str] = "terms"

    scaler: Scaler
    down: Half
    sums: Linear
    head: Head

    def forecast(self, values: Values) -> Floats:
        """The sums of the newest row of each window."""
        return self.sums.forecast(widened(values[:, -1], self.scaler, self.down)[:, None])

    def explain(self, values: Values, typical: Values) -> Floats:  # noqa: ARG002
        """The terms of the sums; a code's is shared out among features as they move the code."""
        wide = widened(values[:, -1], self.scaler, self.down)[:, None]
        why = self.sums.explain(wide, wide)
        scaled = self.scaler.apply(values[:, -1])
        moves = np.abs(self.down.slopes(scaled) * scaled[:, None, :]) + 1e-12
        shares = moves / moves.sum(axis=2, keepdims=True)
        count = scaled.shape[1]
        own, of_codes, without = np.split(why, [count, why.shape[2] - 1], axis=2)
        return np.concatenate([own + of_codes @ shares, without], axis=2)

    def files(self) -> Mapping[str, bytes]:
        """One JSON file."""
        held = {"scaler": self.scaler.as_json(), "down": self.down.as_json()}
        sums = {name: json.loads(content) for name, content in self.sums.files().items()}
        return {self.file: json.dumps(held | sums).encode()}

    @classmethod
    def read(cls, files: Mapping[str, bytes], head: Head) -> Self:
        """The sums with their encoder."""
        held = json.loads(files[cls.file])
        sums = Linear.read({Linear.file: json.dumps(held[Linear.file]).encode()}, head)
        return cls(Scaler.parse(held["scaler"]), Half.parse(held["down"]), sums, head)


def widened(values: Values, scaler: Scaler, down: Half) -> Values:
    """Rows (n, k) with their codes beside the features, (n, k + m)."""
    codes = down.apply(scaler.apply(values)).astype(np.float32)
    return np.concatenate([values, codes], axis=1)
