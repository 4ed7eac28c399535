"""The chart of the monitoring service: rules and dashboard arrive as they are."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from contracts.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
RULES = sorted((ROOT / "helm" / "monitoring" / "rules").glob("*.yml"))
EVERYTHING = {n: {"enabled": True} for n in ("serviceMonitor", "rules", "dashboard")}


def test_the_operators_objects_are_off_by_default(monitoring: Any) -> None:
    assert set(monitoring.by_kind()) == {"ConfigMap", "Deployment", "NetworkPolicy", "Service"}
    assert len(monitoring.render()) == 4 and len(monitoring.render(**EVERYTHING)) == 7


def test_all_rules_arrive_unchanged(monitoring: Any) -> None:
    made = monitoring.by_kind(rules={"enabled": True, "labels": {"release": "mine"}})
    groups = [group for file in RULES for group in yaml.safe_load(file.read_text())["groups"]]
    assert made["PrometheusRule"]["spec"]["groups"] == groups
    assert made["PrometheusRule"]["metadata"]["labels"]["release"] == "mine"


def test_the_dashboard_arrives_unchanged_under_the_sidecars_label(monitoring: Any) -> None:
    [made] = [
        each
        for each in monitoring.render(dashboard={"enabled": True})
        if each["metadata"]["name"].endswith("-dashboard")
    ]
    assert made["metadata"]["labels"]["grafana_dashboard"] == "1"
    file = ROOT / "helm" / "monitoring" / "dashboards" / "finpulse.json"
    assert json.loads(made["data"]["finpulse.json"]) == json.loads(file.read_text())


def test_the_job_is_named_as_the_rules_name_it(monitoring: Any, predictor: Any) -> None:
    told = "".join(file.read_text() for file in RULES)
    for chart in (monitoring, predictor):
        monitor = chart.by_kind(serviceMonitor={"enabled": True})["ServiceMonitor"]
        [rule] = monitor["spec"]["endpoints"][0]["relabelings"]
        assert rule["targetLabel"] == "job" and f'job="{rule["replacement"]}"' in told


def test_one_pod_only_reconciles(monitoring: Any) -> None:
    spec = monitoring.by_kind()["Deployment"]["spec"]
    assert spec["replicas"] == 1 and spec["strategy"] == {"type": "Recreate"}


def test_the_gate_is_told_of_a_prometheus_where_there_is_one(monitoring: Any) -> None:
    assert "FINPULSE_PROMETHEUS_URL" not in monitoring.by_kind()["ConfigMap"]["data"]
    made = monitoring.by_kind(prometheus={"url": "http://prometheus:9090"})
    assert made["ConfigMap"]["data"]["FINPULSE_PROMETHEUS_URL"] == "http://prometheus:9090"
    [egress] = made["NetworkPolicy"]["spec"]["egress"]
    assert 9090 in [each["port"] for each in egress["ports"]], "or every release holds"


def test_how_long_calls_are_kept_reaches_the_settings(monitoring: Any) -> None:
    def told(**values: Any) -> str:
        return str(monitoring.by_kind(**values)["ConfigMap"]["data"]["FINPULSE_REQUEST_DAYS"])

    assert told() == str(Settings.model_fields["request_days"].default)
    assert told(requestDays=7) == "7" and told(requestDays=2_000_000) == "2000000"


@pytest.mark.parametrize(
    ("url", "port"),
    [
        ("http://airflow-api-server:8080", 8080),
        ("http://airflow.example/base", 80),
        ("https://airflow.example", 443),
        ("http://10.0.0.7:9000/", 9000),
    ],
)
def test_airflow_is_reached_at_its_own_port_with_a_password_of_a_secret(
    monitoring: Any, url: str, port: int
) -> None:
    made = monitoring.by_kind(airflow={"url": url}, networkPolicy={"ports": [5432]})
    assert made["ConfigMap"]["data"]["FINPULSE_AIRFLOW_URL"] == url
    [egress] = made["NetworkPolicy"]["spec"]["egress"]
    assert [each["port"] for each in egress["ports"]] == [53, 53, 5432, port]
    [pod] = made["Deployment"]["spec"]["template"]["spec"]["containers"]
    password = {e["name"]: e["valueFrom"] for e in pod["env"]}["FINPULSE_AIRFLOW_PASSWORD"]
    assert password == {"secretKeyRef": {"name": "finpulse-airflow", "key": "monitoring"}}


def test_without_an_airflow_nothing_of_it_is_asked_for(monitoring: Any) -> None:
    made = monitoring.by_kind()
    assert "AIRFLOW" not in str(made["ConfigMap"]) and "airflow" not in str(made["Deployment"])


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"replicas": 2}, "replicas"),
        ({"mlflow": {"url": "mlflow:5000"}}, "url"),
        ({"mlflow": {"url": "http://name:password@mlflow"}}, "url"),
        ({"airflow": {"url": "airflow:8080"}}, "url"),
        ({"airflow": {"url": "http://airflow", "password": "x"}}, "password"),
        ({"serviceMonitor": {"interval": "15"}}, "interval"),
        ({"rules": {"enable": True}}, "enable"),
        ({"requestDays": 0}, "requestDays"),
        ({"requestDays": "90"}, "requestDays"),
    ],
)
def test_a_wrong_value_is_refused_by_its_name(
    monitoring: Any, values: dict[str, Any], named: str
) -> None:
    assert named in monitoring.refusal(**values)


def test_the_routes_of_alerts_are_the_one_file_and_hold_no_url(monitoring: Any) -> None:
    kinds = {each["kind"] for each in monitoring.render()}
    assert "Secret" not in kinds
    made = monitoring.by_kind(alertmanager={"enabled": True})["Secret"]["stringData"]
    file = ROOT / "helm" / "monitoring" / "alertmanager" / "alertmanager.yml"
    assert made == {"alertmanager.yaml": file.read_text()}
    assert "://" not in file.read_text()
    # As the operator mounts what an Alertmanager lists under `secrets`.
    assert file.read_text().count("/etc/alertmanager/secrets/finpulse-receivers/") == 2
