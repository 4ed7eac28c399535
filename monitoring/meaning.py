"""What the headlines of a session mean, as one row: the statistics of drift are fed no other way.

Headlines of one session are about the same events: taken one by one they would seem to say more
than they do.
"""

import numpy as np

from contracts.cut import Cut
from contracts.store import Store
from monitoring.drift_test import Values

MEANING = "meaning"
_REACH = 2  # a history's first row has nothing: what came before it is not known


def meanings(
    store: Store, cut: Cut, model: str
) -> tuple["np.typing.NDArray[np.datetime64]", Values]:
    """Sessions (n,) with an embedded headline, and the mean embedding of each, (n, WIDTH)."""
    from features.facts.facts import Request, read
    from features.facts.panels import decision_panel
    from features.inputs.meaning import EMBEDDED, SUMS

    facts = read(store, Request(cut, _REACH, (MEANING,), text_model=model))
    panel = decision_panel(facts, _REACH)
    rows = panel.decided & (panel.columns[EMBEDDED] > 0)
    days, place = np.unique(panel.session[rows], return_inverse=True)
    found = np.zeros((len(days), len(SUMS) + 1))
    np.add.at(found, place, np.column_stack([panel.columns[n][rows] for n in (*SUMS, EMBEDDED)]))
    return days, found[:, :-1] / found[:, -1:]
