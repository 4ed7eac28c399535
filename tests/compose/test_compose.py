"""The compose file: valid, no secret in it, nobody starts before what he needs is healthy."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from programs import PATIENCE
from schemas import complaints

from contracts.database.connection import OTHERS, address
from contracts.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "infra" / "compose"
FILE = FOLDER / "compose.yaml"
CHOSEN: dict[str, Any] = yaml.safe_load(FILE.read_text())
SERVICES: dict[str, Any] = CHOSEN["services"]


class Merged(yaml.SafeLoader):
    """Reads what replaces in place of being joined as what it is then."""


Merged.add_constructor("!override", lambda loader, node: loader.construct_mapping(node, deep=True))


def test_it_is_valid_and_a_wrong_one_is_not(tmp_path: Path) -> None:
    for file in FOLDER.glob("*.yaml"):
        plain = tmp_path / f"{file.stem}.json"
        plain.write_text(json.dumps(yaml.load(file.read_text(), Merged)))
        assert not complaints("compose-spec", plain), file
    wrong = tmp_path / "compose.yaml"
    wrong.write_text(FILE.read_text().replace("depends_on:", "depend_on:"))
    assert "depend_on" in complaints("compose-spec", wrong)


def test_the_services_of_the_stack_are_there() -> None:
    asked = {"postgres", "mlflow", "airflow", "predictor", "monitoring", "prometheus", "grafana"}
    asked |= {"loki", "shipper", "alertmanager"}
    assert asked <= set(SERVICES)


@pytest.mark.parametrize("name", SERVICES)
def test_all_share_a_network_and_wait_for_health(name: str) -> None:
    service = SERVICES[name]
    assert service["networks"] == ["finpulse"]
    for needed, how in service.get("depends_on", {}).items():
        ends = SERVICES[needed]["restart"] == "on-failure"
        awaited = "service_completed_successfully" if ends else "service_healthy"
        assert how == {"condition": awaited}
        assert ends or SERVICES[needed]["healthcheck"]["test"][0] == "CMD"


@pytest.mark.parametrize("name", SERVICES)
def test_each_is_bounded_and_has_no_rights_it_does_not_need(name: str) -> None:
    service = SERVICES[name]
    assert re.fullmatch(r"\d+[mg]", service["mem_limit"])
    assert service["cpus"] <= 2 and service["pids_limit"] <= 3000
    if name != "postgres":  # It changes its user when it starts.
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
    if "build" in service:
        assert service["read_only"] is True and service["tmpfs"] == ["/tmp"]


def test_each_has_a_role_of_its_own_and_none_is_the_superuser() -> None:
    roles: dict[str, set[str]] = {}
    for name, service in SERVICES.items():
        for role, word in re.findall(r"//(\w+):\$\{(\w+)", str(service.get("environment"))):
            roles.setdefault(role, set()).add(name)
            assert word != "POSTGRES_PASSWORD"
    airflow = {"airflow", "airflow-scheduler", "airflow-dag-processor"}
    assert roles == {
        "owner": {"migration"},
        "writer": {"airflow-scheduler", "monitoring"},
        "reader": {"predictor"},
        "airflow": airflow,
        "mlflow": {"mlflow"},
    }


def test_podman_gets_what_docker_alone_has_replaced() -> None:
    changed = yaml.load((FOLDER / "podman.yaml").read_text(), Merged)
    shipped = {name for name, each in SERVICES.items() if "logging" in each}
    assert set(changed["services"]) == shipped
    assert all(each == {"logging": {"driver": "k8s-file"}} for each in changed["services"].values())
    told = {name: each["file"] for name, each in changed["secrets"].items()}
    assert set(CHOSEN["secrets"]) <= set(told)
    assert all(file == f"./secrets/{name}" for name, file in told.items())
    assert "infra/compose/secrets/" in (ROOT / ".gitignore").read_text().split()


def test_a_secret_reaches_only_whom_it_concerns() -> None:
    holders = {
        secret: {name for name, service in SERVICES.items() if secret in yaml.safe_dump(service)}
        for secret in (
            *("airflow_passwords", "AIRFLOW_MONITORING_PASSWORD"),
            *("API_KEYS", "AIRFLOW_JWT_SECRET", "GRAFANA_PASSWORD"),
        )
    }
    assert holders == {
        "airflow_passwords": {"airflow"},
        "AIRFLOW_MONITORING_PASSWORD": {"monitoring"},
        "API_KEYS": {"predictor"},
        "AIRFLOW_JWT_SECRET": {"airflow", "airflow-scheduler", "airflow-dag-processor"},
        "GRAFANA_PASSWORD": {"grafana"},
    }


def test_monitoring_logs_in_to_airflow_as_who_may_post_events_and_no_more() -> None:
    given = SERVICES["monitoring"]["environment"]
    users = SERVICES["airflow"]["environment"]["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS"]
    assert f"{given['FINPULSE_AIRFLOW_USER']}:op" in users.split(",")
    assert f'"{given["FINPULSE_AIRFLOW_USER"]}": ' in (FOLDER / ".env.example").read_text()


def test_mlflow_is_reached_by_the_services_alone_unless_asked() -> None:
    assert "ports" not in SERVICES["mlflow"]
    asked = yaml.safe_load((FOLDER / "mlflow_page.yaml").read_text())["services"]
    assert asked == {"mlflow": {"ports": ["127.0.0.1:5001:5001"]}}


def test_names_that_are_spoken_to_are_waited_for() -> None:
    for name, service in SERVICES.items():
        told = dict(service.get("environment", {}))
        # Who is asked now and then, and may be away.
        told.pop("FINPULSE_PROMETHEUS_URL", None)
        spoken = re.findall(r"(?:@|//)(\w+)[:/]", str(told))
        reached, todo = {name}, [name]
        while todo:
            todo = [n for t in todo for n in SERVICES[t].get("depends_on", {}) if n not in reached]
            reached |= set(todo)
        assert {other for other in spoken if other in SERVICES} <= reached, name


def test_airflow_passes_over_no_file_of_the_folder_of_dags() -> None:
    told = SERVICES["airflow-dag-processor"]["environment"]
    assert told["AIRFLOW__CORE__DAG_DISCOVERY_SAFE_MODE"] == "false"


def test_what_waits_for_others_waits_as_long_as_in_the_local_stack() -> None:
    for name in ("airflow", "airflow-scheduler", "airflow-dag-processor"):
        told = SERVICES[name]["environment"]
        assert {key: told[f"AIRFLOW__{key}"] for key in PATIENCE} == {
            key: str(value) for key, value in PATIENCE.items()
        }
    limits = address("postgresql://x@y/z", OTHERS).partition("?")[2]
    for name, key in (
        ("airflow", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"),
        ("mlflow", "MLFLOW_BACKEND_STORE_URI"),
    ):
        assert SERVICES[name]["environment"][key].partition(f"@postgres/{name}?")[2] == limits


def test_no_secret_is_written_down() -> None:
    text = "\n".join(
        path.read_text()
        for path in FOLDER.rglob("*.*")
        # A page's variables are Grafana's.
        if path.is_file() and path.name != ".env" and path.suffix != ".json"
    )
    asked = set(re.findall(r"(?<!\$)\$\{(\w+)", text))
    listed = re.findall(r"^(\w+)=(.*)$", (FOLDER / ".env.example").read_text(), re.M)
    environment = {secret["environment"] for secret in CHOSEN["secrets"].values()}
    assert asked | environment == {name for name, _ in listed}
    assert not any(value for _, value in listed)
    for word, value in re.findall(r"(PASSWORD|SECRET|FERNET_KEY)\w*: (\S+)", FILE.read_text()):
        assert value.startswith(("${", "/tmp/")), word


def test_settings_and_ports_are_ours() -> None:
    known = {f"FINPULSE_{name.upper()}" for name in Settings.model_fields}
    for service in SERVICES.values():
        named = {n for n in service.get("environment", {}) if n.startswith("FINPULSE_")}
        assert named <= known
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    fields = Settings.model_fields
    for name in ("airflow", "predictor"):
        port = fields[f"{name}_port"].default
        assert SERVICES[name]["ports"] == [f"127.0.0.1:{port}:{port}"]


def test_images_are_targets_and_mounts_are_there() -> None:
    dockerfile = (ROOT / "infra" / "images" / "Dockerfile").read_text()
    for service in SERVICES.values():
        if build := service.get("build"):
            assert f"--target {build['target']} -t {service['image']} ." in dockerfile
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            if source.startswith("."):
                assert (FOLDER / source).exists(), source
            else:
                assert source in CHOSEN["volumes"]


def test_prometheus_asks_the_services_and_reads_the_rules() -> None:
    chosen = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    targets = [job["static_configs"][0]["targets"][0] for job in chosen["scrape_configs"]]
    assert targets == ["predictor:8000", "monitoring:9108"]
    laptop = yaml.safe_load((ROOT / "infra" / "prometheus" / "prometheus.yml").read_text())
    jobs = [[job["job_name"] for job in each["scrape_configs"]] for each in (chosen, laptop)]
    assert jobs[0] == jobs[1]
    told = [each["alerting"]["alertmanagers"][0]["static_configs"] for each in (chosen, laptop)]
    assert told == [[{"targets": [f"{h}:9093"]}] for h in ("alertmanager", "127.0.0.1")]
    mounted = dict(volume.split(":")[:2] for volume in SERVICES["prometheus"]["volumes"])
    assert mounted["../../helm/monitoring/rules"] == "/etc/prometheus/rules"


def test_what_must_outlive_a_container_lies_in_a_named_volume() -> None:
    """Models, matrices and embeddings are objects; all else that is written is gone with /tmp."""
    kept = {
        "postgres": "/var/lib/postgresql",
        "mlflow": "/artifacts",
        "airflow-scheduler": "/objects",
        "airflow": "/logs",
        "loki": "/loki",
        "prometheus": "/prometheus",
        "alertmanager": "/alertmanager",
        "grafana": "/var/lib/grafana",
    }
    for name, place in kept.items():
        mounts = dict(reversed(each.split(":")[:2]) for each in SERVICES[name]["volumes"])
        assert mounts[place] in CHOSEN["volumes"], name
    assert all(not options for options in CHOSEN["volumes"].values()), "kept by `down`, too"
    readers = {
        name
        for name, service in SERVICES.items()
        if "objects" in str(service.get("environment", {}).get("FINPULSE_OBJECTS_URL"))
    }
    assert readers == {"airflow-scheduler", "predictor", "monitoring"}
    for name in readers:
        [mount] = [each for each in SERVICES[name]["volumes"] if each.startswith("objects:")]
        assert mount == (
            "objects:/objects" if name == "airflow-scheduler" else "objects:/objects:ro"
        )
    for name, service in SERVICES.items():
        if "build" in service:
            assert service["read_only"] and service["tmpfs"] == ["/tmp"], name


def test_whoever_holds_a_release_back_can_ask_for_its_callers() -> None:
    """The gate of a challenger is a task of Airflow's, that of an image runs in monitoring."""
    [port] = SERVICES["prometheus"]["ports"]
    for name in ("airflow-scheduler", "monitoring"):
        told = SERVICES[name]["environment"]["FINPULSE_PROMETHEUS_URL"]
        assert told == f"http://prometheus:{port.rpartition(':')[2]}"


def test_all_that_read_the_dags_are_told_of_approval_and_releases_alike() -> None:
    told = {
        name: [
            SERVICES[name]["environment"][f"FINPULSE_{each}"] for each in ("APPROVAL", "RELEASE")
        ]
        for name in ("airflow", "airflow-scheduler", "airflow-dag-processor")
    }
    assert set(map(tuple, told.values())) == {("${APPROVAL:-none}", "${RELEASE:-direct}")}


def test_alertmanager_finds_its_routes_and_the_urls_of_its_receivers() -> None:
    service = SERVICES["alertmanager"]
    mounted = dict(volume.split(":")[:2] for volume in service["volumes"])
    own = "../../helm/monitoring/alertmanager/alertmanager.yml"
    routes = yaml.safe_load((FOLDER / own).read_text())
    asked = [each["slack_configs"][0]["api_url_file"] for each in routes["receivers"]]
    assert [each["target"] for each in service["secrets"]] == asked
    assert f"--config.file={mounted[own]}" in service["command"]
