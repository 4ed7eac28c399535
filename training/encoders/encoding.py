"""What an encoder is: few numbers that stand for a row of features, and the way back. Light."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

import numpy as np

from contracts import objects
from contracts.expected import Expected
from contracts.registry import Registry
from training.bundle.scaler import Scaler
from training.forecast import Floats, Values


class EncoderMissing(Expected, LookupError):
    """The object store holds no encoder of a version, or another than its name says."""


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


# From scaled rows (n, k), oldest first, and a width to both halves.
Learn: TypeAlias = Callable[[Floats, int], tuple[Half, Half]]
ENCODERS: Registry[Learn] = Registry("encoder", "training.encoders.kinds")


def encoder(name: str) -> Callable[[Learn], Learn]:
    """Declare the function as the way in which encoders of that kind learn."""

    def declare(learn: Learn) -> Learn:
        ENCODERS.add(name, learn)
        return learn

    return declare


def register(made: Encoder) -> str:
    """Keep it in the object store under its version, which names its content; returns that."""
    content = json.dumps(made.as_json(), sort_keys=True).encode()
    version = f"{made.kind}-{hashlib.sha256(content).hexdigest()[:12]}"
    objects.put(_key(version), content)
    return version


def registered(version: str) -> Encoder:
    """The encoder of that version; raises EncoderMissing."""
    if not objects.exists(_key(version)):
        raise EncoderMissing(
            f"no {_key(version)} in the object store: name another version, or learn one by "
            "`python -m training encoder`"
        )
    content = objects.get(_key(version))
    if not version.endswith(found := hashlib.sha256(content).hexdigest()[:12]):
        raise EncoderMissing(f"{_key(version)} holds {found}: it was changed, bring it back")
    return Encoder.parse(json.loads(content))


def _key(version: str) -> str:
    return f"encoders/{version}.json"
