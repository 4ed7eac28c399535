"""The chart of the platform: migrations that hold nobody up, volumes that stay, few rights."""

import json
from typing import Any

import helm_python as helm
import pytest
from schemas import require

from contracts.settings import Settings

NAME = "finpulse-platform"
CRDS = {"RayCluster"}
RAY = {"ray": {"cluster": {"enabled": True}}}


def of_kind(objects: dict[str, Any], kind: str) -> dict[str, Any]:
    return {name.partition("/")[2]: o for name, o in objects.items() if name.startswith(f"{kind}/")}


def job(objects: dict[str, Any]) -> str:
    [name] = of_kind(objects, "Job")
    return name


def changed(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    """Names of objects that two renders do not share."""
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


@pytest.mark.parametrize("version", ["1.25", "1.33", "1.37"])
def test_all_objects_are_valid(platform: Any, version: str) -> None:
    objects = platform.render(**RAY)
    assert {o["kind"] for o in objects} > {"Job", "Deployment", "PersistentVolumeClaim"} | CRDS
    for made in objects:
        if made["kind"] not in CRDS:
            require(made, version)


def test_lint_finds_nothing_but_the_missing_icon(platform: Any) -> None:
    found = platform.findings()
    assert found["errors"] == []
    assert [each["error"] for each in found["messages"]] == ["icon is recommended"]


def pods(objects: dict[str, Any]) -> dict[str, Any]:
    kinds = of_kind(objects, "Deployment") | of_kind(objects, "Job")
    found = {name: o["spec"]["template"] for name, o in kinds.items()}
    for cluster in of_kind(objects, "RayCluster").values():
        found["head"] = cluster["spec"]["headGroupSpec"]["template"]
        [group] = cluster["spec"]["workerGroupSpecs"]
        found["worker"] = group["template"]
    if step := of_kind(objects, "ConfigMap").get(f"{NAME}-step"):
        found["step"] = json.loads(step["data"]["pod.json"])
    return found


def test_no_pod_has_a_right_that_it_does_not_need(platform: Any) -> None:
    found = pods(platform.by_name(**RAY))
    assert len(found) == 8
    for name, template in found.items():
        pod = template["spec"]
        assert pod["enableServiceLinks"] is False
        # The scheduler makes pods of tasks; nobody else calls the cluster.
        assert pod["automountServiceAccountToken"] is (name == f"{NAME}-scheduler")
        assert pod["securityContext"] == {
            "runAsNonRoot": True,
            "runAsUser": 10001,
            "runAsGroup": 10001,
            "fsGroup": 10001,
            "seccompProfile": {"type": "RuntimeDefault"},
        }
        for container in [*pod.get("initContainers", []), *pod["containers"]]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, name
            assert container["resources"]["limits"]["memory"]
            mounted = {mount["mountPath"] for mount in container["volumeMounts"]}
            assert "/tmp" in mounted, "its root is for reading alone"


def test_nothing_is_a_hook_so_that_waiting_cannot_lock_up(platform: Any) -> None:
    for name, made in platform.by_name(**RAY).items():
        assert "helm.sh/hook" not in json.dumps(made["metadata"]), name
    deployments = of_kind(platform.by_name(), "Deployment")
    for name in ("airflow", "scheduler", "dag-processor"):
        [waits] = deployments[f"{NAME}-{name}"]["spec"]["template"]["spec"]["initContainers"]
        assert waits["command"][:3] == ["airflow", "db", "check-migrations"]


def test_another_image_is_another_job_and_the_same_is_left_alone(platform: Any) -> None:
    before = platform.by_name()
    again = platform.by_name(scheduler={"resources": {"limits": {"memory": "9Gi"}}})
    assert changed(before, again) == {f"Deployment/{NAME}-scheduler"}
    other = platform.by_name(image={"tag": "2"})
    assert job(before) == job(again) != job(other)


@pytest.mark.parametrize(
    ("values", "touched"),
    [
        ({"universe": "london8"}, {"ConfigMap/{}-tasks"}),
        ({"spark": {"master": "k8s://https://kubernetes.default.svc"}}, {"ConfigMap/{}-tasks"}),
        ({"networkPolicy": {"from": [{"podSelector": {}}]}}, {"NetworkPolicy/{}-airflow"}),
        ({"tracking": {"resources": {"limits": {"memory": "3Gi"}}}}, {"Deployment/{}-mlflow"}),
        ({"volumes": {"logs": {"size": "50Gi"}}}, {"PersistentVolumeClaim/{}-logs"}),
    ],
)
def test_a_value_changes_what_it_is_about(
    platform: Any, values: dict[str, Any], touched: set[str]
) -> None:
    found = changed(platform.by_name(), platform.by_name(**values))
    # A changed setting starts Airflow's pods anew.
    around = {f"Deployment/{NAME}-{each}" for each in ("airflow", "scheduler", "dag-processor")}
    asked = {name.format(NAME) for name in touched}
    assert found == asked | (around if any("-tasks" in name for name in asked) else set())


def test_volumes_are_kept_and_a_bucket_needs_none(platform: Any) -> None:
    claims = of_kind(platform.by_name(), "PersistentVolumeClaim")
    assert set(claims) == {f"{NAME}-{each}" for each in ("objects", "artifacts", "logs")}
    for claim in claims.values():
        assert claim["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    sizes = {n: c["spec"]["resources"]["requests"]["storage"] for n, c in claims.items()}
    assert sizes[f"{NAME}-objects"] == "100Gi"
    bucket = platform.by_name(objects={"url": "s3://b/objects"})
    assert f"{NAME}-objects" not in of_kind(bucket, "PersistentVolumeClaim")
    assert "/objects" not in json.dumps(pods(bucket)["step"]).replace("b/objects", "")
    mine = platform.by_name(volumes={"logs": {"existingClaim": "mine"}})
    assert f"{NAME}-logs" not in of_kind(mine, "PersistentVolumeClaim")
    assert json.dumps(mine).count('"claimName": "mine"') == 3


def test_who_writes_the_champion_is_reached_by_our_pods_alone(platform: Any) -> None:
    policies = of_kind(platform.by_name(**RAY), "NetworkPolicy")
    templates = pods(platform.by_name(**RAY))
    for name, policy in policies.items():
        wanted = policy["spec"]["podSelector"]["matchLabels"].items()
        chosen = [n for n, t in templates.items() if wanted <= t["metadata"]["labels"].items()]
        assert chosen, name
    covered = [
        name
        for name, template in templates.items()
        if any(
            p["spec"]["podSelector"]["matchLabels"].items()
            <= template["metadata"]["labels"].items()
            for p in policies.values()
        )
    ]
    assert set(covered) == set(templates), "each pod has a policy"
    [way_in] = policies[f"{NAME}-mlflow"]["spec"]["ingress"]
    ours = {"podSelector": {"matchLabels": {"app.kubernetes.io/part-of": "finpulse"}}}
    assert way_in["from"] == [ours]
    for quiet in ("scheduler", "dag-processor", "migrations", "step"):
        spec = policies[f"{NAME}-{quiet}"]["spec"]
        assert "Ingress" in spec["policyTypes"] and "ingress" not in spec


def test_airflow_passes_over_no_file_of_the_folder_of_dags(platform: Any) -> None:
    told = platform.by_name()[f"ConfigMap/{NAME}-airflow"]["data"]
    assert told["AIRFLOW__CORE__DAG_DISCOVERY_SAFE_MODE"] == "false"


def test_every_setting_is_known_and_no_secret_is_given(platform: Any) -> None:
    objects = platform.by_name(**RAY)
    known = {f"FINPULSE_{name.upper()}" for name in Settings.model_fields}
    told = of_kind(objects, "ConfigMap")[f"{NAME}-tasks"]["data"]
    assert {name for name in told if name.startswith("FINPULSE_")} <= known
    assert not of_kind(objects, "Secret")
    secrets: dict[str, set[str]] = {}
    for name, template in pods(objects).items():
        for container in template["spec"]["containers"]:
            for each in container.get("env", []):
                if "valueFrom" in each:
                    key = each["valueFrom"]["secretKeyRef"]["key"]
                    secrets.setdefault(key, set()).add(name)
    assert secrets["writer"] == {"step"}
    assert secrets["owner"] == {job(objects)}


def test_each_task_is_a_pod_and_the_scheduler_may_make_pods_and_nothing_else(platform: Any) -> None:
    objects = platform.by_name()
    step = pods(objects)["step"]
    require(step | {"metadata": step["metadata"] | {"name": "x"}})
    assert step["spec"]["restartPolicy"] == "Never", "Airflow tries again, not the kubelet"
    mounts = {each["mountPath"] for each in step["spec"]["containers"][0]["volumeMounts"]}
    assert mounts == {"/tmp", "/dev/shm", "/objects"}
    [role] = of_kind(objects, "Role").values()
    assert role["rules"] == [
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["create", "get", "delete"]},
        {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]},
    ]
    scheduler = objects[f"Deployment/{NAME}-scheduler"]["spec"]["template"]["spec"]
    [binding] = of_kind(objects, "RoleBinding").values()
    assert scheduler["serviceAccountName"] == binding["subjects"][0]["name"]
    assert "/objects" not in json.dumps(scheduler), "facts' files are for tasks"


def test_without_pods_the_scheduler_does_the_work_and_may_make_none(platform: Any) -> None:
    objects = platform.by_name(tasks={"inPods": False})
    assert not of_kind(objects, "Role") and "step" not in pods(objects)
    scheduler = objects[f"Deployment/{NAME}-scheduler"]["spec"]["template"]["spec"]
    assert scheduler["automountServiceAccountToken"] is False
    [container] = scheduler["containers"]
    assert "FINPULSE_DATABASE_URL" in {each["name"] for each in container["env"]}
    assert "/objects" in {each["mountPath"] for each in container["volumeMounts"]}


def test_learning_goes_to_the_pool_of_its_own(platform: Any) -> None:
    workers = {"nodeSelector": {"finpulse/pool": "gpu"}}
    values = {"cluster": {"enabled": True, "workers": workers}}
    made = platform.by_name(ray=values, nodeSelector={"pool": "small"})
    cluster = made[f"RayCluster/{NAME}-ray"]["spec"]
    [group] = cluster["workerGroupSpecs"]
    pod = group["template"]["spec"]
    assert pod["nodeSelector"] == {"finpulse/pool": "gpu"}
    assert pod["tolerations"][0]["key"] == "nvidia.com/gpu" and group["minReplicas"] == 0
    assert pod["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert cluster["headGroupSpec"]["template"]["spec"]["nodeSelector"] == {"pool": "small"}


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"univers": "x"}, "univers"),
        ({"source": "bloomberg"}, "source"),
        ({"spark": {"master": "yarn"}}, "master"),
        ({"ray": {"address": "http://x y"}}, "address"),
        ({"ray": {"cluster": {"workers": {"gpus": 1}}}}, "gpus"),
        ({"volumes": {"models": {}}}, "models"),
        ({"volumes": {"logs": {"size": "50"}}}, "size"),
        ({"airflow": {"users": "admin"}}, "users"),
        ({"airflow": {"password": "x"}}, "password"),
        ({"scheduler": {"replicas": 2}}, "replicas"),
    ],
)
def test_a_wrong_value_is_refused_by_its_name(
    platform: Any, values: dict[str, Any], named: str
) -> None:
    assert named in platform.refusal(**values)


def test_an_upgrade_and_the_way_back_keep_volumes_and_change_no_jobs_template(engine: Any) -> None:
    place = engine.cluster
    first = engine.upgrade("platform", {})
    claims = {key for key in place.objects if key[0] == "persistentvolumeclaims"}
    kept = {key: place.objects[key]["metadata"]["uid"] for key in claims}
    [before] = [key for key in place.objects if key[0] == "jobs"]
    engine.upgrade("platform", {"scheduler": {"resources": {"limits": {"memory": "9Gi"}}}})
    assert [key for key in place.objects if key[0] == "jobs"] == [before]
    engine.upgrade("platform", {"image": {"tag": "2"}, "objects": {"url": "s3://b/objects"}})
    [after] = [key for key in place.objects if key[0] == "jobs"]
    assert after != before
    engine.rollback("platform", first)
    assert [key for key in place.objects if key[0] == "jobs"] == [before]
    assert {key: place.objects[key]["metadata"]["uid"] for key in claims} == kept
    engine.config.uninstall(NAME)
    assert {key for key in place.objects} == claims, "what is in them outlives the release"


def test_the_cluster_refuses_what_a_real_one_refuses(engine: Any) -> None:
    engine.upgrade("platform", {})
    [name] = [key[2] for key in engine.cluster.objects if key[0] == "jobs"]
    frozen = engine.cluster.found("jobs", name)["spec"]["template"]
    frozen["spec"]["restartPolicy"] = "Never"
    with pytest.raises(helm.HelmError, match="immutable"):
        engine.upgrade("platform", {"universe": "london8"})


def test_production_waits_for_a_person_and_all_that_read_the_dags_know_it(platform: Any) -> None:
    for environment, told in (("dev", "none"), ("staging", "none"), ("prod", "person")):
        data = platform.by_name(**platform.chosen(environment))[f"ConfigMap/{NAME}-tasks"]["data"]
        assert data["FINPULSE_APPROVAL"] == told
    objects = platform.by_name()
    for name in ("airflow", "scheduler", "dag-processor"):
        [container] = objects[f"Deployment/{NAME}-{name}"]["spec"]["template"]["spec"]["containers"]
        named = [each["configMapRef"]["name"] for each in container["envFrom"]]
        assert f"{NAME}-tasks" in named, name
    assert "approval" in platform.refusal(approval="somebody")


def test_the_task_that_asks_of_a_release_reaches_prometheus(platform: Any) -> None:
    assert "FINPULSE_PROMETHEUS_URL" not in str(platform.by_name())
    url = "http://prometheus.elsewhere:9091"
    objects = platform.by_name(prometheus={"url": url}, release="staged")
    told = objects[f"ConfigMap/{NAME}-tasks"]["data"]
    assert (told["FINPULSE_PROMETHEUS_URL"], told["FINPULSE_RELEASE"]) == (url, "staged")
    for name in ("step", "scheduler"):
        [egress] = objects[f"NetworkPolicy/{NAME}-{name}"]["spec"]["egress"]
        assert 9091 in [each["port"] for each in egress["ports"]]
