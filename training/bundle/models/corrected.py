"""Boosted trees that add to the scores of a law."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from training.bundle.model import Model, files_of, model
from training.bundle.models.barriers import TwoBarriers
from training.bundle.models.boosted import Boosted, last
from training.forecast import Floats, Head, Values


@model("corrected.json")
@dataclass(frozen=True)
class Corrected(Model):
    """law: where the trees begin. trees: what they add was learnt upon it."""

    method: ClassVar[str] = Boosted.method

    law: TwoBarriers
    trees: Boosted
    head: Head

    def forecast(self, values: Values) -> Floats:
        """The softmax of both scores."""
        if not len(values):
            return np.empty((0, self.head.width))
        begun = {"predict_type": "margin", "base_margin": self.law.scores(values)}
        found = self.trees.booster.inplace_predict(last(values), missing=np.nan, **begun)
        return self.head.from_scores(found.astype(np.float64).reshape(-1, self.head.width))

    def explain(self, values: Values, typical: Values) -> Floats:
        """SHAP contributions of the trees; what the law says is part of what no feature adds."""
        return self.trees.explain(values, typical, self.law.scores(values))

    def files(self) -> Mapping[str, bytes]:
        """One JSON file, and those of both, each in a folder of its name."""
        files = {self.file: json.dumps({"members": ["law", "trees"]}).encode()}
        for name, part in (("law", self.law), ("trees", self.trees)):
            files |= {f"{name}/{file}": content for file, content in part.files().items()}
        return files

    @classmethod
    def read(cls, files: Mapping[str, bytes], head: Head) -> Self:
        """Both."""
        law = TwoBarriers.read(files_of(files, "law"), head)
        return cls(law, Boosted.read(files_of(files, "trees"), head), head)
