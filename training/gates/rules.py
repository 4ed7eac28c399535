"""Rules, in the order of the file: who tells no way abstains, storms and wide intervals as well."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.forecast import Floats, Quantiles, Value
from training.gate import NOBODY, Gate, Heard, Verdict, gate, shares


@gate("rules")
@dataclass(frozen=True)
class Rules(Gate):
    """storm, wide: times the usual volatility and width beyond which nothing is known. faint: a
    lean that is no word."""

    storm: float = 2.0
    wide: float = 2.0
    faint: float = 0.05

    def fit(self, heard: Heard, came: Floats) -> Mapping[str, Any]:  # noqa: ARG002
        """Nothing."""
        return {}

    def combine(self, parameters: Mapping[str, Any], heard: Heard) -> Verdict:  # noqa: ARG002
        """The mean lean of the parts that tell a way, where they do not contradict each other.

        1. No part tells a way: abstain. 2. The forecast volatility is a storm: abstain. 3. The
        interval is too wide: abstain. 4. One part buys and another sells: hold. 5. All that say
        more than a faint word lean one way: their mean. A volatility tells no way.
        """
        tells = np.array([not _volatility(part.head) for part in heard.parts], dtype=np.bool_)
        there = heard.present & tells
        said = np.where(there, np.nan_to_num(heard.leans), 0.0)
        loud = np.abs(said) >= self.faint
        torn = (loud & (said > 0)).any(axis=1) & (loud & (said < 0)).any(axis=1)
        nobody = ~there.any(axis=1)
        storms = heard.times_usual(Value) > self.storm
        wide = heard.times_usual(Quantiles) > self.wide
        weights = shares(
            np.ones(len(heard.parts)), np.where(loud.any(axis=1, keepdims=True), loud, there)
        )
        weights[nobody] = 0.0
        found = np.where(torn, 0.0, (weights * said).sum(axis=1))
        whys = (
            (nobody, NOBODY),
            (storms, f"the forecast volatility is more than {self.storm:g} times the usual"),
            (wide, f"the interval is more than {self.wide:g} times as wide as usual"),
            (torn, "the parts contradict each other"),
        )
        reasons = np.select([when for when, _ in whys], [why for _, why in whys], "")
        return Verdict(found, weights, nobody | storms | wide, reasons.tolist())


def _volatility(head: object) -> bool:
    return isinstance(head, Value) and head.link == "log"
