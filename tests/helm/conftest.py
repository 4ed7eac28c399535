"""The one place that knows the Helm library."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import helm_python as helm
import pytest
import yaml

CHARTS = Path(__file__).resolve().parents[2] / "helm"
Objects = dict[str, dict[str, Any]]
Render = Callable[..., Objects]


@pytest.fixture
def render() -> Iterator[Render]:
    """Renders the chart `predictor` with values; gives its objects by kind."""
    with helm.Chart.load(CHARTS / "predictor") as chart:

        def rendered(**values: Any) -> Objects:
            chart.validate_schema(values)
            texts = chart.render(values, name="finpulse", namespace="prod")
            objects = [yaml.safe_load(t) for n, t in texts.items() if n.endswith(".yaml")]
            return {made["kind"]: made for made in objects if made}

        yield rendered


@pytest.fixture
def findings() -> dict[str, Any]:
    """What `helm lint` has to say about the chart."""
    return helm.lint(CHARTS / "predictor")


@pytest.fixture
def refused() -> Callable[..., str]:
    """The message with which the chart refuses values; fails when it takes them."""

    def message(**values: Any) -> str:
        with helm.Chart.load(CHARTS / "predictor") as chart:
            with pytest.raises(helm.HelmError) as error:
                chart.validate_schema(values)
            return str(error.value)

    return message
