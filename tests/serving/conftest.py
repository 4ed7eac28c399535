"""A small market's ledger: real bundles, promotions and forecasts without any training."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import numpy as np
import orjson
import pyarrow as pa
import pytest

from contracts.calendar import last_sessions, session_close
from contracts.champion import PROMOTED, Champion, model_name
from contracts.store import Store
from contracts.tables import PREDICTIONS, PROMOTIONS
from serving.batch import prediction_id
from training.bundle import Bundle, Manifest, save

MANIFEST = Manifest(
    expert="class_prior",
    objective="trend",
    hyperparameters={},
    view="daily_0",
    view_hash="v" * 64,
    features=("momentum", "volatility"),
    label="triple_barrier",
    horizon=1,
    universe="sim20",
    calendar="XNYS",
    as_of=session_close("XNYS", date(2025, 1, 31)),
    snapshot=1,
    git_commit="unknown",
    libraries={},
    files={},
)


class Market:
    """What a universe of three symbols needs to be served."""

    universe = MANIFEST.universe
    symbols = ("SIM001", "SIM002", "SIM003")
    last = date(2025, 6, 30)
    sessions = last_sessions("XNYS", last, 3)

    def prior(self, chances: Sequence[float], **changes: Any) -> Bundle:
        """A saved bundle that always says `chances`; other chances make another hash."""
        content = orjson.dumps({"probabilities": list(chances)})
        manifest = replace(MANIFEST, **changes)
        return save(manifest, {"prior.json": content}, np.zeros((1, 2), np.float32))

    def champion(self, bundle: Bundle, version: int) -> Champion:
        """The bundle as it stands in the ledger; later versions were promoted later."""
        decided = datetime(2025, 7, 1, tzinfo=UTC) + timedelta(minutes=version)
        name = model_name(self.universe)
        return Champion(
            uuid4().hex, self.universe, bundle.hash, name, version, "train_models", decided
        )

    def promote(self, store: Store, champion: Champion) -> None:
        """Write the champion's row into the ledger."""
        row = vars(champion) | {"decision": PROMOTED, "previous_bundle": None}
        row |= {"reason": "won the contest", "evidence": "{}"}
        store.record(PROMOTIONS, pa.Table.from_pylist([row], schema=PROMOTIONS.schema))

    def rows(self, bundle: Bundle, version: int, sessions: Sequence[date]) -> list[dict[str, Any]]:
        """The bundle's forecasts of all symbols, as `predictions` holds them."""
        chances = bundle.forecast(np.zeros((1, 2), np.float32))[0].tolist()
        rows = []
        for session in sessions:
            as_of = session_close("XNYS", session)
            for symbol in self.symbols:
                key = (bundle.hash, symbol, 1, as_of, 7)
                rows.append(
                    dict(zip(PREDICTIONS.key, key, strict=True))
                    | dict(zip(("p_down", "p_neutral", "p_up"), chances, strict=True))
                    | {"prediction_id": prediction_id(*key), "model_version": version}
                    | {"universe": self.universe, "symbol": symbol, "session": session}
                    | {"origin": "live", "issued_at": datetime.now(UTC)}
                )
        return rows

    def forecast(self, store: Store, bundle: Bundle, version: int, sessions: Sequence[date]) -> int:
        """Record the bundle's forecasts of the sessions."""
        rows = self.rows(bundle, version, sessions)
        return store.record(PREDICTIONS, pa.Table.from_pylist(rows, schema=PREDICTIONS.schema))

    def crown(self, store: Store, chances: Sequence[float], version: int) -> Bundle:
        """Save a bundle, let it forecast all sessions and promote it as `version`."""
        bundle = self.prior(chances)
        self.forecast(store, bundle, version, self.sessions)
        self.promote(store, self.champion(bundle, version))
        return bundle


@pytest.fixture
def market() -> Market:
    """The ledger's content, to be put where a test wants it."""
    return Market()
