"""Several models, combined as an ensemble does."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from training.bundle.model import Model, files_of, model, read
from training.ensemble import ENSEMBLES
from training.forecast import Floats, Head, Values


@model("ensemble.json")
@dataclass(frozen=True)
class Together(Model):
    """ensemble: its name; members: models of one head, each under its name."""

    ensemble: str
    parameters: Mapping[str, Any]
    members: Mapping[str, Model]
    head: Head

    def forecast(self, values: Values) -> Floats:
        """The ensemble of what the members say."""
        said = np.stack([member.forecast(values) for member in self.members.values()])
        return ENSEMBLES.get(self.ensemble)().combine(self.parameters, said)

    def files(self) -> Mapping[str, bytes]:
        """One JSON file, and those of the members, each in a folder of its name."""
        named = {"ensemble": self.ensemble, "members": list(self.members)}
        declared = {**named, "parameters": self.parameters}
        held = {self.file: json.dumps(declared).encode()}
        for name, member in self.members.items():
            held |= {f"{name}/{file}": content for file, content in member.files().items()}
        return held

    @classmethod
    def read(cls, files: Mapping[str, bytes], head: Head) -> Self:
        """The ensemble with its members."""
        declared = json.loads(files[cls.file])
        members = {name: read(files_of(files, name), head) for name in declared["members"]}
        return cls(declared["ensemble"], declared["parameters"], members, head)
