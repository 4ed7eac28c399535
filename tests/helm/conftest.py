"""The one place that knows the Helm library."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import helm_python as helm
import pytest
import yaml

CHARTS = Path(__file__).resolve().parents[2] / "helm"
Objects = dict[str, dict[str, Any]]
Render = Callable[..., Objects]


class Chart:
    """One of our charts, as Helm sees it."""

    def __init__(self, name: str) -> None:
        self.folder = CHARTS / name

    def render(self, **values: Any) -> list[dict[str, Any]]:
        """The objects that the chart makes of values."""
        with helm.Chart.load(self.folder) as chart:
            chart.validate_schema(values)
            texts = chart.render(values, name="finpulse", namespace="prod")
        objects = [yaml.safe_load(t) for n, t in texts.items() if n.endswith(".yaml")]
        return [made for made in objects if made]

    def by_kind(self, **values: Any) -> Objects:
        """The same by kind; of two of a kind, the one named first stays."""
        made = sorted(self.render(**values), key=lambda o: o["metadata"]["name"], reverse=True)
        return {each["kind"]: each for each in made}

    def findings(self) -> dict[str, Any]:
        """What `helm lint` has to say."""
        found: dict[str, Any] = helm.lint(self.folder)
        return found

    def refusal(self, **values: Any) -> str:
        """The message with which the chart refuses values; fails when it takes them."""
        with helm.Chart.load(self.folder) as chart:
            with pytest.raises(helm.HelmError) as error:
                chart.validate_schema(values)
            return str(error.value)


@pytest.fixture(params=["predictor", "monitoring"])
def chart(request: pytest.FixtureRequest) -> Chart:
    """Each of our charts."""
    return Chart(request.param)


@pytest.fixture
def predictor() -> Chart:
    """The chart `predictor`."""
    return Chart("predictor")


@pytest.fixture
def monitoring() -> Chart:
    """The chart `monitoring`."""
    return Chart("monitoring")
