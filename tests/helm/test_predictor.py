"""The chart of the predictor."""

from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
EVERYTHING = {"autoscaling": {"enabled": True}, "serviceMonitor": {"enabled": True}}


def pod(objects: dict[str, Any]) -> dict[str, Any]:
    return objects["Deployment"]["spec"]["template"]["spec"]


def test_optional_objects_are_off_by_default(predictor: Any) -> None:
    kinds = {"ConfigMap", "Deployment", "NetworkPolicy", "PodDisruptionBudget", "Service"}
    assert set(predictor.by_kind()) == kinds
    assert set(predictor.by_kind(**EVERYTHING)) - kinds == {
        "HorizontalPodAutoscaler",
        "ServiceMonitor",
    }


def test_one_may_be_disrupted_of_several_and_a_single_one_holds_up_no_node(predictor: Any) -> None:
    budget = predictor.by_kind()["PodDisruptionBudget"]["spec"]
    labels = predictor.by_kind()["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert budget.keys() == {"maxUnavailable", "selector"} and budget["maxUnavailable"] == 1
    assert budget["selector"]["matchLabels"].items() <= labels.items()
    assert "PodDisruptionBudget" not in predictor.by_kind(replicas=1)
    alone = {"enabled": True, "minReplicas": 1}
    assert "PodDisruptionBudget" not in predictor.by_kind(replicas=2, autoscaling=alone)


def test_the_autoscaler_takes_the_place_of_replicas(predictor: Any) -> None:
    objects = predictor.by_kind(**EVERYTHING)
    target = objects["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]
    assert target["name"] == objects["Deployment"]["metadata"]["name"] == "finpulse-predictor"
    assert "replicas" not in objects["Deployment"]["spec"]


def test_probes_ask_what_the_predictor_answers(predictor: Any) -> None:
    from serving.routes.routes import router

    paths = {route.path for route in router.routes}
    [made] = pod(predictor.by_kind())["containers"]
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert made[probe]["httpGet"]["path"].partition("?")[0] in paths
    # All pods have one database: were they unready without it, nobody would answer any more.
    assert made["readinessProbe"]["httpGet"]["path"] == "/health/ready?database=false"


def test_a_pod_that_ends_is_forgotten_first(predictor: Any) -> None:
    made = pod(predictor.by_kind(preStopSeconds=7))
    [container] = made["containers"]
    assert container["lifecycle"]["preStop"]["exec"]["command"] == ["sleep", "7"]
    assert made["terminationGracePeriodSeconds"] > 7 + 15


def test_callers_keys_come_from_a_secret(predictor: Any) -> None:
    def asked(objects: dict[str, Any]) -> dict[str, Any]:
        [container] = pod(objects)["containers"]
        return {each["name"]: each["valueFrom"]["secretKeyRef"] for each in container["env"]}

    mine = predictor.by_kind(apiKeys={"existingSecret": "mine", "key": "k"})
    assert asked(mine)["FINPULSE_API_KEYS"] == {"name": "mine", "key": "k"}
    assert "FINPULSE_API_KEYS" in asked(predictor.by_kind())
    open_door = predictor.by_kind(apiKeys={"existingSecret": "", "key": "k"})
    assert "FINPULSE_API_KEYS" not in asked(open_door)


def test_workers_and_quota_reach_the_settings(predictor: Any) -> None:
    told = predictor.by_kind(workers=4, apiQuota=2_000_000)["ConfigMap"]["data"]
    assert (told["FINPULSE_PREDICTOR_WORKERS"], told["FINPULSE_API_QUOTA"]) == ("4", "2000000")


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"replica": 3}, "replica"),
        ({"image": {"repo": "x"}}, "repo"),
        ({"replicas": "two"}, "replicas"),
        ({"service": {"port": 0}}, "port"),
        ({"apiKeys": {"keys": "me:0123456789abcdef"}}, "keys"),
        ({"workers": 0}, "workers"),
    ],
)
def test_a_wrong_value_is_refused_by_its_name(
    predictor: Any, values: dict[str, Any], named: str
) -> None:
    assert named in predictor.refusal(**values)
