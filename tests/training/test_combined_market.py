"""Ensembles, calibrations and dual confirmation on the simulated market: what docs/results.md
shows of them.

    pytest -s -m slow tests/training/test_combined_market.py
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from uuid import uuid4

import numpy as np
import postgres as launcher
import pyarrow as pa
import pytest
import simulated

from contracts.cut import Cut
from contracts.settings import settings
from contracts.store import Store
from contracts.universe import universe
from features.matrix.matrix import materialise
from features.view import view
from training.bundle.inputs import beside, named
from training.calibration import CALIBRATIONS
from training.ensemble import ENSEMBLES
from training.evidence.evidence import CONFIDENCE, SHARES, Evidence, gather
from training.evidence.intervals import estimate
from training.evidence.walk import Learner, Walk, walk, walk_calibrated, walk_together
from training.evidence.walk import tested as rows_of
from training.experts.gate import Joined
from training.forecast import Floats
from training.gate import GATES, Heard
from training.gates.dual import CONFIDENCE as STRENGTHS
from training.gates.dual import TABLE
from training.part import parts_of
from training.recipe import Recipe, recipe
from training.run.scope import Scope, text_model_today
from training.samples.folds import Fold
from training.samples.samples import Samples
from training.steps.fit import expert_of
from training.text import named as texts

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

# Small networks, as the demo's: what combining does to answers is asked, not who is best.
_LSTM, _TRANSFORMER = {"window": 5}, {"window": 5, "width": 8, "batch": 1024, "epochs": 6}
_FIXED = {"lstm": _LSTM, "transformer": _TRANSFORMER}
EXPERTS = ("logistic", "lstm", "transformer", "xgboost")
RECIPES = {
    name: replace(recipe(of), experts=EXPERTS, fixed=_FIXED, permutations=0)
    for name, of in (("trend_1", "demo"), ("trend_5", "demo_trend_5"))
}
SHOWN = ("accuracy", "log_loss", "direction_loss", "ece")
UNCALIBRATED = ("soft", "logistic")
DAYS = 5


@dataclass(frozen=True)
class Market:
    """The demo's market, its texts scored, and what learns from it."""

    store: Store
    cut: Cut

    def scope(self, chosen: Recipe) -> Scope:
        """A run of the recipe at the newest session."""
        model = text_model_today(self.store, view(chosen.view))
        return Scope(self.cut, chosen, settings().contest_sessions, model)


@pytest.fixture(scope="module")
def market(
    postgres_url: str, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Market]:
    with pytest.MonkeyPatch.context() as patch:
        name = f"test_{uuid4().hex}"
        launcher.create_database(postgres_url, name, template)
        url = postgres_url.rsplit("/", 1)[0] + f"/{name}"
        patch.setenv("FINPULSE_HOME", str(tmp_path_factory.mktemp("home")))
        patch.setenv("FINPULSE_DATABASE_URL", url)
        patch.setenv("FINPULSE_TEXT_MODEL", "minilm")
        settings.cache_clear()
        store = Store(url)
        cut, scorer = simulated.load_facts(store), texts.model("minilm", None)
        simulated.score_texts(store, cut, scorer)
        for one in ("daily_3", "daily_4", "daily_5"):
            materialise(store, cut, view(one), text_model_today(store, view(one)))
        yield Market(store, Cut.at(universe(), cut.last, cut.snapshot))
        launcher.drop_database(postgres_url, name)


@dataclass(frozen=True)
class Walked:
    """What each expert of a recipe said of its folds' test rows."""

    scope: Scope
    samples: Samples
    folds: list[Fold]
    experts: Mapping[str, Walk]

    @property
    def test(self) -> Samples:
        return self.samples.take(rows_of(self.folds))


def walked(market: Market, chosen: Recipe) -> Walked:
    scope = market.scope(chosen)
    samples = scope.training(market.store)
    folds = chosen.cut.split(samples)
    learners = {n: Learner(expert_of(scope, n), scope.objective) for n in chosen.experts}
    return Walked(scope, samples, folds, {n: walk(x, samples, folds) for n, x in learners.items()})


@pytest.fixture(scope="module")
def trends(market: Market) -> Mapping[str, Walked]:
    return {name: walked(market, chosen) for name, chosen in RECIPES.items()}


def evidence_of(found: Walked) -> Mapping[str, Evidence]:
    """The experts', all ensembles' of them, and all calibrations' of two."""
    said = [one.forecasts for one in found.experts.values()]
    walks = dict(found.experts)
    for member in ENSEMBLES:
        walks[member.name] = walk_together(member(), said, found.samples, found.folds)
    for before in UNCALIBRATED:
        for way in CALIBRATIONS:
            mended = walk_calibrated(way(), walks[before], found.samples, found.folds)
            walks[f"{before}, {way.name}"] = mended
    return gather(walks, found.samples, found.folds, found.scope.overlap)


def show(target: str, found: Mapping[str, Evidence]) -> None:
    for forecaster, values in found["threshold"].scores.items():
        told = (f"{values[m].value:.4f} [{values[m].low:.4f}, {values[m].high:.4f}]" for m in SHOWN)
        print(f"| {target} | {forecaster} |", " | ".join(told), "|")
    for share, row in found["threshold"].coverage.items():
        right = row["accuracy"]
        ends = f"{right.value:.3f} [{right.low:.3f}, {right.high:.3f}]"
        print(f"| {target} | {share} | {row[CONFIDENCE].value:.3f} | {ends} |")


def test_no_way_of_combining_or_calibrating_does_harm(trends: Mapping[str, Walked]) -> None:
    for target, one in trends.items():
        found = evidence_of(one)
        show(target, found)
        worst = max(found[n].own["log_loss"].value for n in EXPERTS)
        for member in ENSEMBLES:
            assert found[member.name].own["log_loss"].value < worst + 0.01, member.name
        for before in UNCALIBRATED:
            for way in CALIBRATIONS:
                mended = found[f"{before}, {way.name}"].own
                assert mended["log_loss"].value < found[before].own["log_loss"].value + 0.01
                assert mended["ece"].value < found[before].own["ece"].value + 0.02


def test_who_answers_less_is_right_more_often(trends: Mapping[str, Walked]) -> None:
    for one in trends.values():
        curve = evidence_of(one)["threshold"].coverage
        assert list(curve) == [f"{share:.0%}" for share in SHARES]
        least = [row[CONFIDENCE].value for row in curve.values()]
        assert least == sorted(least, reverse=True), "the surest are asked first"
        right = {share: row["accuracy"].value for share, row in curve.items()}
        assert right["20%"] > right["50%"] > right["100%"]


@dataclass(frozen=True)
class Asked:
    """A signal's rows with what parts said of them out of sample, and its folds."""

    scope: Scope
    samples: Samples

    @property
    def folds(self) -> list[Fold]:
        return self.scope.recipe.cut.split(self.samples)


@pytest.fixture(scope="module")
def confirmed(market: Market, trends: Mapping[str, Walked]) -> Asked:
    volatility = walked(market, replace(recipe("demo_volatility"), experts=("har",), tuned=()))
    said = [(name, trends["trend_5"], name) for name in ("lstm", "transformer")]
    whole: pa.Table | None = None
    for name, one, who in [*said, ("volatility", volatility, "har")]:
        moments = pa.array(one.test.as_of).cast(pa.timestamp("us", "UTC"))
        key = pa.table({"instrument_id": one.test.instruments.tolist(), "as_of": moments})
        columns, answers = one.scope.objective.columns, one.experts[who].forecasts.values
        part = named(key, name, columns, answers)
        whole = part if whole is None else beside(whole, part, "inner")
    scope = market.scope(recipe("signal_dual"))
    return Asked(scope, scope.training(market.store, whole))


def pairs(samples: Samples) -> Iterator[tuple[str, int, int, float, str]]:
    """By pair of classes and how many are sure: rows, score, and the return that came after."""
    said = Heard.of(parts_of(samples.features), samples.values)
    score = GATES.get("dual")().combine({}, said).score
    first, second = said.answers[0], said.answers[1]
    sure = (first.max(axis=1) >= 0.5).astype(int) + (second.max(axis=1) >= 0.5)
    words = ("down", "neutral", "up")
    for (a, b), points in TABLE.items():
        for count, strength in enumerate(STRENGTHS):
            rows = (first.argmax(axis=1) == a) & (second.argmax(axis=1) == b) & (sure == count)
            assert np.allclose(score[rows], points * strength)
            name = f"{words[a]}, {words[b]}"
            yield name, count, int(rows.sum()), points * strength, mean_return(samples, rows)


def mean_return(samples: Samples, rows: Floats) -> str:
    """Basis points of the five sessions after, with its interval over sessions."""
    days, place = np.unique(samples.sessions[rows], return_inverse=True)
    if len(days) < 4 * DAYS:
        return "too few sessions"
    sums, counts = np.bincount(place, samples.truth[rows]), np.bincount(place)
    point = sums.sum() / counts.sum()
    left = (sums.sum() - sums) / (counts.sum() - counts)
    low, high = estimate(point, left, DAYS).interval()
    return f"{1e4 * point:+.1f} [{1e4 * low:+.1f}, {1e4 * high:+.1f}]"


def test_dual_confirmation_of_lstm_and_transformer(confirmed: Asked) -> None:
    samples, folds, objective = confirmed.samples, confirmed.folds, confirmed.scope.objective
    rows = list(pairs(samples))
    for name, count, n, score, came in rows:
        print(f"| {name} | {count} | {n} | {score:+.1f} | {came} |")
    assert len(rows) == 27 and sum(n for _, _, n, _, _ in rows) == len(samples)
    modes = ("dual", "rules", "weighted", "softmax", "meta")
    walks = {m: walk(Learner(Joined(m), objective), samples, folds) for m in modes}
    found = gather(walks, samples, folds, DAYS)
    for mode, each in found["dual"].scores.items():
        told = (f"{v.value:+.2f} [{v.low:+.2f}, {v.high:+.2f}]" for v in each.values())
        print(f"| {mode} |", " | ".join(told), "|")
    # Whom nobody confirms holds nothing: at worst it costs what trading costs.
    assert found["dual"].own["turnover"].value <= 0.4
    assert found["dual"].own["utility_loss"].value < 5.0
