"""Answers of a served model that are not those it was trained to give: defects of real systems."""

from functools import cache

import numpy as np

from training.bundle.checks import (
    Answering,
    require_known_answers,
    require_own_rows,
    require_same_units,
)
from training.forecast import Classes, Floats, Values
from training.leaklab.leak import leak
from training.leaklab.market import FEATURES, Lab
from training.samples.samples import from_matrix

_OWN = "training.bundle.checks."
_HEAD = Classes(3)


@cache
def _inputs(lab: Lab) -> Values:
    return from_matrix(lab.matrix).values[:200]


def _model(values: Values) -> Floats:
    weights = np.array([[-3.0, 0.0, 3.0], [0.0, 5.0, 0.0], [-1.0, 0.0, 1.0]])
    return _HEAD.from_means(np.exp(np.clip(values.astype(np.float64) @ weights, -30, 30)))


def _ask(lab: Lab, served: Answering, planted: bool) -> None:
    inputs = _inputs(lab)
    require_known_answers(_HEAD, served if planted else _model, inputs, _model(inputs))


@leak(planted="serving", caught_by=_OWN + "require_same_units")
def percent_for_fraction(lab: Lab, planted: bool) -> None:
    """Inputs are a hundred times out of scale: percent where training had fractions."""
    unit = 100.0 if planted else 1.0
    require_same_units(_inputs(lab), _inputs(lab) * np.float32(unit), FEATURES)


@leak(planted="serving", caught_by=_OWN + "require_same_units")
def wrong_column(lab: Lab, planted: bool) -> None:
    """Features come in the order of the alphabet, not of the training."""
    order = np.argsort(FEATURES) if planted else np.arange(len(FEATURES))
    require_same_units(_inputs(lab), _inputs(lab)[:, order], FEATURES)


@leak(planted="serving", caught_by=_OWN + "require_known_answers")
def all_in_column_0(lab: Lab, planted: bool) -> None:
    """Every instrument's value is written into the first column, the others are 0."""

    def served(values: Values) -> Floats:
        first = np.zeros_like(values)
        first[:, 0] = values[:, -1]
        return _model(first)

    _ask(lab, served, planted)


@leak(planted="serving", caught_by=_OWN + "require_own_rows")
def first_answer_for_all(lab: Lab, planted: bool) -> None:
    """Whoever is asked about gets the answer of the first."""

    def served(values: Values) -> Floats:
        return np.tile(_model(values[:1]), (len(values), 1))

    require_own_rows(_HEAD, served if planted else _model, _inputs(lab))


@leak(planted="serving", caught_by=_OWN + "require_own_rows")
def scaled_within_the_request(lab: Lab, planted: bool) -> None:
    """Inputs are scaled by the mean and deviation of the request itself."""

    def served(values: Values) -> Floats:
        scaled = (values - values.mean(axis=0)) / (values.std(axis=0) + 1e-9)
        return _model(scaled)

    require_own_rows(_HEAD, served if planted else _model, _inputs(lab))


@leak(planted="serving", caught_by="training.forecast.Classes.require")
def output_in_scaled_units(lab: Lab, planted: bool) -> None:
    """Answers are left as the network scaled them, never turned into probabilities."""

    def served(values: Values) -> Floats:
        return np.log(_model(values))

    _ask(lab, served, planted)
