"""What a bundle is made of, written in one way, so that its hash names all of it. Light."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from contracts.expected import Expected
from training.forecast import Classes, Head, head
from training.objective import OBJECTIVES, Objective

if TYPE_CHECKING:
    from features.target import Target

FORMAT_VERSION = 3
# Bundles of before know one question, and say so by nothing: the defaults of `target` and `head`.
READ_VERSIONS = (2, FORMAT_VERSION)


class BundleError(Expected, ValueError):
    """A bundle is absent, changed or not of this code; the message names bundle and file."""


class ViewChanged(BundleError):
    """The view of a bundle is no longer what it was trained on."""


@dataclass(frozen=True)
class Manifest:
    """What a bundle is made of.

    expert: the expert's or the ensemble's name. as_of: the moment up to which truth was known to
    the training (UTC). snapshot: the loads that it saw. features: names in the order of the model's
    inputs. files: name -> SHA-256. window: rows up to a decision that the model looks at.
    thresholds: when its forecasts are a signal, where they are not its objective's. target: what it
    foretells. head: the form of its answers. text_model: the version whose sentiments its features
    were made of; empty where they read none, or in bundles of before. parts: name -> hash of the
    bundles whose answers it hears, beside the features of its view. encoder: the version of the
    registered encoder whose numbers it hears as well.
    """

    expert: str
    objective: str
    hyperparameters: Mapping[str, Any]
    view: str
    view_hash: str
    features: tuple[str, ...]
    label: str
    horizon: int
    universe: str
    calendar: str
    as_of: datetime
    snapshot: int
    git_commit: str
    libraries: Mapping[str, str]
    files: Mapping[str, str]
    window: int = 1
    thresholds: Mapping[str, float] = field(default_factory=dict)
    target: str = "trend_1"
    head: Head = Classes()
    text_model: str = ""
    parts: Mapping[str, str] = field(default_factory=dict)
    encoder: str = ""
    format_version: int = FORMAT_VERSION

    def canonical(self) -> bytes:
        """The one way of writing this manifest down: sorted keys, no blanks, UTF-8."""
        fields = asdict(self) | {"as_of": self.as_of.isoformat(), "head": self.head.as_json()}
        if self.format_version == 2:
            del fields["target"], fields["head"]
        for name in ("text_model", "parts", "encoder"):
            if not fields[name]:
                del fields[name]  # Bundles of before are still written as they were.
        return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()

    @classmethod
    def parse(cls, content: bytes) -> "Manifest":
        """The manifest that `canonical` wrote; raises BundleError."""
        try:
            fields = dict(json.loads(content))
            version = fields.get("format_version")
            if version in READ_VERSIONS:
                return cls(**_read(fields))
        except (ValueError, TypeError, KeyError) as error:
            raise BundleError(
                f"expected a manifest as this code writes them, found another: {error}: serve it "
                "with the code that made it, or train again"
            ) from error
        raise BundleError(
            f"expected bundle format {FORMAT_VERSION} or 2, found {version}: "
            "serve it with the code that made it, or train again"
        )

    def require_answerable(self) -> None:
        """Raise BundleError unless this code has its objective."""
        if self.objective not in OBJECTIVES.names():
            raise BundleError(
                f"expected an objective of this code ({', '.join(sorted(OBJECTIVES.names()))}), "
                f"found {self.objective!r}: run the code of commit {self.git_commit[:12]}, or "
                "train and promote another"
            )

    @property
    def asked(self) -> Objective:
        """The objective that it answers by."""
        return OBJECTIVES.get(self.objective)

    def require_declared(self) -> None:
        """Raise BundleError unless this code has its target: nobody could settle its forecasts."""
        from features.target import TARGETS

        if self.target not in TARGETS.names():
            raise BundleError(
                f"expected a target of this code ({', '.join(sorted(TARGETS.names()))}), found "
                f"{self.target!r}: run the code of commit {self.git_commit[:12]}, or declare it in "
                "features/targets"
            )

    def taught(self) -> "Target":
        """Its target with the label that it was taught; raises ViewChanged.

        A view of before had a label of its own, whose rule the target may have mended since.
        """
        from features.target import Target, target
        from features.view import view

        label = target(self.target).label
        if label.name != self.label and (old := view(self.view).label) is not None:
            label = old
        if label.name != self.label:
            raise ViewChanged(
                f"the target {self.target} is {label.name}, the bundle was taught {self.label}: "
                f"run the code of commit {self.git_commit[:12]}, or train and promote another"
            )
        return Target(self.target, label)


def _read(fields: dict[str, Any]) -> dict[str, Any]:
    as_of = datetime.fromisoformat(fields["as_of"])
    read = fields | {"features": tuple(fields["features"]), "as_of": as_of}
    return read | ({"head": head(fields["head"])} if "head" in fields else {})
