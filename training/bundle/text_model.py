"""Which text model the features of a bundle are made with: the one that it learnt from."""

from contracts.champion import champion
from contracts.settings import settings
from contracts.store import Store
from training.bundle.bundle import MANIFEST, files_of
from training.bundle.manifest import Manifest

_FIRST = """
SELECT text_model FROM materialisations WHERE view_hash = %s AND universe = %s AND snapshot = %s
GROUP BY text_model ORDER BY min(created_at) LIMIT 1
"""


def text_model(store: Store, manifest: Manifest) -> str:
    """The version to make the bundle's features with; empty where they read no sentiment.

    A bundle of before does not say: it is the first one that its training matrix was made with,
    and that of the settings where no text had been scored by then.
    """
    from features.facts.text_model import latest_of
    from features.view import view

    if manifest.text_model or not view(manifest.view).reads_sentiment:
        return manifest.text_model
    where = (manifest.view_hash, manifest.universe, manifest.snapshot)
    found = store.query(_FIRST, where)["text_model"].to_pylist()
    return (str(found[0]) if found else "") or latest_of(store, settings().text_model)


def of_champion(store: Store, universe: str) -> str:
    """The version that the champion in office is pinned to; empty where there is none."""
    office = champion(store, universe)
    if office is None:
        return ""
    return text_model(store, Manifest.parse(files_of(office.bundle, (MANIFEST,))[MANIFEST]))
