"""Pictures of the evidence, as PNG files for MLflow."""

import io
from collections.abc import Mapping
from math import isfinite
from typing import TYPE_CHECKING

import numpy as np

from training.evidence.evidence import Evidence
from training.forecast import Floats
from training.objective import Forecasts, Truth

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BINS = 10


def reliability(said: Mapping[str, Forecasts], truth: Truth) -> bytes:
    """What came against what was said, per tenth of rows, in the pictures of the objective."""
    pictures = {name: one.objective.calibration(one, truth) for name, one in said.items()}
    titles = list(next(iter(pictures.values())))
    figure = _figure(3.6 * max(len(titles), 1), 3.8)
    for place, title in enumerate(titles):
        axes = figure.add_subplot(1, len(titles), place + 1)
        axes.axline((0, 0), slope=1, color="grey", linewidth=0.8)
        for name, pairs in pictures.items():
            axes.plot(*binned(*pairs[title]), marker="o", markersize=3, linewidth=1, label=name)
        axes.set(title=title, xlabel="said", ylabel="came")
        if not place:
            axes.legend(fontsize=7)
    return _png(figure)


def binned(said: Floats, came: np.ndarray) -> tuple[Floats, Floats]:
    """Means of what was said and of what came, in BINS groups of rows of equal size."""
    order = np.array_split(np.argsort(said, kind="stable"), BINS)
    groups = [rows for rows in order if len(rows)]
    return (
        np.array([said[rows].mean() for rows in groups]),
        np.array([came[rows].mean() for rows in groups]),
    )


def intervals(evidence: Evidence) -> bytes:
    """Each metric of each forecaster with its 95 % interval."""
    names, metrics = list(evidence.scores), list(evidence.own)
    figure = _figure(3.0 * len(metrics), 0.6 + 0.4 * len(names))
    for place, metric in enumerate(metrics):
        axes = figure.add_subplot(1, len(metrics), place + 1)
        for row, name in enumerate(names):
            value = evidence.scores[name][metric]
            if isfinite(value.low):
                axes.plot([value.low, value.high], [row, row], color="tab:blue")
            axes.plot(value.value, row, marker="o", color="tab:blue")
        axes.set_title(metric)
        axes.set_yticks(range(len(names)), names if not place else [""] * len(names))
        axes.invert_yaxis()
    return _png(figure)


def coverage(evidence: Evidence) -> bytes:
    """Each metric, with its 95 % interval, by the share of the rows that is answered."""
    metrics = list(evidence.own)
    figure = _figure(3.0 * len(metrics), 3.4)
    shares = [float(share.rstrip("%")) for share in evidence.coverage]
    for place, metric in enumerate(metrics):
        values = [row[metric] for row in evidence.coverage.values()]
        axes = figure.add_subplot(1, len(metrics), place + 1)
        axes.plot(shares, [v.value for v in values], marker="o", markersize=3)
        ends = np.array([[v.low, v.high] for v in values])
        if np.isfinite(ends).all():
            axes.fill_between(shares, ends[:, 0], ends[:, 1], alpha=0.2)
        axes.set(title=metric, xlabel="% of rows answered")
    return _png(figure)


def _figure(width: float, height: float) -> "Figure":
    # A figure of its own, without pyplot: no window system, no state between pictures.
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _png(figure: "Figure") -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()
