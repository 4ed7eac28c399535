"""Guards against leaks, on rows and models where the answer is plain."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from training.bundle.checks import Leak, require_same_units
from training.evidence.guards import require_blind, require_horizon, require_purged, require_unread
from training.expert import EXPERTS
from training.forecast import Floats, Head
from training.leaklab.market import HORIZON, Lab
from training.objective import OBJECTIVES
from training.samples.folds import Fold, WalkForward
from training.samples.samples import Samples, from_matrix

CUT = WalkForward(count=3)


@pytest.fixture(scope="module")
def samples() -> Samples:
    return from_matrix(Lab().matrix)


def test_folds_of_the_splitter_are_purged(samples: Samples) -> None:
    for fold in CUT.split(samples):
        require_purged(samples, fold)


def test_one_label_too_new_is_seen(samples: Samples) -> None:
    fold = CUT.split(samples)[-1]
    newest = int(fold.train[-1])
    settled = samples.settled_at.copy()
    settled[newest] = samples.as_of[fold.test].min() + np.timedelta64(1, "us")
    with pytest.raises(Leak, match="the truth of 1 training rows"):
        require_purged(replace(samples, settled_at=settled), fold)


def test_training_rows_after_the_test_are_seen(samples: Samples) -> None:
    fold = CUT.split(samples)[0]
    after = np.arange(int(fold.test[-1]) + 1, len(samples))
    with pytest.raises(Leak, match="decided after the test began"):
        require_purged(samples, Fold(np.concatenate([fold.train, after]), fold.test))


def test_labels_answer_for_their_horizon_and_no_longer_one(samples: Samples) -> None:
    for horizon in range(1, HORIZON + 1):
        require_horizon(samples, horizon)
    with pytest.raises(Leak, match=f"fewer than {HORIZON + 1} sessions"):
        require_horizon(samples, HORIZON + 1)


def test_a_delisting_and_a_missing_row_are_no_shorter_horizon(samples: Samples) -> None:
    one = samples.instruments == "SIM002"
    gone = one & (samples.sessions > samples.sessions[600])
    settled = np.where(one, np.minimum(samples.settled_at, samples.as_of[600]), samples.settled_at)
    require_horizon(replace(samples, settled_at=settled).take(~gone), HORIZON)
    missing = one & (samples.sessions == samples.sessions[300])
    require_horizon(samples.take(~missing), HORIZON)


def test_an_encoder_may_speak_only_of_what_came_after_what_taught_it(samples: Samples) -> None:
    began = samples.as_of.min().item().replace(tzinfo=UTC)
    require_unread(None, samples)
    require_unread(began - timedelta(microseconds=1), samples)
    with pytest.raises(Leak, match="is no forecast; name one that learnt"):
        require_unread(began, samples)
    require_unread(datetime(2999, 1, 1, tzinfo=UTC), samples.take(np.zeros(len(samples), bool)))


@pytest.mark.parametrize("factor", [100.0, 0.01])
def test_another_unit_is_seen_and_a_wilder_market_is_not(factor: float) -> None:
    draw = np.random.default_rng(3)
    then = draw.normal(0, 0.01, (500, 2)).astype(np.float32)
    now = draw.normal(0, 0.05, (300, 2)).astype(np.float32)
    now[:40] = np.nan
    require_same_units(then, now, ("a", "b"))
    now[:, 1] = then[:300, 1] * np.float32(factor)
    with pytest.raises(Leak, match=r"^b is "):
        require_same_units(then, now, ("a", "b"))
    # What is hardly ever anything but null or 0 has no magnitude.
    now[19:, 1] = 0.0
    require_same_units(then, now, ("a", "b"))


PAIRS = [
    (member.name, objective.name)
    for member in EXPERTS
    for objective in OBJECTIVES
    if isinstance(objective.head, member.heads)
]


@pytest.mark.parametrize(("name", "of"), PAIRS)
def test_every_expert_is_blind_to_its_examination(
    name: str, of: str, tell: Callable[[pa.Table, Head], pa.Table]
) -> None:
    few: dict[str, dict[str, Any]] = {
        "lstm": {"epochs": 1},
        "transformer": {"epochs": 1},
        **{tree: {"rounds": 20} for tree in ("barrier_trees", "quantile_trees", "xgboost")},
        "bilstm": {"window": 4, "first": 4, "second": 2, "attention": 2, "dense": 4, "epochs": 1},
    }
    expert: Any = EXPERTS.get(name)(**few.get(name, {}))
    head = OBJECTIVES.get(of).head

    def pipeline(samples: Samples, fold: Fold) -> Floats:
        fitted = expert.fit(samples.take(fold.train), head)
        found: Floats = expert.forecast(fitted, samples.take(fold.test))
        return found

    require_blind(pipeline, tell(Lab().matrix, head), CUT)
