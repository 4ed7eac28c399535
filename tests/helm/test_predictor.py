"""The chart of the predictor, rendered by Helm and held against the schemas of Kubernetes."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest

from contracts.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
Render = Callable[..., dict[str, Any]]
EVERYTHING = {"autoscaling": {"enabled": True}, "serviceMonitor": {"enabled": True}}


def container(objects: dict[str, Any]) -> dict[str, Any]:
    return objects["Deployment"]["spec"]["template"]["spec"]["containers"][0]


@pytest.mark.parametrize("version", ["1.25", "1.33", "1.37"])
def test_all_objects_are_valid(render: Render, version: str) -> None:
    objects = render(**EVERYTHING)
    # A kind that Kubernetes itself has no schema of: the operator's. Looked at below.
    monitor = objects.pop("ServiceMonitor")
    assert set(objects) == {"ConfigMap", "Deployment", "HorizontalPodAutoscaler", "Service"}
    for made in objects.values():
        kubernetes_validate.validate(made, version, strict=True)
    assert monitor["apiVersion"] == "monitoring.coreos.com/v1"
    assert monitor["spec"]["endpoints"] == [{"port": "http", "path": "/metrics", "interval": "15s"}]


def test_the_check_would_notice(render: Render) -> None:
    made = render()["Deployment"]
    container({"Deployment": made})["imagePolicy"] = "Never"
    with pytest.raises(kubernetes_validate.ValidationError, match="imagePolicy"):
        kubernetes_validate.validate(made, "1.33", strict=True)


def test_lint_finds_nothing_but_the_missing_icon(findings: dict[str, Any]) -> None:
    assert findings["total_charts_linted"] == 1 and findings["errors"] == []
    assert [found["error"] for found in findings["messages"]] == ["icon is recommended"]


def test_optional_objects_are_off_by_default(render: Render) -> None:
    assert set(render()) == {"ConfigMap", "Deployment", "Service"}


def test_labels_join_service_monitor_and_pods(render: Render) -> None:
    objects = render(**EVERYTHING)
    pods = objects["Deployment"]["spec"]["template"]["metadata"]["labels"].items()
    assert objects["Service"]["spec"]["selector"].items() <= pods
    chosen = objects["ServiceMonitor"]["spec"]["selector"]["matchLabels"].items()
    assert chosen <= objects["Service"]["metadata"]["labels"].items()
    target = objects["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]
    assert target["name"] == objects["Deployment"]["metadata"]["name"] == "finpulse-predictor"
    assert "replicas" not in objects["Deployment"]["spec"]


def test_the_pod_has_no_rights_it_does_not_need(render: Render) -> None:
    objects = render()
    pod = objects["Deployment"]["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container(objects)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["automountServiceAccountToken"] is False
    assert container(objects)["resources"]["limits"]["memory"] == "512Mi"


def test_probes_ask_what_the_predictor_answers(render: Render) -> None:
    from serving.routes import router

    paths = {route.path for route in router.routes}
    made = container(render())
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert made[probe]["httpGet"]["path"] in paths
    assert made["readinessProbe"]["httpGet"]["path"] == "/health/ready"
    assert made["lifecycle"]["preStop"]["exec"]["command"] == ["sleep", "5"]


def test_every_setting_is_one_that_the_predictor_knows(render: Render) -> None:
    objects = render()
    # A service named finpulse-... would bring variables that the settings refuse.
    assert objects["Deployment"]["spec"]["template"]["spec"]["enableServiceLinks"] is False
    names = [*objects["ConfigMap"]["data"], *(e["name"] for e in container(objects)["env"])]
    known = {f"FINPULSE_{name.upper()}" for name in Settings.model_fields}
    assert {name for name in names if name.startswith("FINPULSE_")} <= known


def test_the_database_url_comes_from_a_secret_that_exists(render: Render) -> None:
    objects = render(database={"existingSecret": "mine", "key": "reader"})
    assert container(objects)["env"] == [
        {
            "name": "FINPULSE_DATABASE_URL",
            "valueFrom": {"secretKeyRef": {"name": "mine", "key": "reader"}},
        }
    ]
    assert "Secret" not in objects


def test_objects_lie_behind_a_url_or_on_a_volume(render: Render) -> None:
    on_volume = render()
    assert on_volume["ConfigMap"]["data"]["FINPULSE_OBJECTS_URL"] == "/objects"
    assert {m["mountPath"] for m in container(on_volume)["volumeMounts"]} == {"/tmp", "/objects"}
    behind_url = render(objects={"url": "s3://bucket/finpulse"})
    assert [m["mountPath"] for m in container(behind_url)["volumeMounts"]] == ["/tmp"]


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"replica": 3}, "replica"),
        ({"image": {"repo": "x"}}, "repo"),
        ({"replicas": "two"}, "replicas"),
        ({"service": {"port": 0}}, "port"),
        ({"database": {"url": "postgresql://secret"}}, "url"),
        ({"objects": {"url": "", "existingClaim": ""}}, "objects"),
    ],
)
def test_a_wrong_value_is_refused_by_its_name(
    refused: Callable[..., str], values: dict[str, Any], named: str
) -> None:
    assert named in refused(**values)


def test_image_and_chart_are_of_one_mind(render: Render) -> None:
    dockerfile = (ROOT / "infra" / "images" / "Dockerfile").read_text()
    built = re.search(r"-t (\S+) ", dockerfile)
    assert built and container(render())["image"] == built[1]
    assert "EXPOSE 8000" in dockerfile and container(render())["ports"][0]["containerPort"] == 8000
    user = objects_user(render())
    assert f"USER {user}:{user}" in dockerfile
    pinned = re.search(r"ARG UV_VERSION=(\S+)", dockerfile)
    makefile = re.search(r"UV_VERSION \?= (\S+)", (ROOT / "Makefile").read_text())
    assert pinned and makefile and pinned[1] == makefile[1]


def objects_user(objects: dict[str, Any]) -> int:
    return objects["Deployment"]["spec"]["template"]["spec"]["securityContext"]["runAsUser"]
