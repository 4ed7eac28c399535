"""The conformance suite of gates, their worked examples, and markets with a planted regime."""

import json
from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.optimize import check_grad

from training.experts.gate import SHRINKAGE
from training.forecast import Classes, Quantiles, Value
from training.gate import GATES, Heard, Sizing, entropy, normalised, require_whole, score, shares
from training.gates.dual import CONFIDENCE, TABLE
from training.gates.softmax import loss_of
from training.objective import OBJECTIVES
from training.part import GateError, Part, leans, parts_of

NAMES = GATES.names()
TREND = OBJECTIVES.get("trend")
COLUMNS = (*(f"trend.{name}" for name in TREND.columns), "storm.volatility")
# Dual confirmation asks two forecasters of the same form.
TWO = (
    *(f"{part}.{name}" for part in ("lstm", "transformer") for name in TREND.columns),
    "storm.volatility",
)


def columns(name: str) -> tuple[str, ...]:
    return TWO if name == "dual" else COLUMNS


def heard(name: str, n: int, seed: int = 0, missing: float = 0.0, state: int = 3) -> Heard:
    """Made-up answers; of each part a share is missing."""
    random = np.random.default_rng(seed)
    parts = parts_of(columns(name))
    inputs = np.zeros((n, len(columns(name))))
    for part in parts:
        said = part.head.from_scores(random.normal(size=(n, part.head.width)))
        said[random.random(n) < missing] = np.nan
        inputs[:, list(part.places)] = said
    parts = tuple(part.learnt(inputs) for part in parts)
    return Heard.of(parts, inputs, random.normal(size=(n, state)))


def test_the_gates_are_found() -> None:
    assert set(NAMES) >= {"dual", "meta", "rules", "softmax", "weighted"}


@pytest.mark.parametrize("name", NAMES)
@given(n=st.integers(0, 40), seed=st.integers(0, 1000), missing=st.sampled_from([0.0, 0.4, 1.0]))
def test_a_verdict_is_within_its_bounds(name: str, n: int, seed: int, missing: float) -> None:
    gate, known = GATES.get(name)(), heard(name, n, seed, missing)
    came = np.random.default_rng(seed + 1).normal(size=n)
    # Parameters are plain JSON: they are read back before they are used.
    parameters = json.loads(json.dumps(dict(gate.fit(known, came))))
    asked = heard(name, 30, seed + 2, missing)
    for share in SHRINKAGE if gate.learns else (1.0,):
        found = gate.combine({**parameters, "shrinkage": share}, asked)
        assert found.score.shape == (30,) and (np.abs(found.score) <= 1 + 1e-12).all()
        assert found.weights.shape == (30, len(asked.parts)) and len(found.reasons) == 30
        # Only a regression may contradict a part, and lose weight where that meets the equal ones.
        whole, sizes = found.weights.sum(axis=1), np.abs(found.weights).sum(axis=1)
        assert (sizes <= 1 + 1e-12).all()
        assert name == "meta" or ((np.abs(whole - 1) < 1e-6) | (sizes == 0)).all()
        assert name == "meta" or (found.weights >= 0).all()
        assert (found.weights[~asked.present] == 0).all(), "who is missing weighs nothing"
        nobody = ~asked.present.any(axis=1)
        assert found.abstains[nobody].all()
        assert all(found.reasons[i] for i in np.flatnonzero(found.abstains)), "with a reason"


@pytest.mark.parametrize("name", NAMES)
def test_a_row_does_not_hang_on_the_others(name: str) -> None:
    gate, known = GATES.get(name)(), heard(name, 200, missing=0.2)
    parameters = gate.fit(known, np.random.default_rng(5).normal(size=200))
    whole = gate.combine(parameters, known)
    for row in (0, 7, 199):
        alone = gate.combine(parameters, known.take(np.array([row])))
        assert alone.score[0] == pytest.approx(whole.score[row], abs=1e-12)
        assert alone.reasons[0] == whole.reasons[row]


@pytest.mark.parametrize("name", [n for n in NAMES if GATES.get(n).learns])
def test_shrunk_to_the_end_a_gate_weighs_alike(name: str) -> None:
    gate, known = GATES.get(name)(), heard(name, 300, missing=0.1)
    learnt = gate.fit(known, np.random.default_rng(5).normal(size=300))
    found = gate.combine({**learnt, "shrinkage": 1.0}, known)
    wanted = GATES.get("weighted")().combine(GATES.get("weighted")().fit(known, known.calm), known)
    assert found.score == pytest.approx(wanted.score) and found.weights == pytest.approx(
        wanted.weights
    )


# The worked example


def test_the_worked_example() -> None:
    said, weights = np.array([0.7, 0.5, -0.2]), np.array([0.4, 0.3, 0.2])
    assert score(weights, said) == pytest.approx(0.39)
    named = normalised({"trend": 0.4, "return": 0.3, "levels": 0.2})
    assert list(named.values()) == pytest.approx([4 / 9, 3 / 9, 2 / 9])
    assert score(np.array(list(named.values())), said) == pytest.approx(0.4333, abs=5e-5)
    assert require_whole(named) is None


def test_weights_that_do_not_sum_to_1_are_refused() -> None:
    for bad in ({"a": 0.4, "b": 0.3, "c": 0.2}, {"a": 1.5, "b": -0.5}, {"a": 0.999}):
        with pytest.raises(GateError, match="sum to 1, found a "):
            GATES.get("weighted")(weights=bad)
    fine = GATES.get("weighted")(weights={"trend": 0.7, "storm": 0.3})
    known = heard("weighted", 20)
    found = fine.combine(fine.fit(known, np.zeros(20)), known)
    assert found.score == pytest.approx(known.leans @ [0.7, 0.3])
    with pytest.raises(GateError, match="a weight for each of trend, storm, found trend"):
        GATES.get("weighted")(weights={"trend": 1.0}).fit(known, np.zeros(20))


def test_who_is_there_shares_the_weight_of_who_is_missing() -> None:
    present = np.array([[True, True, True], [True, False, True], [False, False, False]])
    found = shares(np.array([0.5, 0.3, 0.2]), present)
    assert found[0] == pytest.approx([0.5, 0.3, 0.2])
    assert found[1] == pytest.approx([5 / 7, 0, 2 / 7])
    assert (found[2] == 0).all()


def test_the_entropy_of_weights() -> None:
    assert entropy(np.array([[0.5, 0.5], [1.0, 0.0]])) == pytest.approx([np.log(2), 0.0])


# Which way an answer leans


def test_which_way_each_form_of_answer_leans() -> None:
    assert leans(Classes(3), np.array([[0.2, 0.3, 0.5]])) == pytest.approx([0.3])
    tanh = np.tanh(np.log(2.0))
    found = leans(Value("log", 2), np.array([[0.01], [0.02], [0.04]]), usual=0.02)
    assert found == pytest.approx([tanh, 0.0, -tanh]), "a storm leans to sell"


@given(seed=st.integers(0, 10**6), m=st.integers(2, 9))
def test_quantiles_lean_by_the_chance_of_a_gain(seed: int, m: int) -> None:
    random = np.random.default_rng(seed)
    levels = np.sort(random.uniform(0.01, 0.99, m))
    assume(np.diff(levels).min() > 1e-3)
    values = np.sort(random.normal(size=(20, m)), axis=1)
    wanted = [1 - 2 * np.interp(0.0, row, levels) for row in values]
    assert leans(Quantiles(tuple(levels)), values) == pytest.approx(wanted)


def test_classes_without_an_order_are_refused_unless_the_objective_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(GateError, match="let the objective say which way"):
        leans(Classes(4), np.full((1, 4), 0.25))
    part = Part("trend", "trend", (0, 1, 2))
    monkeypatch.setattr(type(TREND), "leans", lambda _, values: values[:, 0])
    assert part.leans(np.array([[0.2, 0.3, 0.5]])) == pytest.approx([0.2])


def test_levels_lean_to_the_one_that_is_likelier_touched_alone() -> None:
    names = tuple(f"levels.{column}" for column in OBJECTIVES.get("levels").columns)
    [part] = parts_of(names)
    known = Heard.of((part,), np.array([[0.2, 0.1, 0.4, 0.3], [0.2, 0.5, 0.1, 0.2]]))
    assert known.leans[:, 0] == pytest.approx([0.3, -0.4])
    assert known.calm == pytest.approx([1.0, 1.0]), "chances are no size"


def test_columns_of_nobody_are_refused() -> None:
    [first, second] = parts_of(("mood", *COLUMNS))
    assert (first.objective, first.places) == ("trend", (1, 2, 3))
    assert (second.objective, second.places) == ("volatility", (4,))
    with pytest.raises(GateError, match="expected x to answer as an objective does, found a, b"):
        parts_of(("x.a", "x.b"))


# How much is held


@given(
    scores=st.floats(-1, 1),
    one=st.floats(0.001, 1.0),
    other=st.floats(0.001, 1.0),
    boldness=st.floats(0, 50),
)
def test_a_size_falls_with_volatility(
    scores: float, one: float, other: float, boldness: float
) -> None:
    def held(volatility: float) -> float:
        part = Part("storm", "volatility", (0,), usual=0.02)
        calm = Heard.of((part,), np.array([[volatility]])).calm
        found = Sizing(boldness, 0.1).positions(np.array([scores]), calm, np.array([False]))
        return float(abs(found[0]))

    low, high = sorted((one, other))
    assert 0 <= held(high) <= held(low) <= 1


@given(centre=st.floats(-0.1, 0.1), one=st.floats(0.01, 1), other=st.floats(0.01, 1))
def test_a_size_falls_with_the_width_of_the_interval(
    centre: float, one: float, other: float
) -> None:
    class Wide(Part):
        @property
        def head(self) -> Quantiles:
            return Quantiles((0.05, 0.5, 0.95))

    def held(width: float) -> float:
        part = Wide("return", "none", (0, 1, 2), usual=0.1)
        said = np.array([[centre - width / 2, centre, centre + width / 2]])
        calm = Heard.of((part,), said).calm
        return float(Sizing(1.0).positions(np.array([0.5]), calm, np.array([False]))[0])

    low, high = sorted((one, other))
    assert 0 < held(high) <= held(low) <= 1


def test_nothing_is_held_within_the_threshold_and_on_abstention() -> None:
    scores, calm = np.array([0.05, -0.05, 0.5, 0.5]), np.ones(4)
    found = Sizing(10.0, 0.1).positions(scores, calm, np.array([False, False, True, False]))
    assert found == pytest.approx([0, 0, 0, 1])


# Rules and dual confirmation


def test_rules_are_gone_through_in_their_order() -> None:
    gate = GATES.get("rules")()
    up, torn = [0.1, 0.1, 0.8], [0.7, 0.1, 0.2]
    names = tuple(f"{p}.{n}" for p in ("one", "other") for n in TREND.columns)
    parts = parts_of((*names, "storm.volatility"))
    parts = (*parts[:2], Part("storm", "volatility", (6,), usual=0.01))
    nothing = [np.nan] * 3
    rows = [[*up, *up, 0.01], [*up, *torn, 0.01], [*up, *nothing, 0.01], [*up, *up, 0.03]]
    rows += [[*nothing, *nothing, 0.01]]
    found = gate.combine({}, Heard.of(parts, np.array(rows)))
    assert found.score[:3] == pytest.approx([0.7, 0.0, 0.7])
    assert found.abstains.tolist() == [False, False, False, True, True]
    storm = "the forecast volatility is more than 2 times the usual"
    wanted = ["", "the parts contradict each other", "", storm, "no part says which way"]
    assert found.reasons == wanted


def chances(named: int, sure: bool) -> list[float]:
    found = [0.2, 0.2, 0.2] if sure else [0.3, 0.3, 0.3]
    found[named] = 1 - sum(found) + found[named]
    return found


def test_dual_confirmation_holds_all_nine_pairs() -> None:
    gate = GATES.get("dual")()
    pairs = list(product(range(3), range(3), (True, False), (True, False)))
    inputs = np.array([[*chances(a, x), *chances(b, y), 0.01] for a, b, x, y in pairs])
    known = Heard.of(parts_of(TWO), inputs)
    found = gate.combine(gate.fit(known, np.zeros(36)), known)
    assert len(TABLE) == 9
    for place, (a, b, x, y) in enumerate(pairs):
        way = {(2, 2): 1.0, (0, 0): -1.0}.get((a, b), 0.0)
        assert found.score[place] == way * {0: 0.0, 1: 0.5, 2: 1.0}[x + y], (a, b, x, y)
        assert not found.abstains[place]
    assert CONFIDENCE == (0.0, 0.5, 1.0)
    assert found.reasons[pairs.index((2, 0, True, True))] == "lstm says up, transformer says down"
    inputs[0, 3:6] = np.nan
    alone = gate.combine({}, Heard.of(parts_of(TWO), inputs[:1]))
    assert alone.abstains.all() and "nothing is confirmed" in alone.reasons[0]
    with pytest.raises(GateError, match="two parts of three classes"):
        gate.fit(heard("rules", 10), np.zeros(10))


# Whom to listen to in which regime


def test_the_gradient_of_the_softmax_is_that_of_its_loss() -> None:
    known = heard("softmax", 60, missing=0.2)
    came = np.random.default_rng(3).normal(size=60)
    loss = loss_of(known, came)
    for seed in range(3):
        at = np.random.default_rng(seed).normal(size=2 * 4)
        assert check_grad(lambda x: loss(x)[0], lambda x: loss(x)[1], at) < 1e-5
