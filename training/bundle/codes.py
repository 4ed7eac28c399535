"""What stands few numbers for a row of features, and the way back; registered, it is pinned. Light.

The numbers of a registered encoder are learnt from and served as columns `version:place` beside
the features of the view that it was learnt of.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from contracts import objects
from training.bundle.manifest import BundleError
from training.bundle.scaler import Scaler
from training.forecast import Floats, Values

if TYPE_CHECKING:
    import pyarrow as pa

# Between an encoder's version and the place of one of its numbers; no feature's name has one.
PLACE = ":"


class EncoderMissing(BundleError, LookupError):
    """The object store holds no encoder of a version, another than its name says, or one of another
    view."""


@dataclass(frozen=True)
class Half:
    """One way: linear (m, k), and a hidden layer: inner (h, k), bias (h,), outer (m, h)."""

    linear: Floats
    inner: Floats
    bias: Floats
    outer: Floats

    @classmethod
    def straight(cls, linear: Floats) -> "Half":
        """One that adds nothing."""
        m, k = linear.shape
        return cls(linear, np.empty((0, k)), np.empty(0), np.empty((m, 0)))

    def apply(self, rows: Floats) -> Floats:
        """Rows (n, k) as (n, m)."""
        bent = np.tanh(rows @ self.inner.T + self.bias) @ self.outer.T
        return np.asarray(rows @ self.linear.T + bent)

    def slopes(self, rows: Floats) -> Floats:
        """How the outputs move with the inputs at rows (n, k): (n, m, k)."""
        bent = 1.0 - np.tanh(rows @ self.inner.T + self.bias) ** 2
        return np.asarray(self.linear + (self.outer * bent[:, None, :]) @ self.inner)

    def as_json(self) -> dict[str, Any]:
        """Plain values with their shapes: an array without rows has columns too."""
        return {n: {"shape": x.shape, "values": x.ravel().tolist()} for n, x in vars(self).items()}

    @classmethod
    def parse(cls, held: Mapping[str, Any]) -> "Half":
        """The half that `as_json` wrote."""
        return cls(**{n: np.array(x["values"]).reshape(x["shape"]) for n, x in held.items()})


@dataclass(frozen=True)
class Encoder:
    """Learnt of rows of a view's features up to `trained_until` (UTC); it says nothing of those."""

    kind: str
    view_hash: str
    features: tuple[str, ...]
    trained_until: datetime
    scaler: Scaler
    down: Half
    up: Half

    @property
    def width(self) -> int:
        """How many numbers stand for a row."""
        return len(self.down.linear)

    def encode(self, values: Values, as_of: np.typing.NDArray[np.datetime64]) -> Floats:
        """Rows (n, k) decided at `as_of` (UTC) as (n, width); null up to `trained_until`.

        What it was taught by, it knows: a model that learnt from its words of then would be taught
        by what came after them.
        """
        found = self.down.apply(self.scaler.apply(values))
        until = np.datetime64(self.trained_until.replace(tzinfo=None), "us")
        return np.where((as_of > until)[:, None], found, np.nan)

    def lost(self, values: Values) -> tuple[Floats, Floats]:
        """Per row the squares that are lost on the way and back, and all there were, (n,) each."""
        scaled = self.scaler.apply(values)
        left = scaled - self.up.apply(self.down.apply(scaled))
        return (left**2).sum(axis=1), (scaled**2).sum(axis=1)

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        halves = {name: getattr(self, name).as_json() for name in ("down", "up")}
        named = {"kind": self.kind, "view_hash": self.view_hash, "features": list(self.features)}
        named["trained_until"] = self.trained_until.isoformat()
        return named | {"scaler": self.scaler.as_json()} | halves

    @classmethod
    def parse(cls, held: Mapping[str, Any]) -> "Encoder":
        """The encoder that `as_json` wrote."""
        return cls(
            str(held["kind"]),
            str(held["view_hash"]),
            tuple(held["features"]),
            datetime.fromisoformat(held["trained_until"]),
            Scaler.parse(held["scaler"]),
            *(Half.parse(held[name]) for name in ("down", "up")),
        )


def registered(version: str) -> Encoder:
    """The encoder of that version; raises EncoderMissing."""
    if not objects.exists(key(version)):
        raise EncoderMissing(
            f"no {key(version)} in the object store: name another version, or learn one by "
            "`python -m training encoder`"
        )
    content = objects.get(key(version))
    if not version.endswith(found := hashlib.sha256(content).hexdigest()[:12]):
        raise EncoderMissing(f"{key(version)} holds {found}: it was changed, bring it back")
    return Encoder.parse(json.loads(content))


def key(version: str) -> str:
    """Where in the object store the encoder of that version lies."""
    return f"encoders/{version}.json"


def with_codes(matrix: "pa.Table", version: str, view_hash: str) -> "pa.Table":
    """A view's matrix with the numbers of a registered encoder, float32, as further features.

    They are null up to `trained_until`. Raises EncoderMissing, also for one of another view.
    """
    import pyarrow as pa

    made = registered(version)
    if made.view_hash != view_hash:
        raise EncoderMissing(
            f"expected an encoder of the view {view_hash}, found {version}, which was learnt of "
            f"{made.view_hash}: learn one by `python -m training encoder --view`"
        )
    values = np.column_stack([matrix[name].to_numpy() for name in made.features])
    codes = made.encode(values, matrix["as_of"].to_numpy().astype("datetime64[us]"))
    for place, column in enumerate(codes.astype(np.float32).T):
        # As of a feature, what is not known is null.
        matrix = matrix.append_column(
            f"{version}{PLACE}{place}", pa.array(column, pa.float32(), from_pandas=True)
        )
    return matrix
