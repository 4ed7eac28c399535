"""A bundle proves what it is, or refuses to load."""

import hashlib
import json
import pickle
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from contracts.settings import settings
from features.target import target
from features.view import view
from training.bundle import bundle
from training.bundle.bundle import Bundle
from training.bundle.manifest import BundleError, Manifest, ViewChanged
from training.bundle.models.constant import Constant
from training.forecast import Classes

MANIFEST = Manifest(
    expert="class_prior",
    objective="trend",
    hyperparameters={"smoothing": 1.0},
    view="made_up",
    view_hash="0" * 64,
    features=("a", "b"),
    label="made_up",
    horizon=1,
    universe="sim",
    calendar="XNYS",
    as_of=datetime(2025, 6, 30, 20, tzinfo=UTC),
    snapshot=3,
    git_commit="unknown",
    libraries={"numpy": "2"},
    files={},
)
FILES = {"prior.json": json.dumps({"probabilities": [0.2, 0.3, 0.5]}).encode()}
INPUTS = np.array([[1, np.nan], [2, 3]], dtype=np.float32)


def saved(**changes: object) -> Bundle:
    return bundle.save(replace(MANIFEST, **changes), FILES, INPUTS)  # type: ignore[arg-type]


def stored(name: str, of: Bundle) -> Path:
    return Path(settings().objects) / "bundles" / of.hash / name


def test_equal_inputs_give_an_equal_hash_and_write_nothing_new() -> None:
    first = saved()
    before = stored("manifest.json", first).stat().st_mtime_ns
    assert saved().hash == first.hash
    assert stored("manifest.json", first).stat().st_mtime_ns == before
    assert saved(snapshot=4).hash != first.hash


def test_a_loaded_bundle_knows_what_it_is() -> None:
    loaded = bundle.load(saved().hash)
    assert loaded.manifest == replace(MANIFEST, files=loaded.manifest.files)
    assert set(loaded.manifest.files) == {"prior.json", "golden.json"}
    assert loaded.forecast(INPUTS)[1].tolist() == [0.2, 0.3, 0.5]


@pytest.mark.parametrize("name", ["prior.json", "golden.json", "manifest.json"])
def test_a_changed_byte_names_the_file(name: str) -> None:
    made = saved()
    content = bytearray(stored(name, made).read_bytes())
    content[len(content) // 2] ^= 1
    stored(name, made).write_bytes(content)
    with pytest.raises(BundleError, match=f"{name} was changed"):
        bundle.load(made.hash)


def test_a_missing_file_and_an_unknown_bundle_are_named() -> None:
    made = saved()
    stored("prior.json", made).unlink()
    with pytest.raises(BundleError, match=r"prior\.json is missing"):
        bundle.load(made.hash)
    with pytest.raises(BundleError, match=r"manifest\.json is missing"):
        bundle.load("f" * 64)


def test_a_model_that_answers_otherwise_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    made = saved()
    other = np.array([0.2, 0.3 + 2e-5, 0.5 - 2e-5])
    monkeypatch.setattr(Constant, "forecast", lambda _, values: np.tile(other, (len(values), 1)))
    with pytest.raises(
        BundleError, match=r"golden\.json: answers to golden inputs are off by 2e-05"
    ):
        bundle.load(made.hash)


def test_a_model_that_answers_by_place_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    table = np.array([[0.2, 0.3, 0.5], [0.5, 0.3, 0.2]])
    monkeypatch.setattr(Constant, "forecast", lambda _, values: table[: len(values)])
    with pytest.raises(BundleError, match="change with the order in which rows are asked about"):
        saved()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"head": {"kind": "oracle"}}, "found 'oracle'"),
        ({"head": {"kind": "classes", "colour": 3}}, "colour"),
        ({"weather": "fine"}, "weather"),
        ({"as_of": "yesterday"}, "yesterday"),
        ({"features": None}, "not iterable"),
    ],
)
def test_a_manifest_of_other_code_is_named_as_such(change: dict[str, Any], told: str) -> None:
    fields = json.loads(MANIFEST.canonical()) | change
    with pytest.raises(BundleError, match=f"as this code writes them.*{told}"):
        Manifest.parse(json.dumps(fields).encode())


@pytest.mark.parametrize("content", [b"", b"[]", b'"x"', b"\xff", b"{}", b"null"])
def test_what_is_no_manifest_is_refused(content: bytes) -> None:
    with pytest.raises(BundleError):
        Manifest.parse(content)


def test_another_format_is_refused() -> None:
    with pytest.raises(BundleError, match="expected bundle format 3 or 2, found 4"):
        Manifest.parse(replace(MANIFEST, format_version=4).canonical())


def of_before(label: str) -> Bundle:
    """A bundle as format 2 wrote it: of one question, whose name it does not know."""
    made = saved(view="daily_1", label=label, thresholds={"buy": 0.05, "sell": 0.05})
    fields = json.loads(made.manifest.canonical())
    del fields["target"], fields["head"]
    text = json.dumps(fields | {"format_version": 2}, sort_keys=True, separators=(",", ":"))
    old = hashlib.sha256(text.encode()).hexdigest()
    folder = Path(settings().objects) / "bundles" / made.hash
    shutil.copytree(folder, folder.with_name(old))
    (folder.with_name(old) / "manifest.json").write_text(text)
    return bundle.load(old)


def test_a_bundle_of_before_answers_for_the_trend_of_one_session() -> None:
    old = of_before("triple_barrier(horizon=1, width=0.5, window=20, version=2)")
    manifest = old.manifest
    assert (manifest.target, manifest.head, manifest.format_version) == ("trend_1", Classes(3), 2)
    assert hashlib.sha256(manifest.canonical()).hexdigest() == old.hash
    assert old.forecast(INPUTS)[0].tolist() == [0.2, 0.3, 0.5]
    assert old.signals(old.forecast(INPUTS)) == ["buy", "buy"]
    assert manifest.taught() == target("trend_1")


def test_a_bundle_of_before_keeps_the_label_that_it_was_taught() -> None:
    taught = of_before("triple_barrier(horizon=1, width=0.5, window=20)").manifest.taught()
    assert taught.name == "trend_1" and taught.label == view("daily_1").label
    assert taught.label != target("trend_1").label


def test_a_target_that_means_something_else_is_named() -> None:
    with pytest.raises(ViewChanged, match=r"trend_1 is triple_barrier\(.*was taught made_up"):
        saved(view="daily_0").manifest.taught()


def test_values_of_another_shape_are_refused() -> None:
    with pytest.raises(BundleError, match=r"takes \(n, 1, 2\) values in the order a, b"):
        saved().forecast(np.zeros((1, 3), np.float32))


def test_files_without_a_model_are_refused() -> None:
    with pytest.raises(ValueError, match="expected one model file"):
        bundle.save(MANIFEST, {"notes.json": b""}, INPUTS)


def test_a_pickle_is_refused_by_name_when_saved_and_when_loaded() -> None:
    pickled = pickle.dumps({"any": "thing"})
    for name in ("model.pkl", "model.json"):
        with pytest.raises(BundleError, match=f"{name} may not be part of a bundle.*no pickle"):
            bundle.save(MANIFEST, FILES | {name: pickled}, INPUTS)
    # As somebody would smuggle one in who can also write the manifest anew.
    made = saved()
    digest = hashlib.sha256(pickled).hexdigest()
    forged = replace(made.manifest, files={**made.manifest.files, "extra.json": digest}).canonical()
    other = hashlib.sha256(forged).hexdigest()
    folder = Path(settings().objects) / "bundles" / made.hash
    shutil.copytree(folder, folder.with_name(other))
    (folder.with_name(other) / "manifest.json").write_bytes(forged)
    (folder.with_name(other) / "extra.json").write_bytes(pickled)
    with pytest.raises(BundleError, match=r"extra\.json may not be part of a bundle"):
        bundle.load(other)


def test_a_foreign_view_is_named() -> None:
    foreign = saved(view="daily_0", view_hash="0" * 16)
    with pytest.raises(ViewChanged, match="was trained on view daily_0 0000000000000000"):
        foreign.require_view()
    saved(view="daily_0", view_hash=view("daily_0").hash).require_view()


def test_signals_follow_the_thresholds_of_the_manifest() -> None:
    eager = saved(thresholds={"buy": 0.1, "sell": 0.2})
    chances = np.array([[0.2, 0.49, 0.31], [0.2, 0.5, 0.3], [0.4, 0.4, 0.2], [0.41, 0.4, 0.19]])
    assert eager.signals(chances) == ["buy", "hold", "hold", "sell"]
    assert bundle.load(eager.hash).manifest.thresholds == {"buy": 0.1, "sell": 0.2}


def test_a_copied_folder_loads_alike(tmp_path: Path) -> None:
    made = saved()
    bundle.copy_to(tmp_path, made)
    loaded = bundle.load_folder(tmp_path, made.hash)
    assert (loaded.forecast(INPUTS) == made.forecast(INPUTS)).all()


def test_fifty_golden_rows_come_from_few_or_many() -> None:
    for count in (1, 7, 5000):
        rows = bundle.golden_rows(count)
        assert rows.shape == (50,) and (rows[0], rows[-1]) == (0, count - 1)


def test_loading_code_stays_light() -> None:
    code = (
        "import sys, training.bundle.bundle, training.forecast;"
        "heavy = {'mlflow', 'sklearn', 'xgboost', 'torch', 'ray', 'pandas', 'transformers'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
