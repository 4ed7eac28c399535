"""Which text model the features of a bundle are made with: the one that it learnt from."""

from collections.abc import Callable, Iterator

from contracts.champion import champion, offices
from contracts.champion import text_model as todays
from contracts.settings import settings
from contracts.store import Store
from training.bundle.bundle import manifest_of
from training.bundle.manifest import BundleError, Manifest

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
    return (str(found[0]) if found else "") or latest_of(
        store, todays(store, settings().text_model)
    )


def in_office(
    store: Store, universe: str, told: Callable[[str], None] = lambda _: None
) -> list[Manifest]:
    """What the universe's champions, and the parts that they hear, say that they are.

    One whose bundle is gone, or not of this code, is told of and left out: `predict` fails by it.
    """
    found: list[Manifest] = []
    for office in offices(store, universe):
        if (held := champion(store, office)) is not None:
            try:
                found += _with_parts(held.bundle)
            except BundleError as error:
                told(f"{office} is left out: {error}")
    return found


def _with_parts(bundle: str) -> Iterator[Manifest]:
    own = manifest_of(bundle)
    yield own
    for part in own.parts.values():
        yield from _with_parts(part)


def of_champions(
    store: Store, universe: str, told: Callable[[str], None] = lambda _: None
) -> list[str]:
    """The versions that the universe's champions are pinned to, each once; those that read none
    are left out. told: hears of those whose bundles are gone."""
    return sorted({text_model(store, each) for each in in_office(store, universe, told)} - {""})
