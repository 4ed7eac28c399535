"""Feature skew: now and then online values are compared with those that forecasts were made of.

One comparison per newest session and champion, on a thread of its own: the features package and
its compiled loops are loaded there, when they are first needed.
"""

import asyncio
import logging
import os
from functools import partial
from hashlib import sha256
from pathlib import Path
from random import Random

from prometheus_client import Counter

from contracts.champion import Office
from contracts.cut import Cut
from contracts.store import Store
from contracts.universe import universe
from serving.edge.lane import Lane
from serving.edge.metrics import SHARED, Metrics
from serving.served.served import View
from serving.served.watch import Watch
from training.bundle.text_model import text_model

log = logging.getLogger(__name__)

POLL_SECONDS = 2.0
SAMPLE = 20


class SkewWatch:
    """Compares what is served by one watch, once per newest session of each office's champion."""

    def __init__(self, store: Store, watch: Watch, metrics: Metrics) -> None:
        self._store = store
        self._watch = watch
        counter = partial(Counter, registry=metrics.registry)
        self._compared = counter(
            "finpulse_feature_comparisons_total",
            "Materialised feature values that were computed again as online.",
        )
        self._apart = counter(
            "finpulse_feature_skew_total", "Those of them that differed.", ("feature",)
        )
        self._seen: dict[Office, View] = {}

    async def run(self) -> None:
        """Poll until cancelled."""
        lane = Lane("skew")
        while True:
            await asyncio.sleep(POLL_SECONDS)
            for office, seat in self._watch.state.seats.items():
                if seat.view is not None and seat.view is not self._seen.get(office):
                    self._seen[office] = seat.view
                    await lane.call(partial(self._look, seat.view))

    def _look(self, served: View) -> None:
        try:
            if _claim(served):
                self._compare(served)
        except Exception as error:
            # The forecasts are as they are: what cannot be compared must not stop them.
            log.warning("features were not compared", extra={"error": str(error)})

    def _compare(self, served: View) -> None:
        from features.matrix.skew import skew
        from features.view import view

        rows = [row for row in served.newest.values() if row["as_of"] == served.as_of]
        traded = sorted(str(row["instrument_id"]) for row in rows)
        # Another sample each session, the same for whoever looks again.
        sample = Random(str(served.as_of)).sample(traded, min(SAMPLE, len(traded)))
        place = universe(served.manifest.universe), rows[0]["session"], rows[0]["snapshot"]
        pinned = text_model(self._store, served.manifest)
        found = skew(self._store, Cut.at(*place), view(served.manifest.view), sample, pinned)
        self._compared.inc(found.values)
        for feature in served.manifest.features:
            # All are exported, at 0 too: what is asked for by rules is there.
            self._apart.labels(feature).inc(found.apart.get(feature, 0))
        for feature, count in found.apart.items():
            log.error("feature skew", extra={"feature": feature, "values": count})


def _claim(served: View) -> bool:
    # Of several workers the first compares; they share a folder for their metrics.
    folder = os.environ.get(SHARED)
    if not folder:
        return True
    key = f"{served.champion.bundle} {served.as_of} {len(served.newest)}"
    path = Path(folder, f"skew-{sha256(key.encode()).hexdigest()[:16]}")
    try:
        path.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True
