"""Several models, combined as an ensemble does."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from training.bundle.model import Model, files_of, model, read
from training.calibration import CALIBRATIONS
from training.ensemble import ENSEMBLES
from training.forecast import Floats, Head, Values


@model("ensemble.json")
@dataclass(frozen=True)
class Together(Model):
    """ensemble: its name; members: models of one head, each under its name.

    calibration: `name` and `parameters` of what mends the ensemble's answers; empty where none is.
    """

    ensemble: str
    parameters: Mapping[str, Any]
    members: Mapping[str, Model]
    head: Head
    calibration: Mapping[str, Any] = field(default_factory=dict)

    @property
    def parts(self) -> Mapping[str, Model]:
        """The members."""
        return self.members

    def forecast(self, values: Values) -> Floats:
        """The ensemble of what the members say."""
        said = np.stack([member.forecast(values) for member in self.members.values()])
        found = ENSEMBLES.get(self.ensemble)().combine(self.parameters, said, self.head)
        if not self.calibration:
            return found
        calibrated = CALIBRATIONS.get(self.calibration["name"])()
        return calibrated.apply(self.calibration["parameters"], found)

    def grounds(self, values: Values) -> Sequence[Mapping[str, Any]] | None:
        """Those of its only member; of several, each under the member's name."""
        found = {name: member.grounds(values) for name, member in self.members.items()}
        told = {name: rows for name, rows in found.items() if rows is not None}
        if len(self.members) == 1 or not told:
            return next(iter(told.values()), None)
        return [dict(zip(told, row, strict=True)) for row in zip(*told.values(), strict=True)]

    def files(self) -> Mapping[str, bytes]:
        """One JSON file, and those of the members, each in a folder of its name."""
        held = {name: member.files() for name, member in self.members.items()}
        return self.packed(self.ensemble, self.parameters, held, self.calibration)

    @classmethod
    def packed(
        cls,
        ensemble: str,
        parameters: Mapping[str, Any],
        held: Mapping[str, Mapping[str, bytes]],
        calibration: Mapping[str, Any] | None = None,
    ) -> dict[str, bytes]:
        """The files of an ensemble of members whose files are `held`, by their names."""
        declared: dict[str, Any] = {"ensemble": ensemble, "members": list(held)}
        declared["parameters"] = parameters
        if calibration:
            declared["calibration"] = calibration
        files = {cls.file: json.dumps(declared).encode()}
        for name, own in held.items():
            files |= {f"{name}/{file}": content for file, content in own.items()}
        return files

    @classmethod
    def read(cls, files: Mapping[str, bytes], head: Head) -> Self:
        """The ensemble with its members."""
        declared = json.loads(files[cls.file])
        members = {name: read(files_of(files, name), head) for name in declared["members"]}
        calibration = declared.get("calibration", {})
        return cls(declared["ensemble"], declared["parameters"], members, head, calibration)
