"""How encoders learn, and where they are kept."""

import hashlib
import json
from collections.abc import Callable
from datetime import datetime
from typing import TypeAlias

from contracts import objects
from contracts.registry import Registry
from training.bundle.codes import Encoder, Half, key
from training.bundle.scaler import Scaler
from training.forecast import Floats, Values

# From scaled rows (n, k), oldest first, and a width to both halves.
Learn: TypeAlias = Callable[[Floats, int], tuple[Half, Half]]
ENCODERS: Registry[Learn] = Registry("encoder", "training.encoders.kinds")


def encoder(name: str) -> Callable[[Learn], Learn]:
    """Declare the function as the way in which encoders of that kind learn."""

    def declare(learn: Learn) -> Learn:
        ENCODERS.add(name, learn)
        return learn

    return declare


def learn(
    kind: str, width: int, view_hash: str, features: tuple[str, ...], rows: tuple[Values, datetime]
) -> Encoder:
    """An encoder of that kind of feature rows (n, k), oldest first, up to a moment (UTC)."""
    values, until = rows
    scaler = Scaler.fit(values)
    halves = ENCODERS.get(kind)(scaler.apply(values), width)
    return Encoder(kind, view_hash, features, until, scaler, *halves)


def register(made: Encoder) -> str:
    """Keep it in the object store under its version, which names its content; returns that."""
    content = json.dumps(made.as_json(), sort_keys=True).encode()
    version = f"{made.kind}-{hashlib.sha256(content).hexdigest()[:12]}"
    objects.put(key(version), content)
    return version
