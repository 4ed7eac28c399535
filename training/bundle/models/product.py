"""Several models of numbers above 0, whose answers are multiplied."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from training.bundle.model import Model, files_of, model, read
from training.forecast import Floats, Head, Values


@model("product.json")
@dataclass(frozen=True)
class Product(Model):
    """members: each under its name; the second says by how much the first is to be multiplied."""

    method: ClassVar[str] = "factors"

    members: Mapping[str, Model]
    head: Head

    def forecast(self, values: Values) -> Floats:
        """The product of what the members say."""
        said = np.prod([m.forecast(values) for m in self.members.values()], axis=0)
        return self.head.kept(np.asarray(said))

    def explain(self, values: Values, typical: Values) -> Floats | None:
        """Scores are logarithms: the members' reasons add up; None where one has none."""
        total: Floats | None = None
        for member in self.members.values():
            if (found := member.explain(values, typical)) is None:
                return None
            total = found if total is None else total + found
        return total

    def files(self) -> Mapping[str, bytes]:
        """One JSON file, and those of the members, each in a folder of its name."""
        files = {self.file: json.dumps({"members": list(self.members)}).encode()}
        for name, member in self.members.items():
            files |= {f"{name}/{file}": content for file, content in member.files().items()}
        return files

    @classmethod
    def read(cls, files: Mapping[str, bytes], head: Head) -> Self:
        """The product of the members that were written."""
        names = json.loads(files[cls.file])["members"]
        return cls({name: read(files_of(files, name), head) for name in names}, head)
