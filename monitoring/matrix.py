"""The feature matrix behind a bundle, and the window that the bundle learnt from."""

from datetime import date

import pyarrow as pa

from contracts.store import Store
from contracts.time.calendar import last_session
from training.bundle.manifest import Manifest


def matrix(
    store: Store, manifest: Manifest, universe: str, days: tuple[date, date], snapshot: int
) -> pa.Table:
    """The bundle's view and truth over `days` (both included) at that snapshot, made if need be."""
    from features.matrix.matrix import load_matrix, materialise
    from features.view import view

    chosen = view(manifest.view)
    materialise(store, chosen, universe, *days, snapshot)
    asked = chosen.toward(manifest.taught())
    return load_matrix(store, asked, universe, *days, snapshot)


def training_window(store: Store, manifest: Manifest) -> tuple[date, date]:
    """First and last session that the bundle's training saw."""
    first = store.query(
        "SELECT min(session) AS first FROM materialisations "
        "WHERE view_hash = %s AND universe = %s AND snapshot = %s",
        (manifest.view_hash, manifest.universe, manifest.snapshot),
    )["first"][0].as_py()
    if first is None:
        raise LookupError(
            f"no matrix of view {manifest.view} is recorded at snapshot {manifest.snapshot}: "
            f"materialise it with `python -m features materialise --view {manifest.view} "
            f"--universe {manifest.universe} --snapshot {manifest.snapshot}` and the sessions "
            "that the training saw"
        )
    return first, last_session(manifest.calendar, manifest.as_of)
