"""Champions of before that may come back into office, and the way on which they do."""

from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any

from contracts.champion import PROMOTED, STAGED, Champion, Office, champion
from contracts.expected import Expected
from contracts.release.rollout import decisions
from contracts.settings import settings
from contracts.store import Store
from training.office.ledger import Ruling, deciding, follow, numbered, record
from training.office.staging import begin_under
from training.office.succession import held_by
from training.run.records import Fit


class ChampionChanged(Expected, RuntimeError):
    """Somebody else came into office meanwhile; the message names both."""


def formers(store: Store, office: Office) -> list[Champion]:
    """Those who were in office before, the newest first, without whoever was rolled back, and
    whoever a release against the one in office has sent away."""
    held = {one.bundle: one for one in reversed(held_by(store, office))}
    own = next(iter(held), None)
    ended = (r for r in decisions(store, office) if (r.stage, r.champion) == ("out", own))
    away = {own, *(r.bundle for r in ended)}
    return [one for name, one in held.items() if name not in away]


def bring_back(
    store: Store,
    against: Champion,
    about: Fit,
    why: tuple[str, Mapping[str, Any]],
    now: datetime,
) -> int:
    """Let a former champion go into a release, or into office where none are staged.

    why: the reason and what it rests on, for the ledger. Returns the rows added, 0 where it was
    decided before. Raises ChampionChanged unless `against` is in office, ReleaseRefused, LockLost.
    """
    office, (reason, evidence) = against.office, why
    named = sha256(f"{against.promotion_id} back to {about.bundle}".encode()).hexdigest()[:32]
    known = "SELECT 1 AS one FROM promotions WHERE promotion_id = %s"
    with deciding(store, office) as lock:
        if store.query(known, (named,)).num_rows:
            follow(store, office)
            return 0
        held = champion(store, office)
        if held is None or held.promotion_id != against.promotion_id:
            raise ChampionChanged(
                f"{against.bundle[:12]} was tried, but {held.bundle[:12] if held else 'nobody'} is "
                "in office: run `python -m monitoring earlier` again"
            )
        staged = settings().release == "staged"
        if staged:
            begin_under(lock, store, office, about, (reason, now), named)
        decision = STAGED if staged else PROMOTED
        ruling = Ruling(named, decision, "earlier", reason, evidence, against.bundle)
        added = record(lock, office, numbered(office, about), ruling, now)
        follow(store, office)
    return added
