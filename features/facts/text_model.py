"""The versions of text models whose scores the store holds."""

from pathlib import Path

from contracts.store import Store


def latest_of(store: Store, name: str) -> str:
    """The version of that text model which began to score last; empty before any did.

    name: as FINPULSE_TEXT_MODEL takes it, or a version.
    """
    stem = Path(name).name if Path(name).is_dir() else name
    found = store.query(
        "SELECT model_version FROM sentiments WHERE model_version = %s "
        "OR starts_with(model_version, %s) OR starts_with(model_version, %s) "
        "GROUP BY 1 ORDER BY min(scored_at) DESC, 1 LIMIT 1",
        [stem, f"{stem}-", f"{stem}@"],
    )["model_version"].to_pylist()
    return str(found[0]) if found else ""


def in_use(store: Store, version: str) -> str:
    """The version, or empty where it has scored nothing: it says no more than none does."""
    if not version:
        return ""
    found = store.query("SELECT FROM sentiments WHERE model_version = %s LIMIT 1", [version])
    return version if found.num_rows else ""
