"""How often drift alarms on a market that does not drift, and on one that does."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from stationary import stationary_minutes, stationary_panel
from stationary_texts import meanings

from features.engine import evaluate
from features.feature import EDITION, Feature, find
from features.panel.panel import Panel
from features.view import FeatureView, views
from monitoring.drift_test import DRIFT_TESTS, DriftTest
from monitoring.feature_drift import FALSE_ALARMS, threshold

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

LENGTH, STEP, YEAR = 40, 8, 252
RULES = Path(__file__).resolve().parents[2] / "helm/monitoring/rules/alerts.yml"
DAILY = [view for view in views() if view.interval == "1d"]
Matrix = np.ndarray  # (sessions, rows of a session)
Looks = np.ndarray  # (markets, tests, windows), a score in units of its limit
Columns = dict[Feature, Matrix]

EACH = [test for test in DRIFT_TESTS if not test.joint]


@dataclass(frozen=True)
class Watched:
    """How many markets, sessions learnt from and watched, and instruments."""

    seeds: int
    learnt: int
    watched: int
    instruments: int


DAYS = Watched(seeds=16, learnt=500, watched=YEAR + LENGTH, instruments=14)
MINUTES = Watched(seeds=12, learnt=160, watched=120, instruments=1)


def looks(test: DriftTest, values: Matrix, learnt: int, memory: int) -> Iterator[float]:
    """The score of each later window, in units of its limit."""
    before, days = values[:learnt], np.arange(learnt).astype("datetime64[D]")
    rows = np.repeat(days, values.shape[1])
    limit = threshold(test, before.ravel(), rows, LENGTH, memory)
    for start in range(learnt, len(values) - LENGTH + 1, STEP):
        yield test.score(before.ravel(), values[start : start + LENGTH].ravel()) / limit


def daily(seed: int, features: Iterable[Feature], shape: Watched) -> Columns:
    """The features (sessions, instruments) of a market that does not drift, once warm."""
    warm = max(feature.lookback for feature in features) + 20
    rows = warm + shape.learnt + shape.watched
    panel = stationary_panel(seed, shape.instruments, rows)
    whole = {
        feature: values.reshape(shape.instruments, rows)
        for feature, values in columns(panel, features).items()
    }
    return {f: np.ascontiguousarray(each[:, warm:].T) for f, each in whole.items()}


def columns(panel: Panel, features: Iterable[Feature]) -> dict[Feature, np.ndarray]:
    """The values (n,) of features of any edition: one edition's names are another's."""
    found: dict[Feature, np.ndarray] = {}
    for edition in sorted({feature.edition for feature in features}):
        some = [feature for feature in features if feature.edition == edition]
        values = evaluate(panel, some, threads=1)
        found |= {feature: values[feature.name] for feature in some}
    return found


def features_of(chosen: Iterable[FeatureView]) -> list[Feature]:
    """The features that any of the views has, each once, by name and edition."""
    found = {(member.name, member.edition): member for view in chosen for member in view.members}
    return [found[key] for key in sorted(found)]


def scored(
    features: Iterable[Feature], values: Columns, learnt: int, memory: int | None = None
) -> dict[Feature, list[list[float]]]:
    """The looks of each test at each feature; memory: its lookback, unless it is given."""
    found: dict[Feature, list[list[float]]] = {}
    for one in features:
        same = next((other for other in found if other.name == one.name), None)
        if same and np.array_equal(values[one], values[same], equal_nan=True):
            found[one] = found[same]
            continue
        held = one.lookback if memory is None else memory
        found[one] = [list(looks(test, values[one], learnt, held)) for test in EACH]
    return found


@pytest.fixture(scope="module")
def years() -> dict[Feature, Looks]:
    """Each feature of each view of days, a year of each market long."""
    features = features_of(DAILY)
    newest_first = sorted(features, key=lambda feature: -feature.edition)
    markets = [
        scored(newest_first, daily(seed, features, DAYS), DAYS.learnt)
        for seed in range(1, DAYS.seeds + 1)
    ]
    return {feature: np.array([market[feature] for market in markets]) for feature in features}


def too_often(found: dict[Feature, Looks]) -> dict[str, float]:
    """The (test, feature)s whose rate is surely not the one stated, and that of all.

    Windows overlap, so that a year holds about six: rates are judged as of so many.
    """
    wrong = {}
    for feature, each in found.items():
        name = feature.name if feature.edition == EDITION else f"{feature.name} of before"
        alone = each.shape[0] * max(1, each.shape[2] * STEP // LENGTH)
        most = FALSE_ALARMS + 1.645 * np.sqrt(FALSE_ALARMS * (1 - FALSE_ALARMS) / alone)
        for test, rate in zip(
            [each.name for each in EACH], (each > 1).mean(axis=(0, 2)), strict=True
        ):
            print(f"{test:4} {name:32} {rate:7.2%}")
            if rate > most:
                wrong[f"{test} {name}"] = float(rate)
    overall = float(np.mean([each > 1 for each in found.values()]))
    print(f"all {overall:.2%}")
    return wrong | ({"all": overall} if overall > FALSE_ALARMS else {})


def test_each_feature_of_each_daily_view_keeps_the_stated_rate(years: dict[Feature, Looks]) -> None:
    assert too_often(years) == {}


def test_each_feature_of_each_view_of_minutes_keeps_the_stated_rate() -> None:
    chosen = [view for view in views() if view.interval == "1m"]
    assert chosen
    features = features_of(chosen)
    sessions = MINUTES.learnt + MINUTES.watched
    markets = []
    for seed in range(1, MINUTES.seeds + 1):
        values = columns(stationary_minutes(seed, sessions), features)
        days = {feature: each.reshape(sessions, -1) for feature, each in values.items()}
        markets.append(scored(features, days, MINUTES.learnt, memory=0))
    assert too_often({f: np.array([market[f] for market in markets]) for f in features}) == {}


def limits() -> tuple[float, float]:
    """The share of features and the multiple of a threshold at which the alerts hold."""
    rules = RULES.read_text()
    share = re.search(r"drifted_features:ratio > ([\d.]+)", rules)
    times = re.search(r"finpulse_drift_threshold\) > ([\d.]+)", rules)
    assert share and times
    return float(share[1]), float(times[1])


@pytest.mark.parametrize("view", DAILY, ids=lambda view: str(view.name))
def test_the_alerts_hold_at_most_once_a_year(
    years: dict[Feature, Looks], view: FeatureView
) -> None:
    share, times = limits()
    each = np.array([years[member] for member in view.members]).max(axis=2)
    holds = ((each > 1).mean(axis=0) > share) | (each > times).any(axis=0)
    begins = holds & ~np.hstack([np.zeros((len(holds), 1), bool), holds[:, :-1]])
    a_year = begins.sum(axis=1).mean() * YEAR / (holds.shape[1] * STEP)
    print(view.name, f"{a_year:.2f} times a year, in {holds.mean():.2%} of the windows")
    assert a_year <= 1.0


@pytest.mark.parametrize("name", ["return_1", "momentum_5", "volatility_20", "news_sentiment_1"])
def test_a_shift_is_found_before_the_window_is_full_of_it(name: str) -> None:
    shape = Watched(seeds=6, learnt=500, watched=2 * LENGTH, instruments=14)
    feature, late = find(name), []
    for seed in range(1, shape.seeds + 1):
        values = daily(seed, [feature], shape)[feature]
        before = values[: shape.learnt]
        rows = np.repeat(np.arange(shape.learnt).astype("datetime64[D]"), shape.instruments)
        values[-LENGTH:] += 1.5 * before.std()
        late.append(min(delay(test, values, rows, feature.lookback) for test in EACH))
    print(name, "found after", sorted(late), "sessions")
    assert np.median(late) < LENGTH


def delay(test: DriftTest, values: Matrix, rows: np.ndarray, memory: int) -> int:
    """After how many sessions with the shift, which the last LENGTH have, the test alarms."""
    learnt = values[: len(rows) // values.shape[1]].ravel()
    limit = threshold(test, learnt, rows, LENGTH, memory)
    for seen in range(1, LENGTH + 1):
        end = len(values) - LENGTH + seen
        if test.score(learnt, values[end - LENGTH : end].ravel()) > limit:
            return seen
    return 2 * LENGTH


# The sessions that a year of texts is held against, and the one in which a topic comes up.
TOLD = Watched(seeds=24, learnt=500, watched=YEAR + LENGTH, instruments=1)
MEANT = DRIFT_TESTS.get("mmd")


def meant(seed: int) -> tuple[np.ndarray, float]:
    """What texts mean (sessions, width) where nothing new comes up, and the limit learnt of it."""
    values = meanings(seed, TOLD.learnt + TOLD.watched)
    days = np.arange(TOLD.learnt).astype("datetime64[D]")
    return values, threshold(MEANT, values[: TOLD.learnt], days, LENGTH, 0)


def far(values: np.ndarray, end: int) -> float:
    """How far the LENGTH sessions before `end` are from those learnt from."""
    return MEANT.score(values[: TOLD.learnt], values[end - LENGTH : end])


def test_what_texts_mean_alarms_no_more_often_than_stated_and_finds_a_topic() -> None:
    alarms, late = [], []
    for seed in range(TOLD.seeds):
        values, limit = meant(seed)
        ends = range(TOLD.learnt + LENGTH, len(values) + 1, STEP)
        alarms.append([far(values, end) > limit for end in ends])
        # A story that half of all headlines are about from then on.
        begins = len(values) - LENGTH
        topic = np.random.default_rng(1_000 + seed).normal(size=values.shape[1])
        values[begins:] = 0.5 * (values[begins:] + topic)
        seen = (n for n in range(5, LENGTH + 1, 5) if far(values, begins + n) > limit)
        late.append(next(seen, 2 * LENGTH))
    rate, alone = np.mean(alarms), TOLD.seeds * (len(alarms[0]) * STEP // LENGTH)
    most = FALSE_ALARMS + 1.645 * np.sqrt(FALSE_ALARMS * (1 - FALSE_ALARMS) / alone)
    print(f"mmd  meaning {rate:.2%} (at most {most:.2%}), a topic is found after", sorted(late))
    assert rate <= most
    assert np.max(late) <= LENGTH and np.median(late) < LENGTH
