"""Staged challengers: the newest row of an office in `rollouts` says who stands where."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Literal, TypeAlias

from contracts.champion import Champion, Office
from contracts.store import Store

Stage: TypeAlias = Literal["shadow", "canary", "office", "out"]
Verdict: TypeAlias = Literal["BEGIN", "PROMOTE", "HOLD", "ROLLBACK"]

BEGIN: Verdict = "BEGIN"
PROMOTE: Verdict = "PROMOTE"
HOLD: Verdict = "HOLD"
ROLLBACK: Verdict = "ROLLBACK"

# Where a release goes from its beginning: what of the callers each step gives to the challenger.
STEPS: tuple[tuple[Stage, float], ...] = (
    ("shadow", 0.0),
    ("canary", 0.1),
    ("canary", 0.5),
    ("office", 1.0),
)
_STAGED = ("shadow", "canary")
# How long whoever came into office by a release is held against the champion of before.
GUARDED = timedelta(days=28)
_COLUMNS = (
    "decision_id, rollout_id, universe, target, bundle, model_name, model_version, champion, "
    "stage, share, verdict, reason, actor, decided_at"
)
_NEWEST = f"""
SELECT DISTINCT ON (universe, target) {_COLUMNS} FROM rollouts
WHERE %s IN ('', universe) ORDER BY universe, target, number DESC
"""
_ROWS = f"""
SELECT {_COLUMNS} FROM rollouts WHERE universe = %s AND target = %s ORDER BY number DESC
"""
_WIDE = 2.0**64


@dataclass(frozen=True)
class Rollout:
    """One row of the ledger: who is staged, against whom, and how far after this decision.

    champion: the bundle in office when the release began. share: of callers, 0 to 1.
    """

    decision_id: str
    rollout_id: str
    universe: str
    target: str
    bundle: str
    model_name: str
    model_version: int
    champion: str
    stage: Stage
    share: float
    verdict: Verdict
    reason: str
    actor: str
    decided_at: datetime

    @property
    def office(self) -> Office:
        """What the challenger is to come into."""
        return Office(self.universe, self.target)

    @property
    def staged(self) -> bool:
        """Whether the release is under way."""
        return self.stage in _STAGED

    @property
    def challenger(self) -> Champion:
        """The challenger as it would stand in office."""
        place = (self.universe, self.target, self.bundle, self.model_name, self.model_version)
        return Champion(self.rollout_id, *place, self.actor, self.decided_at)

    def guarded(self, now: datetime) -> bool:
        """Whether it came into office not long ago, so that the one before still forecasts."""
        return self.stage == "office" and now - self.decided_at < GUARDED

    def takes(self, caller: str) -> bool:
        """Whether the caller is the challenger's: always the same of one release, and whoever is
        so at a small share stays so at a larger one."""
        digest = sha256(f"{self.rollout_id}{caller}".encode()).digest()
        return int.from_bytes(digest[:8]) / _WIDE < self.share


def newest(store: Store, universe: str = "") -> list[Rollout]:
    """The newest decision of each office, of all universes or one."""
    return [Rollout(**row) for row in store.query(_NEWEST, (universe,)).to_pylist()]


def staged(store: Store, universe: str = "") -> list[Rollout]:
    """The releases under way, of all universes or one: at most one in each."""
    return [one for one in newest(store, universe) if one.staged]


def decisions(store: Store, office: Office) -> list[Rollout]:
    """All decisions on challengers of an office, newest first."""
    rows = store.query(_ROWS, (office.universe, office.target))
    return [Rollout(**row) for row in rows.to_pylist()]
