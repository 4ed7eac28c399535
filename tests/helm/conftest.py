"""The one place that knows the Helm library."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import helm_python as helm
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "fixtures"))

from cluster import Cluster, cluster  # noqa: E402

CHARTS = ROOT / "helm"
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
        files = [text for name, text in texts.items() if name.endswith(".yaml")]
        return [made for text in files for made in yaml.load_all(text, yaml.CSafeLoader) if made]

    def chosen(self, *files: str) -> dict[str, Any]:
        """What files of helm/values ask for, later ones on top."""
        values: dict[str, Any] = {}
        for name in files:
            path = CHARTS / "values" / self.folder.name / f"{name}.yaml"
            values = on_top(values, yaml.load(path.read_text(), yaml.CSafeLoader))
        return values

    def by_name(self, **values: Any) -> Objects:
        """The objects by kind and name."""
        return {f"{o['kind']}/{o['metadata']['name']}": o for o in self.render(**values)}

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


def on_top(old: Any, new: Any) -> Any:
    """As Helm lays values files on each other: maps merge, anything else replaces."""
    if isinstance(old, dict) and isinstance(new, dict):
        return {**old, **{key: on_top(old.get(key), value) for key, value in new.items()}}
    return new


class Engine:
    """Helm's real engine at work in a small cluster, keeping its releases in memory."""

    def __init__(self, place: Cluster) -> None:
        self.cluster = place
        told = {"kubeconfig_content": place.kubeconfig, "storage_driver": "memory"}
        self.config = helm.Config(**told, namespace="finpulse")

    def upgrade(self, chart: str, values: dict[str, Any]) -> int:
        """Install or upgrade; the revision that is in office then."""
        name, folder = f"finpulse-{chart}", CHARTS / chart
        known = [each["name"] for each in self.config.list(all_states=True)]
        act = self.config.upgrade if name in known else self.config.install
        return int(act(folder, name, values, namespace="finpulse")["revision"])

    def rollback(self, chart: str, revision: int) -> None:
        """Back to what a revision was."""
        self.config.rollback(f"finpulse-{chart}", version=revision)


@pytest.fixture
def engine() -> Iterator[Engine]:
    """Helm, and an empty cluster."""
    with cluster() as place:
        yield Engine(place)


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


@pytest.fixture
def platform() -> Chart:
    """The chart `platform`."""
    return Chart("platform")


@pytest.fixture
def charts() -> dict[str, Chart]:
    """All charts by their names."""
    return {path.parent.name: Chart(path.parent.name) for path in CHARTS.glob("*/Chart.yaml")}
