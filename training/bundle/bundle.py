"""What is promoted and served: a model's files, what they were made of, and proof of both.

A bundle lies in the object store under `bundles/<hash>/`. The hash is the SHA-256 of its
canonical manifest, and the manifest holds the SHA-256 of every file, so one changed byte
anywhere is noticed before anything is loaded. Clocks and run ids stay out: equal inputs give
an equal hash. Light: neither mlflow nor scikit-learn, and no pickle.
"""

import hashlib
import json
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contracts import objects
from training.bundle.checks import Leak, require_known_answers, require_own_rows, require_same_units
from training.bundle.codes import registered
from training.bundle.manifest import BundleError, Manifest, ViewChanged
from training.bundle.model import Model, read
from training.forecast import Floats, Values
from training.objective import Forecasts

MANIFEST = "manifest.json"
GOLDEN = "golden.json"
GOLDEN_ROWS = 50

# The kinds of files that a bundle may hold: none of them can run code when it is read.
KINDS = (".json", ".onnx", ".ubj")


@dataclass(frozen=True)
class Explained:
    """What the features of one of a bundle's models add to what it says, (n, width, k + 1); the
    last is what it says without any."""

    name: str
    model: Model
    adds: Floats


@dataclass(frozen=True)
class Bundle:
    """A verified bundle, ready to forecast. golden: windows of its training, (n, window, k)."""

    hash: str
    manifest: Manifest
    model: Model
    golden: Values

    def forecast(self, values: Values) -> Floats:
        """Answers (n, columns of the objective); `values` is float32, nulls are NaN.

        values: windows (n, window, k); rows (n, k) where the window is one row.
        """
        window, features = self.manifest.window, self.manifest.features
        windows = values[:, None, :] if values.ndim == 2 and window == 1 else values
        if windows.ndim != 3 or windows.shape[1:] != (window, len(features)):
            raise BundleError(
                f"bundle {self.hash[:12]} takes (n, {window}, {len(features)}) values in the order "
                f"{', '.join(features)}; found shape {values.shape}"
            )
        return self.model.forecast(np.ascontiguousarray(windows, dtype=np.float32))

    def explain(self, values: Values) -> list[Explained]:
        """What each of its models that explains itself says of windows (n, window, k)."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a feature that never had a value
            typical = np.nan_to_num(np.nanmean(self.golden, axis=0))
        parts = self.model.parts or {self.manifest.expert: self.model}
        found = ((name, part, part.explain(values, typical)) for name, part in parts.items())
        return [Explained(name, part, adds) for name, part, adds in found if adds is not None]

    def grounds(self, values: Values) -> Sequence[Mapping[str, Any]] | None:
        """What is kept beside the answers to windows (n, window, k), by row; None: nothing."""
        return self.model.grounds(values)

    def signals(self, values: Floats) -> list[str] | None:
        """The signal of each answer (n, columns); None where the objective gives none."""
        asked = self.manifest.asked
        thresholds = {**asked.thresholds, **self.manifest.thresholds}
        return asked.signals(Forecasts(asked, values), thresholds)

    def require_units(self, values: Values) -> None:
        """Raise BundleError when windows (n, window, k) are of another magnitude than trained."""
        try:
            require_same_units(self.golden, values, self.manifest.features)
        except Leak as error:
            raise BundleError(f"bundle {self.hash[:12]} cannot forecast these: {error}") from error

    def require_view(self) -> None:
        """Raise ViewChanged unless the code's view of that name is the one it was trained on, and
        BundleError where the code has no target of its name, or the store none of its encoder."""
        from features.view import view

        self.manifest.require_declared()
        name, trained_on = self.manifest.view, self.manifest.view_hash
        found = view(name).hash
        if found != trained_on:
            raise ViewChanged(
                f"bundle {self.hash[:12]} was trained on view {name} {trained_on}, the code has "
                f"{found}: run the code of commit {self.manifest.git_commit[:12]}, or train and "
                "promote a bundle on the view of today"
            )
        if self.manifest.encoder:
            registered(self.manifest.encoder)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _key(bundle_hash: str, name: str) -> str:
    return f"bundles/{bundle_hash}/{name}"


def golden_rows(count: int) -> NDArray[np.intp]:
    """GOLDEN_ROWS places spread evenly over `count` rows (repeated when there are fewer)."""
    return np.linspace(0, count - 1, GOLDEN_ROWS).round().astype(np.intp)


def _golden(inputs: Values, outputs: Floats) -> bytes:
    flat = [None if np.isnan(v) else float(v) for v in inputs.ravel()]
    return json.dumps({"shape": inputs.shape, "inputs": flat, "outputs": outputs.tolist()}).encode()


def save(manifest: Manifest, files: Mapping[str, bytes], inputs: Values) -> Bundle:
    """Store the model `files` with golden answers to `inputs`; returns the bundle, loaded back.

    manifest: all but `files`, which are filled in here. inputs: windows (n, window, k). Saving
    the same bundle again is no change. Raises BundleError for a file that a bundle may not hold.
    """
    for name, content in files.items():
        _require_harmless(name, content)
    inputs = inputs.reshape(len(inputs), manifest.window, len(manifest.features))
    outputs = read(files, manifest.head).forecast(inputs)
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
    for name, content in files_of(bundle.hash, (MANIFEST, *bundle.manifest.files)).items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)


def files_of(bundle_hash: str, names: Iterable[str]) -> dict[str, bytes]:
    """The contents of those files of a stored bundle; check it by loading it."""
    return {name: objects.get(_key(bundle_hash, name)) for name in names}


def manifest_of(bundle_hash: str) -> Manifest:
    """What a stored bundle says that it is; its files are not looked at. Raises BundleError."""
    try:
        content = objects.get(_key(bundle_hash, MANIFEST))
    except FileNotFoundError as error:
        raise BundleError(f"bundle {bundle_hash}: {MANIFEST} is missing: {error}") from error
    return Manifest.parse(content)


def _require_harmless(name: str, content: bytes) -> None:
    # A pickle begins with the opcode PROTO, whatever its file is called.
    if not name.endswith(KINDS) or content[:1] == b"\x80":
        raise BundleError(
            f"{name} may not be part of a bundle: expected {', '.join(KINDS)} and no pickle, which "
            "could run any code when it is read"
        )


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
    manifest.require_answerable()
    files = {name: part(name, expected) for name, expected in manifest.files.items()}
    for name, content in files.items():
        _require_harmless(name, content)
    golden = json.loads(files[GOLDEN])
    inputs = np.array(golden["inputs"], dtype=np.float32).reshape(golden["shape"])
    expected = np.array(golden["outputs"], dtype=np.float64).reshape(len(inputs), -1)
    loaded = Bundle(bundle_hash, manifest, read(files, manifest.head), inputs)
    try:
        require_known_answers(manifest.head, loaded.forecast, inputs, expected)
        require_own_rows(manifest.head, loaded.forecast, inputs)
    except ValueError as error:
        raise BundleError(
            f"bundle {bundle_hash}: {GOLDEN}: {error}; made with {dict(manifest.libraries)}: "
            "install those versions or train again"
        ) from error
    return loaded
