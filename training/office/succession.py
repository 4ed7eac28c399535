"""Who was in office before whom: the ledger's rows as a stack of bundles."""

from collections.abc import Iterable

from contracts.champion import PROMOTED, ROLLED_BACK


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
