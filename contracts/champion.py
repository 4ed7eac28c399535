"""Who is champion: the ledger's last promotion of an office decides, the MLflow alias follows.

The order is that of the numbers which the database drew, under the lock of the office.
"""

from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Literal, TypeAlias

import orjson

from contracts import objects
from contracts.store import Store

PROMOTED = "promoted"
KEPT = "kept"
REFUSED = "refused"
# A contest was won, and the winner goes through a release first.
STAGED = "staged"
ROLLED_BACK = "rolled_back"
ALIAS = "champion"

# Why there is a row in the ledger: what a contest found, what a person chose in MLflow, ...
Cause: TypeAlias = Literal["contest", "person", "rollback", "zero", "canary", "earlier"]

# What champions foretold before there were others: its names and ids are those of that time.
FIRST_TARGET = "trend_1"


@dataclass(frozen=True, order=True)
class Office:
    """The seat of one champion: who foretells this target in this universe."""

    universe: str
    target: str

    def __str__(self) -> str:
        """As people read it."""
        return f"{self.universe}/{self.target}"

    @property
    def mark(self) -> str:
        """Names it in ids and keys, the first target's as before there were others."""
        return self.universe if self.target == FIRST_TARGET else str(self).replace(_ALL, "all")

    @property
    def models(self) -> tuple[str, ...]:
        """The registered models that may hold its bundles: today's, then that of before."""
        before = (f"finpulse-{self.universe}",) if self.target == FIRST_TARGET else ()
        return (model_name(self), *before)


_ALL = "*"
# Who reads texts, for all universes: what it holds is a text model's version.
SENTIMENT = Office(_ALL, "sentiment")
IN_OFFICE, FIRST_READER = "champion", "minilm"


@dataclass(frozen=True)
class Champion:
    """A bundle in office, as the ledger says."""

    promotion_id: str
    universe: str
    target: str
    bundle: str
    model_name: str
    model_version: int
    actor: str
    decided_at: datetime

    @property
    def office(self) -> Office:
        """Where it is champion."""
        return Office(self.universe, self.target)


def model_name(office: Office) -> str:
    """The registered model in MLflow that new bundles of an office become versions of."""
    return f"finpulse-{office}".replace("/", "-").replace(f"{_ALL}-", "")


def reign(store: Store, office: Office) -> list[Champion]:
    """All champions of an office, newest first."""
    rows = store.query(
        "SELECT promotion_id, universe, target, bundle, model_name, model_version, actor, "
        "decided_at FROM promotions WHERE universe = %s AND target = %s AND decision IN (%s, %s) "
        "ORDER BY number DESC",
        (office.universe, office.target, PROMOTED, ROLLED_BACK),
    )
    return [Champion(**row) for row in rows.to_pylist()]


def champion(store: Store, office: Office) -> Champion | None:
    """The champion in office, or None before the first promotion."""
    return next(iter(reign(store, office)), None)


def offices(store: Store, universe: str = "") -> tuple[Office, ...]:
    """Every office of a market that has a champion, or those of one universe, sorted.

    SENTIMENT is not among them: what is in office there forecasts nothing.
    """
    found = (office for office in occupied(store) if office != SENTIMENT)
    return tuple(office for office in found if universe in ("", office.universe))


def occupied(store: Store) -> tuple[Office, ...]:
    """Every office that has a champion, SENTIMENT too, sorted."""
    rows = store.query(
        "SELECT DISTINCT universe, target FROM promotions WHERE decision IN (%s, %s)",
        (PROMOTED, ROLLED_BACK),
    )
    return tuple(sorted(Office(**row) for row in rows.to_pylist()))


def text_model(store: Store, asked: str) -> str:
    """Who scores texts by FINPULSE_TEXT_MODEL: a name, or the version that is in office."""
    if asked != IN_OFFICE:
        return asked
    in_office = champion(store, SENTIMENT)
    return in_office.bundle if in_office else FIRST_READER


def pointer(office: Office) -> str:
    """Where in the object store the office's `model_config.json` lies."""
    return f"champions/{office.mark}/model_config.json"


def point(champion: Champion) -> None:
    """Let `model_config.json` show the champion in office, to tools that read a file.

    A reader sees the one before or this one, whole. Nothing of ours reads it: the ledger decides.
    """
    key, content = pointer(champion.office), orjson.dumps(asdict(champion))
    with suppress(FileNotFoundError):
        if objects.get(key) == content:
            return
    objects.put(key, content)
