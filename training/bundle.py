"""What is promoted and served: a model's files, what they were made of, and proof of both.

A bundle lies in the object store under `bundles/<hash>/`. The hash is the SHA-256 of its
canonical manifest, and the manifest holds the SHA-256 of every file, so one changed byte
anywhere is noticed before anything is loaded. Clocks and run ids stay out: equal inputs give
an equal hash. Light: neither mlflow nor scikit-learn, and no pickle.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from contracts import objects
from training import engines
from training.forecast import CLASSES, Floats, Values

FORMAT_VERSION = 1
MANIFEST = "manifest.json"
GOLDEN = "golden.json"
GOLDEN_ROWS = 50
TOLERANCE = 1e-6


class BundleError(ValueError):
    """A bundle is absent, changed or not of this code; the message names bundle and file."""


@dataclass(frozen=True)
class Manifest:
    """What a bundle is made of.

    as_of: the moment up to which truth was known to the training (UTC). snapshot: the loads that
    it saw. features: names in the order of the model's inputs. files: name -> SHA-256.
    """

    expert: str
    objective: str
    hyperparameters: Mapping[str, Any]
    view: str
    view_hash: str
    features: tuple[str, ...]
    label: str
    horizon: int
    universe: str
    calendar: str
    as_of: datetime
    snapshot: int
    git_commit: str
    libraries: Mapping[str, str]
    files: Mapping[str, str]
    format_version: int = FORMAT_VERSION

    def canonical(self) -> bytes:
        """The one way of writing this manifest down: sorted keys, no blanks, UTF-8."""
        fields = asdict(self) | {"as_of": self.as_of.isoformat()}
        return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()

    @classmethod
    def parse(cls, content: bytes) -> "Manifest":
        """The manifest that `canonical` wrote; raises BundleError."""
        fields = json.loads(content)
        version = fields.get("format_version")
        if version != FORMAT_VERSION:
            raise BundleError(
                f"expected bundle format {FORMAT_VERSION}, found {version}: "
                "serve it with the code that made it, or train again"
            )
        fields["features"] = tuple(fields["features"])
        fields["as_of"] = datetime.fromisoformat(fields["as_of"])
        return cls(**fields)


@dataclass(frozen=True)
class Bundle:
    """A verified bundle, ready to forecast."""

    hash: str
    manifest: Manifest
    engine: engines.Engine

    def forecast(self, values: Values) -> Floats:
        """Probabilities (n, 3) of down, neutral, up; `values` is float32 (n, k), nulls are NaN."""
        expected = len(self.manifest.features)
        if values.ndim != 2 or values.shape[1] != expected:
            raise BundleError(
                f"bundle {self.hash[:12]} takes (n, {expected}) values in the order "
                f"{', '.join(self.manifest.features)}; found shape {values.shape}"
            )
        return self.engine(np.ascontiguousarray(values, dtype=np.float32))


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _key(bundle_hash: str, name: str) -> str:
    return f"bundles/{bundle_hash}/{name}"


def golden_rows(values: Values) -> Values:
    """GOLDEN_ROWS rows spread evenly over `values` (repeated when there are fewer)."""
    return values.take(np.linspace(0, len(values) - 1, GOLDEN_ROWS).round().astype(int), axis=0)


def _golden(inputs: Values, outputs: Floats) -> bytes:
    rows = [[None if np.isnan(v) else float(v) for v in row] for row in inputs]
    return json.dumps({"inputs": rows, "outputs": outputs.tolist()}).encode()


def save(manifest: Manifest, files: Mapping[str, bytes], inputs: Values) -> Bundle:
    """Store the model `files` with golden answers to `inputs`; returns the bundle, loaded back.

    manifest: all but `files`, which are filled in here. Saving the same bundle again is no change.
    """
    outputs = engines.read(files)(inputs)
    everything = {**files, GOLDEN: _golden(inputs, outputs)}
    sealed = replace(manifest, files={n: _digest(c) for n, c in sorted(everything.items())})
    content = sealed.canonical()
    bundle_hash = _digest(content)
    if not objects.exists(_key(bundle_hash, MANIFEST)):
        for name, part in everything.items():
            objects.put(_key(bundle_hash, name), part)
        # Last, so that a bundle with a manifest is whole.
        objects.put(_key(bundle_hash, MANIFEST), content)
    return load(bundle_hash)


def load(bundle_hash: str) -> Bundle:
    """The bundle of that hash from the object store, verified; raises BundleError."""
    return _verified(bundle_hash, lambda name: objects.get(_key(bundle_hash, name)))


def load_folder(folder: Path, bundle_hash: str) -> Bundle:
    """As `load`, from a folder that `copy_to` wrote (MLflow ships one with the model)."""
    return _verified(bundle_hash, lambda name: (folder / name).read_bytes())


def copy_to(folder: Path, bundle: Bundle) -> None:
    """Write the bundle's files into `folder`, from which `load_folder` takes them."""
    for name in (MANIFEST, *bundle.manifest.files):
        (folder / name).write_bytes(objects.get(_key(bundle.hash, name)))


def _verified(bundle_hash: str, fetch: Callable[[str], bytes]) -> Bundle:
    def part(name: str, expected: str) -> bytes:
        try:
            content = fetch(name)
        except FileNotFoundError as error:
            raise BundleError(f"bundle {bundle_hash}: {name} is missing: {error}") from error
        found = _digest(content)
        if found != expected:
            raise BundleError(
                f"bundle {bundle_hash}: {name} was changed: expected SHA-256 {expected}, "
                f"found {found}; restore the file or roll back to another bundle"
            )
        return content

    manifest = Manifest.parse(part(MANIFEST, bundle_hash))
    files = {name: part(name, expected) for name, expected in manifest.files.items()}
    loaded = Bundle(bundle_hash, manifest, engines.read(files))
    _check_golden(loaded, json.loads(files[GOLDEN]))
    return loaded


def _check_golden(loaded: Bundle, golden: Mapping[str, list[list[float | None]]]) -> None:
    inputs = np.array(golden["inputs"], dtype=np.float32).reshape(-1, len(loaded.manifest.features))
    expected = np.array(golden["outputs"], dtype=np.float64).reshape(-1, len(CLASSES))
    apart = float(np.abs(loaded.forecast(inputs) - expected).max(initial=0))
    if not apart <= TOLERANCE:
        raise BundleError(
            f"bundle {loaded.hash}: {GOLDEN} is missed by {apart:.2g} (allowed {TOLERANCE}); made "
            f"with {dict(loaded.manifest.libraries)}: install those versions or train again"
        )
