"""The conformance suite: every discovered expert passes all of it."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from training import bundle
from training.bundle import Manifest
from training.expert import EXPERTS, Expert
from training.samples import Samples, TrainingError

NAMES = EXPERTS.names()


@pytest.fixture(params=NAMES)
def expert(request: pytest.FixtureRequest) -> Expert[Any]:
    return EXPERTS.get(request.param)()


def manifest(expert: Expert[Any], samples: Samples) -> Manifest:
    return Manifest(
        expert=expert.name,
        objective=expert.objective,
        hyperparameters=expert.hyperparameters(),
        view="made_up",
        view_hash="0" * 64,
        features=samples.features,
        label="made_up",
        horizon=1,
        universe="sim",
        calendar="XNYS",
        as_of=datetime(2025, 6, 30, 20, tzinfo=UTC),
        snapshot=3,
        git_commit="unknown",
        libraries={},
        files={},
    )


def test_both_experts_of_the_thin_thread_are_found() -> None:
    assert {"class_prior", "xgboost"} <= set(NAMES)


def test_probabilities_of_any_rows(expert: Expert[Any], samples: Samples) -> None:
    fitted = expert.fit(samples)
    odd = np.array([[np.nan] * 3, [np.inf, 0, 0], [1e30, -1e30, 0]], dtype=np.float32)
    for values in (samples.values, odd[:1], odd[2:], samples.values[:0]):
        forecasts = expert.predict(fitted, values)
        assert forecasts.probabilities.shape == (len(values), 3)
        assert forecasts.probabilities.sum(axis=1) == pytest.approx(1, abs=1e-9)


def test_equal_samples_give_equal_files(expert: Expert[Any], samples: Samples) -> None:
    assert expert.export(expert.fit(samples)) == expert.export(expert.fit(samples))


def test_the_bundle_answers_as_the_expert_does(expert: Expert[Any], samples: Samples) -> None:
    fitted = expert.fit(samples)
    inputs = bundle.golden_rows(samples.values)
    saved = bundle.save(manifest(expert, samples), expert.export(fitted), inputs)
    loaded = bundle.load(saved.hash)
    expected = expert.predict(fitted, samples.values).probabilities
    assert np.abs(loaded.forecast(samples.values) - expected).max() < 1e-6


def test_features_of_nulls_only_can_be_learnt_from(expert: Expert[Any], samples: Samples) -> None:
    empty = replace(samples, values=np.full_like(samples.values, np.nan))
    assert len(expert.predict(expert.fit(empty), empty.values)) == len(empty)


def test_rows_that_teach_nothing_are_refused(expert: Expert[Any], samples: Samples) -> None:
    with pytest.raises(TrainingError, match="at least 100 settled rows"):
        expert.fit(samples.take(np.arange(99)))
    with pytest.raises(TrainingError, match="at least two classes"):
        expert.fit(samples.relabelled(np.zeros(len(samples), np.int64)))


def test_a_class_that_never_came_is_no_obstacle(expert: Expert[Any], samples: Samples) -> None:
    two = samples.relabelled(np.where(samples.labels == 1, 2, samples.labels))
    assert expert.predict(expert.fit(two), two.values).probabilities.shape == (len(two), 3)


def test_draws_from_the_space_are_hyperparameters(expert: Expert[Any]) -> None:
    random = np.random.default_rng(0)
    for _ in range(20):
        drawn = {name: span.draw(random) for name, span in expert.space().items()}
        assert type(expert)(**drawn).hyperparameters().items() >= drawn.items()
        assert all(expert.space()[n].low <= v <= expert.space()[n].high for n, v in drawn.items())


def test_an_expert_learns_only_from_the_past_it_is_given(samples: Samples) -> None:
    trees = EXPERTS.get("xgboost")()
    learnt = trees.predict(trees.fit(samples.take(np.arange(900))), samples.values[900:])
    majority = np.bincount(samples.labels[900:]).max() / 300
    assert (learnt.labels == samples.labels[900:]).mean() > majority + 0.05
