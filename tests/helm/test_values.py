"""Environments and clouds: they differ by values files alone, and each of them renders."""

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import helm_python as helm
import pytest
import yaml
from schemas import require

ROOT = Path(__file__).resolve().parents[2]
VALUES = ROOT / "helm" / "values"
CHARTS = ("predictor", "monitoring", "platform")
ENVIRONMENTS, CLOUDS = ("dev", "staging", "prod"), ("eks", "gke")
OPERATORS = {"ServiceMonitor", "PrometheusRule", "RayCluster"}


def all_of(charts: dict[str, Any], *files: str) -> dict[str, dict[str, Any]]:
    """The objects of all charts under the values files of these names."""
    found = {}
    for name, chart in charts.items():
        found |= {f"{name}/{k}": o for k, o in chart.by_name(**chart.chosen(*files)).items()}
    return found


@pytest.mark.parametrize(("environment", "cloud"), list(product(ENVIRONMENTS, ("", *CLOUDS))))
def test_each_renders_into_valid_objects(
    charts: dict[str, Any], environment: str, cloud: str
) -> None:
    for made in all_of(charts, environment, *filter(None, [cloud])).values():
        if made["kind"] not in OPERATORS:
            require(made)


def test_the_files_are_those_that_are_tried(charts: dict[str, Any]) -> None:
    assert set(charts) == set(CHARTS)
    found = {path.relative_to(VALUES).as_posix() for path in VALUES.rglob("*.yaml")}
    asked = {f"{c}/{e}.yaml" for c in CHARTS for e in (*ENVIRONMENTS, *CLOUDS)}
    assert found == asked | {"predictor/canary.yaml"}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_all_charts_of_an_environment_are_about_one_universe(
    charts: dict[str, Any], environment: str
) -> None:
    told = {
        name: chart.chosen(environment).get("universe", "sim20") for name, chart in charts.items()
    }
    assert len(set(told.values())) == 1, told


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_monitoring_finds_what_the_platform_offers(
    charts: dict[str, Any], environment: str
) -> None:
    chosen = charts["monitoring"].chosen(environment)
    services = {o["metadata"]["name"]: o for o in charts["platform"].render()
                if o["kind"] == "Service"}  # fmt: skip
    for url in (chosen["mlflow"]["url"], chosen["airflow"]["url"]):
        # Releases are named finpulse-<chart> (infra/release/deploy.py).
        host, port = url.removeprefix("http://").split(":")
        assert services[host]["spec"]["ports"][0]["port"] == int(port)


def test_production_bears_a_canary_of_ten_percent_and_staging_says_why_not(
    predictor: Any,
) -> None:
    image = {"image": {"tag": "2"}}

    def canary(environment: str) -> Any:
        values = predictor.chosen(environment, "canary")
        return predictor.by_name(**values | {"canary": values["canary"] | image})

    objects = canary("prod")
    assert objects["Deployment/finpulse-predictor-canary"]["spec"]["replicas"] == 1
    with pytest.raises(Exception, match="set replicas to 10 or more"):
        canary("staging")


@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_cloud_changes_images_volumes_and_pools_and_no_settings_of_ours(
    charts: dict[str, Any], cloud: str
) -> None:
    plain, there = all_of(charts, "prod"), all_of(charts, "prod", cloud)
    config = plain["platform/ConfigMap/finpulse-platform-tasks"]["data"]
    other = there["platform/ConfigMap/finpulse-platform-tasks"]["data"]
    differ = {key for key in config if config[key] != other[key]}
    assert differ <= {"FINPULSE_OBJECTS_URL"}
    for name, made in there.items():
        if made["kind"] == "Deployment":
            images = {c["image"] for c in made["spec"]["template"]["spec"]["containers"]}
            assert all("/" in image.partition(":")[0] for image in images), name


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_wherever_a_prometheus_scrapes_the_gates_are_told_of_it(
    charts: dict[str, Any], environment: str
) -> None:
    chosen = {name: chart.chosen(environment) for name, chart in charts.items()}
    scraped = chosen["predictor"].get("serviceMonitor", {}).get("enabled", False)
    urls = {chosen[n].get("prometheus", {}).get("url", "") for n in ("monitoring", "platform")}
    assert len(urls) == 1 and all(map(bool, urls)) is scraped, urls


# What Kubernetes lets everybody name.
FREE = {"requests", "limits", "affinity"}


@pytest.mark.parametrize("name", ("predictor", "monitoring", "platform"))
def test_a_wrong_key_is_refused_wherever_it_stands(charts: dict[str, Any], name: str) -> None:
    """In values that Helm would take, and nobody would ever read."""
    chart = charts[name]
    values = yaml.safe_load((chart.folder / "values.yaml").read_text())
    places = [path for path in objects_in(values) if not FREE & set(path)]
    assert len(places) > 10
    for path in places:
        wrong: dict[str, Any] = {"misspelt": 1}
        for key in reversed(path):
            wrong = {key: wrong}
        assert "misspelt" in chart.refusal(**wrong), path


def objects_in(values: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if isinstance(values, dict):
        yield path
        for key, value in values.items():
            yield from objects_in(value, (*path, key))


@pytest.mark.parametrize("chart", ("predictor", "monitoring", "platform"))
@pytest.mark.parametrize("name", ("2fin", "fin.pulse"))
def test_a_release_whose_name_no_service_may_bear_is_refused(
    charts: dict[str, Any], chart: str, name: str
) -> None:
    """Helm takes both; Kubernetes would refuse the Services, after the rest was made."""
    with helm.Chart.load(charts[chart].folder) as loaded:
        with pytest.raises(helm.HelmError, match=f"release name: expected .* found {name}"):
            loaded.render({}, name=name, namespace="prod")
        assert loaded.render({}, name="fin-pulse2", namespace="prod")
