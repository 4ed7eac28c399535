"""Who was in office before whom: the ledger's rows as a stack of bundles."""

from collections.abc import Iterable

from contracts.champion import PROMOTED, ROLLED_BACK, Champion, Office, reign
from contracts.store import Store


def held_by(store: Store, office: Office) -> list[Champion]:
    """Champions of an office by `stack`, from the first to the one in office; empty without any."""
    ranks = reign(store, office)
    rows = store.query(
        "SELECT decision, bundle FROM promotions WHERE universe = %s AND target = %s "
        "ORDER BY number",
        (office.universe, office.target),
    ).to_pylist()
    held = stack((row["decision"], row["bundle"]) for row in rows)
    return [next(one for one in ranks if one.bundle == name) for name in held]


def stack(rows: Iterable[tuple[str, str]]) -> list[str]:
    """Bundles from the first champion to the one in office, without those that were rolled back.

    rows: (decision, bundle) in the order of the ledger. Neighbours differ: a bundle that is
    promoted while it is in office has not come into it twice.
    """
    held: list[str] = []
    for decision, bundle in rows:
        if decision == ROLLED_BACK and bundle in held:
            del held[_last(held, bundle) + 1 :]
        elif decision in (PROMOTED, ROLLED_BACK) and held[-1:] != [bundle]:
            held.append(bundle)
    return held


def _last(held: list[str], bundle: str) -> int:
    return len(held) - 1 - held[::-1].index(bundle)
