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

    @property
    def parts(self) -> Mapping[str, Model]:
        """The members."""
        return self.members

    def forecast(self, values: Values) -> Floats:
        """The ensemble of what the members say."""
        said = np.stack([member.forecast(values) for member in self.members.values()])
        return ENSEMBLES.get(self.ensemble)().combine(self.parameters, said)

    def files(self) -> Mapping[str, bytes]:
        """One JSON file, and those of the members, each in a folder of its name."""
        held = {name: member.files() for name, member in self.members.items()}
        return self.packed(self.ensemble, self.parameters, held)

    @classmethod
    def packed(
        cls, ensemble: str, parameters: Mapping[str, Any], held: Mapping[str, Mapping[str, bytes]]
    ) -> dict[str, bytes]:
        """The files of an ensemble of members whose files are `held`, by their names."""
        declared = {"ensemble": ensemble, "members": list(held), "parameters": parameters}
        files = {cls.file: json.dumps(declared).encode()}
        for name, own in held.items():
            files |= {f"{name}/{file}": content for file, content in own.items()}
        return files

    @classmethod
    def read(cls, files: Mapping[str, bytes], head: Head) -> Self:
        """The ensemble with its members."""
        declared = json.loads(files[cls.file])
        members = {name: read(files_of(files, name), head) for name in declared["members"]}
        return cls(declared["ensemble"], declared["parameters"], members, head)
