"""What holds for every chart, rendered by Helm and held against the schemas of Kubernetes."""

from typing import Any

import pytest
from schemas import require

from contracts.settings import Settings

EVERYTHING: dict[str, Any] = {
    "predictor": {"autoscaling": {"enabled": True}, "serviceMonitor": {"enabled": True}},
    "monitoring": {n: {"enabled": True} for n in ("serviceMonitor", "rules", "dashboard")},
}
# Kinds that Kubernetes itself has no schema of: the operator's.
OPERATOR = {"ServiceMonitor", "PrometheusRule"}


def container(objects: dict[str, Any]) -> dict[str, Any]:
    return objects["Deployment"]["spec"]["template"]["spec"]["containers"][0]


@pytest.mark.parametrize("version", ["1.25", "1.33", "1.37"])
def test_all_objects_are_valid(chart: Any, version: str) -> None:
    objects = chart.render(**EVERYTHING[chart.folder.name])
    assert {made["kind"] for made in objects} >= {"ConfigMap", "Deployment", "Service"}
    for made in objects:
        if made["kind"] in OPERATOR:
            assert made["apiVersion"] == "monitoring.coreos.com/v1"
        else:
            require(made, version)


def test_the_check_would_notice(chart: Any) -> None:
    objects = chart.by_kind()
    container(objects)["imagePolicy"] = "Never"
    from kubernetes_validate import ValidationError

    with pytest.raises(ValidationError, match="imagePolicy"):
        require(objects["Deployment"])


def test_lint_finds_nothing_but_the_missing_icon(chart: Any) -> None:
    found = chart.findings()
    assert found["total_charts_linted"] == 1 and found["errors"] == []
    assert [each["error"] for each in found["messages"]] == ["icon is recommended"]


def test_labels_join_service_monitor_and_pods(chart: Any) -> None:
    objects = chart.by_kind(**EVERYTHING[chart.folder.name])
    pods = objects["Deployment"]["spec"]["template"]["metadata"]["labels"].items()
    assert objects["Service"]["spec"]["selector"].items() <= pods
    monitor = objects["ServiceMonitor"]["spec"]
    assert monitor["selector"]["matchLabels"].items() <= (
        objects["Service"]["metadata"]["labels"].items()
    )
    [endpoint] = monitor["endpoints"]
    [port] = objects["Service"]["spec"]["ports"]
    assert (endpoint["port"], endpoint["path"]) == (port["name"], "/metrics")
    assert port["targetPort"] in {p["name"] for p in container(objects)["ports"]}


def test_the_pod_has_no_rights_it_does_not_need(chart: Any) -> None:
    objects = chart.by_kind()
    pod = objects["Deployment"]["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container(objects)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["automountServiceAccountToken"] is False
    assert container(objects)["resources"]["limits"]["memory"]
    assert all(name in container(objects) for name in ("startupProbe", "livenessProbe"))


def test_the_pod_is_reached_and_reaches_only_where_it_has_to(chart: Any) -> None:
    objects = chart.by_kind()
    policy = objects["NetworkPolicy"]["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    pods = objects["Deployment"]["spec"]["template"]["metadata"]["labels"].items()
    assert policy["podSelector"]["matchLabels"].items() <= pods
    [way_in] = policy["ingress"]
    [port] = container(objects)["ports"]
    assert way_in == {"ports": [{"protocol": "TCP", "port": port["name"]}]}
    [way_out] = policy["egress"]
    asked = {each["port"] for each in way_out["ports"]}
    mlflow = {80} if chart.folder.name == "monitoring" else set()
    assert asked == {53, 5432, 443} | mlflow
    peer = {"namespaceSelector": {"matchLabels": {"name": "desk"}}}
    narrow = chart.by_kind(networkPolicy={"from": [peer], "ports": [6432]})["NetworkPolicy"]["spec"]
    assert narrow["ingress"][0]["from"] == [peer]
    assert {each["port"] for each in narrow["egress"][0]["ports"]} == {53, 6432}
    assert "NetworkPolicy" not in chart.by_kind(networkPolicy={"enabled": False})
    assert "networkPolicy" in chart.refusal(networkPolicy={"ports": [0]})


def test_every_setting_is_one_that_we_know(chart: Any) -> None:
    objects = chart.by_kind()
    # A service named finpulse-... would bring variables that the settings refuse.
    assert objects["Deployment"]["spec"]["template"]["spec"]["enableServiceLinks"] is False
    names = [*objects["ConfigMap"]["data"], *(e["name"] for e in container(objects)["env"])]
    known = {f"FINPULSE_{name.upper()}" for name in Settings.model_fields}
    assert {name for name in names if name.startswith("FINPULSE_")} <= known


def test_secrets_are_named_and_never_given(chart: Any) -> None:
    objects = chart.by_kind(database={"existingSecret": "mine", "key": "k"})
    asked = {e["name"]: e["valueFrom"]["secretKeyRef"] for e in container(objects)["env"]}
    assert asked["FINPULSE_DATABASE_URL"] == {"name": "mine", "key": "k"}
    assert all("value" not in each for each in container(objects)["env"])
    secret = {n.upper() for n, f in Settings.model_fields.items() if "Secret" in str(f.annotation)}
    assert not {f"FINPULSE_{name}" for name in secret} & set(objects["ConfigMap"]["data"])
    assert "Secret" not in objects
    assert "url" in chart.refusal(database={"url": "postgresql://secret"})


def test_objects_lie_behind_a_url_or_on_a_volume(chart: Any) -> None:
    on_volume = chart.by_kind()
    assert on_volume["ConfigMap"]["data"]["FINPULSE_OBJECTS_URL"] == "/objects"
    mounts = {m["mountPath"]: m for m in container(on_volume)["volumeMounts"]}
    assert set(mounts) == {"/tmp", "/objects"} and mounts["/objects"]["readOnly"] is True
    behind_url = chart.by_kind(objects={"url": "s3://bucket/finpulse"})
    assert [m["mountPath"] for m in container(behind_url)["volumeMounts"]] == ["/tmp"]
    assert "objects" in chart.refusal(objects={"url": "", "existingClaim": ""})
