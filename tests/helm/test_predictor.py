"""The chart of the predictor."""

from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
EVERYTHING = {"autoscaling": {"enabled": True}, "serviceMonitor": {"enabled": True}}


def pod(objects: dict[str, Any]) -> dict[str, Any]:
    return objects["Deployment"]["spec"]["template"]["spec"]


def test_optional_objects_are_off_by_default(predictor: Any) -> None:
    kinds = {"ConfigMap", "Deployment", "PodDisruptionBudget", "Service"}
    assert set(predictor.by_kind()) == kinds
    assert set(predictor.by_kind(**EVERYTHING)) - kinds == {
        "HorizontalPodAutoscaler",
        "ServiceMonitor",
    }


def test_one_may_be_disrupted_of_several_and_a_single_one_holds_up_no_node(predictor: Any) -> None:
    budget = predictor.by_kind()["PodDisruptionBudget"]["spec"]
    labels = predictor.by_kind()["Deployment"]["spec"]["selector"]["matchLabels"]
    assert budget == {"maxUnavailable": 1, "selector": {"matchLabels": labels}}
    assert "PodDisruptionBudget" not in predictor.by_kind(replicas=1)
    alone = {"enabled": True, "minReplicas": 1}
    assert "PodDisruptionBudget" not in predictor.by_kind(replicas=2, autoscaling=alone)


def test_the_autoscaler_takes_the_place_of_replicas(predictor: Any) -> None:
    objects = predictor.by_kind(**EVERYTHING)
    target = objects["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]
    assert target["name"] == objects["Deployment"]["metadata"]["name"] == "finpulse-predictor"
    assert "replicas" not in objects["Deployment"]["spec"]


def test_probes_ask_what_the_predictor_answers(predictor: Any) -> None:
    from serving.routes import router

    paths = {route.path for route in router.routes}
    [made] = pod(predictor.by_kind())["containers"]
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert made[probe]["httpGet"]["path"] in paths
    assert made["readinessProbe"]["httpGet"]["path"] == "/health/ready"


def test_a_pod_that_ends_is_forgotten_first(predictor: Any) -> None:
    made = pod(predictor.by_kind(preStopSeconds=7))
    [container] = made["containers"]
    assert container["lifecycle"]["preStop"]["exec"]["command"] == ["sleep", "7"]
    assert made["terminationGracePeriodSeconds"] > 7 + 15


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"replica": 3}, "replica"),
        ({"image": {"repo": "x"}}, "repo"),
        ({"replicas": "two"}, "replicas"),
        ({"service": {"port": 0}}, "port"),
    ],
)
def test_a_wrong_value_is_refused_by_its_name(
    predictor: Any, values: dict[str, Any], named: str
) -> None:
    assert named in predictor.refusal(**values)
