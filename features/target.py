"""What a target is: a frozen name of a label, what one model is to foretell.

    declare(Target("volatility_5", RealisedVolatility(horizon=5)))

A view's matrix serves every target: its truth is joined when the matrix is loaded.
"""

from dataclasses import dataclass

from contracts.registry import Registry
from features.label import Label


@dataclass(frozen=True)
class Target:
    """The name by which champions, predictions and callers know what is foretold, and its label.

    A name never changes its label: forecasts that were made under it are settled by it. interval:
    of the bars that its horizon counts, as a view's is.
    """

    name: str
    label: Label
    interval: str = "1d"


TARGETS: Registry[Target] = Registry("target", "features.targets")


def declare(*targets: Target) -> None:
    """Make the targets known by their names."""
    for one in targets:
        TARGETS.add(one.name, one)


def target(name: str) -> Target:
    """The target of that name; raises UnknownMember naming those that exist."""
    return TARGETS.get(name)
