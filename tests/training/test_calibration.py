"""Calibrations: the suite that each passes, and answers of others to the same questions."""

import json

import numpy as np
import pytest
from answers import answers, truths
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression

from training.calibration import CALIBRATIONS, Calibration
from training.evidence.score import tally
from training.forecast import Classes, Floats
from training.objective import OBJECTIVES, Forecasts, Truth

NAMES = CALIBRATIONS.names()
HEAD = Classes(3)
TREND = OBJECTIVES.get("trend")


@pytest.fixture(params=NAMES)
def calibration(request: pytest.FixtureRequest) -> Calibration:
    return CALIBRATIONS.get(request.param)()


def overconfident(n: int, seed: int = 0, power: float = 3.0) -> tuple[Floats, Truth]:
    """Answers of somebody who knows something and says it to the power."""
    random = np.random.default_rng(seed)
    true = HEAD.from_scores(random.normal(size=(n, 3)))
    truth = (random.random(n)[:, None] > true.cumsum(axis=1)).sum(axis=1)
    return HEAD.from_scores(power * np.log(true)), np.minimum(truth, 2)


def kept(calibration: Calibration, said: Floats, truth: Truth) -> dict[str, object]:
    """Parameters are plain JSON: they are read back before they are used."""
    found: dict[str, object] = json.loads(json.dumps(calibration.fit(said, truth)))
    return found


def score(metric: str, said: Floats, truth: Truth) -> float:
    days = np.sort(np.arange(len(truth)) % 50).astype("datetime64[D]")
    return float(tally(Forecasts(TREND, said), truth, days).scores()[metric][0])


def test_the_calibrations_are_found() -> None:
    assert {"isotonic", "temperature", "venn_abers"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=20, deadline=None)
@given(n=st.integers(0, 400), seed=st.integers(0, 1000), sharp=st.floats(0.01, 50))
def test_what_is_mended_is_a_forecast(name: str, n: int, seed: int, sharp: float) -> None:
    calibration = CALIBRATIONS.get(name)()
    said = HEAD.from_scores(sharp * np.log(np.maximum(answers(HEAD, n, seed), 1e-300)))
    parameters = kept(calibration, said, truths(HEAD, n, seed))
    extremes = np.concatenate([np.eye(3), answers(HEAD, 30, seed + 1)])
    mended = calibration.apply(parameters, extremes)
    HEAD.require(mended)
    assert (n < 200) == (parameters == {}), "of too few rows nothing is learnt"


def test_who_says_too_much_is_brought_back(calibration: Calibration) -> None:
    said, truth = overconfident(4000)
    asked, came = overconfident(4000, seed=1)
    mended = calibration.apply(kept(calibration, said, truth), asked)
    before, after = score("ece", asked, came), score("ece", mended, came)
    assert before > 0.1 and after < 0.03
    assert score("log_loss", mended, came) < score("log_loss", asked, came) - 0.1


def test_who_is_right_is_left_alone(calibration: Calibration) -> None:
    said, truth = overconfident(6000, power=1.0)
    asked, came = overconfident(6000, seed=1, power=1.0)
    mended = calibration.apply(kept(calibration, said, truth), asked)
    assert score("ece", mended, came) < 0.03
    assert score("log_loss", mended, came) < score("log_loss", asked, came) + 0.01


def test_a_class_that_never_came_keeps_a_chance(calibration: Calibration) -> None:
    said, truth = overconfident(1000)
    mended = calibration.apply(kept(calibration, said, np.where(truth == 1, 2, truth)), said)
    assert (mended > 0).all()
    # A temperature makes nobody less likely than the others do.
    assert calibration.name == "temperature" or mended[:, 1].mean() < 0.02


def test_the_temperature_is_the_one_that_was_planted() -> None:
    said, truth = overconfident(40_000, power=2.5)
    assert CALIBRATIONS.get("temperature")().fit(said, truth)["power"] == pytest.approx(
        1 / 2.5, rel=0.03
    )
    grid = np.linspace(0.38, 0.42, 401)
    logs = np.log(said)
    raised = (logs * p - np.log(np.exp(logs * p).sum(axis=1, keepdims=True)) for p in grid)
    losses = [-each[np.arange(len(truth)), truth].mean() for each in raised]
    found = CALIBRATIONS.get("temperature")().fit(said, truth)["power"]
    assert found == pytest.approx(grid[int(np.argmin(losses))], abs=2e-4)


def test_isotonic_is_the_regression_of_each_class() -> None:
    said, truth = overconfident(800)
    asked, _ = overconfident(300, seed=2)
    isotonic = CALIBRATIONS.get("isotonic")()
    lines = [
        IsotonicRegression(y_min=1 / 802, y_max=1 - 1 / 802, out_of_bounds="clip")
        .fit(said[:, k], truth == k)
        .predict(asked[:, k])
        for k in range(3)
    ]
    wanted = np.stack(lines, axis=1)
    found = isotonic.apply(isotonic.fit(said, truth), asked)
    assert found == pytest.approx(wanted / wanted.sum(axis=1, keepdims=True), abs=1e-12)


def test_venn_abers_is_what_its_definition_says() -> None:
    said, truth = overconfident(300)
    said = np.round(said, 2)  # many rows say the same
    asked = np.round(overconfident(40, seed=2)[0], 3)  # and many asked lie between
    steps = np.concatenate([asked, said[:20], np.eye(3)])
    wanted = np.empty_like(steps)
    for k in range(3):
        for i, score_ in enumerate(steps[:, k]):
            low, high = (
                IsotonicRegression()
                .fit([*said[:, k], score_], [*(truth == k), label])
                .predict([score_])[0]
                for label in (0.0, 1.0)
            )
            wanted[i, k] = high / (1 - low + high)
    venn = CALIBRATIONS.get("venn_abers")()
    found = venn.apply(venn.fit(said, truth), steps)
    assert found == pytest.approx(wanted / wanted.sum(axis=1, keepdims=True), abs=1e-12)


def test_venn_abers_agrees_with_the_library_of_its_authors_algorithm() -> None:
    from mapie._venn_abers import VennAbers

    said, truth = overconfident(500)
    asked, _ = overconfident(100, seed=2)
    wanted = np.empty_like(asked)
    for k in range(3):
        library = VennAbers()
        pair = np.column_stack([1 - said[:, k], said[:, k]])
        with np.errstate(all="ignore"):
            library.fit(pair, (truth == k).astype(float), precision=3)
            told, _ = library.predict_proba(np.round([1 - asked[:, k], asked[:, k]], 3).T)
        wanted[:, k] = told[:, 1]
    venn = CALIBRATIONS.get("venn_abers")()
    found = venn.apply(venn.fit(said, truth), asked)
    assert found == pytest.approx(wanted / wanted.sum(axis=1, keepdims=True), abs=1e-6)
