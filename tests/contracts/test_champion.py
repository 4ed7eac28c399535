"""The ledger says who is champion."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from contracts import champion
from contracts.store import Store
from contracts.tables import PROMOTIONS

pytestmark = pytest.mark.integration
SIM20 = champion.Office("sim20", "trend_1")
START = datetime(2025, 1, 1, tzinfo=UTC)


def decide(store: Store, day: float, decision: str, bundle: str, target: str = "trend_1") -> None:
    row = {"promotion_id": f"p{target}{day}", "universe": "sim20", "target": target}
    row |= {"decision": decision, "cause": "person", "bundle": bundle}
    row |= {"model_name": champion.model_name(SIM20), "model_version": int(day)}
    row |= {"previous_bundle": None, "actor": "test", "reason": "", "evidence": "{}"}
    row |= {"decided_at": START + timedelta(days=day)}
    store.record(PROMOTIONS, pa.Table.from_pylist([row], schema=PROMOTIONS.schema))


def test_the_newest_promotion_or_rollback_decides(store: Store) -> None:
    assert champion.champion(store, SIM20) is None
    decide(store, 1, champion.PROMOTED, "a")
    decide(store, 2, champion.PROMOTED, "b")
    decide(store, 3, champion.KEPT, "c")
    decide(store, 4, champion.REFUSED, "d")
    found = champion.champion(store, SIM20)
    assert found is not None and found.bundle == "b"
    decide(store, 5, champion.ROLLED_BACK, "a")
    assert [c.bundle for c in champion.reign(store, SIM20)] == ["a", "b", "a"]
    assert champion.champion(store, champion.Office("other", "trend_1")) is None


def test_the_row_written_last_decides_whatever_the_writers_clocks_say(store: Store) -> None:
    for day, bundle in ((9, "a"), (2, "b"), (5, "c")):
        decide(store, day, champion.PROMOTED, bundle)
    assert [c.bundle for c in champion.reign(store, SIM20)] == ["c", "b", "a"]
    decide(store, 1, champion.ROLLED_BACK, "b")
    found = champion.champion(store, SIM20)
    assert found is not None and found.bundle == "b"
