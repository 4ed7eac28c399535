"""Pictures of the evidence, as PNG files for MLflow."""

import io
from collections.abc import Mapping
from math import isfinite
from typing import TYPE_CHECKING

import numpy as np

from training.evidence.evidence import Evidence
from training.evidence.score import METRICS
from training.forecast import CLASSES, Floats, Forecasts, Labels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BINS = 10


def reliability(said: Mapping[str, Forecasts], labels: Labels) -> bytes:
    """For each class: how often it came against the probability it was given, per tenth of rows."""
    figure = _figure(3.6 * len(CLASSES), 3.8)
    for place, title in enumerate(CLASSES):
        axes = figure.add_subplot(1, len(CLASSES), place + 1)
        axes.axline((0, 0), slope=1, color="grey", linewidth=0.8)
        for name, forecasts in said.items():
            given, came = binned(forecasts.probabilities[:, place], labels == place)
            axes.plot(given, came, marker="o", markersize=3, linewidth=1, label=name)
        axes.set(title=title, xlabel="probability given", ylabel="share that came")
    figure.axes[0].legend(fontsize=7)
    return _png(figure)


def binned(chances: Floats, came: np.ndarray) -> tuple[Floats, Floats]:
    """Mean probability and share that came, in BINS groups of rows of equal size."""
    order = np.array_split(np.argsort(chances, kind="stable"), BINS)
    groups = [rows for rows in order if len(rows)]
    return (
        np.array([chances[rows].mean() for rows in groups]),
        np.array([came[rows].mean() for rows in groups]),
    )


def intervals(evidence: Evidence) -> bytes:
    """Each metric of each forecaster with its 95 % interval."""
    names = list(evidence.scores)
    figure = _figure(3.0 * len(METRICS), 0.6 + 0.4 * len(names))
    for place, metric in enumerate(METRICS):
        axes = figure.add_subplot(1, len(METRICS), place + 1)
        for row, name in enumerate(names):
            value = evidence.scores[name][metric]
            if isfinite(value.low):
                axes.plot([value.low, value.high], [row, row], color="tab:blue")
            axes.plot(value.value, row, marker="o", color="tab:blue")
        axes.set_title(metric)
        axes.set_yticks(range(len(names)), names if not place else [""] * len(names))
        axes.invert_yaxis()
    return _png(figure)


def _figure(width: float, height: float) -> "Figure":
    # A figure of its own, without pyplot: no window system, no state between pictures.
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _png(figure: "Figure") -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()
