"""The office of reading texts, for people: its newest contest set by set, and who is in it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import orjson

from contracts.champion import SENTIMENT, champion
from contracts.store import Store
from training.evidence.decision import Decision

if TYPE_CHECKING:
    from rich.table import Table

_NEWEST = """
SELECT evidence::text AS evidence FROM promotions WHERE universe = %s AND target = %s
AND cause = 'contest' ORDER BY number DESC LIMIT 1
"""


def tables(store: Store) -> "Iterator[Table]":
    """The newest contest's macro-F1 of both sides by set, then the champion; none without any."""
    from rich.table import Table

    found = store.query(_NEWEST, (SENTIMENT.universe, SENTIMENT.target))["evidence"].to_pylist()
    for row in found:
        decision = Decision.parse(orjson.loads(row))
        title = f"contest for {SENTIMENT}: {decision.outcome}, {decision.reason}"
        shown = Table("macro-F1 on", decision.challenger, decision.champion, title=title)
        for name, both in decision.others.items():
            shown.add_row(name, *(f"{value:.3f}" for value in both))
        gain = f"{decision.gain:+.3f} [{decision.low:+.3f}, {decision.high:+.3f}]"
        shown.add_row(f"gain over {decision.n} texts", gain, "")
        yield shown
    if in_office := champion(store, SENTIMENT):
        held = Table("champion", "since", "by", title=str(SENTIMENT))
        since = f"{in_office.decided_at:%Y-%m-%d %H:%M}"
        held.add_row(in_office.bundle, since, in_office.actor)
        yield held
