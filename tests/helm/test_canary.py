"""Two tracks of the predictor: shares that take effect, or a chart that says why they cannot."""

from pathlib import Path
from typing import Any

import helm_python as helm
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from schemas import require

ROOT = Path(__file__).resolve().parents[2]
DIGEST = "sha256:" + "a" * 64
ROUTE = {"enabled": True, "parentRefs": [{"name": "gateway"}]}
NAME = "finpulse-predictor"


def canary(weight: int = 10, **more: Any) -> dict[str, Any]:
    return {"canary": {"enabled": True, "weight": weight, "image": {"digest": DIGEST}}, **more}


def pods(objects: dict[str, Any]) -> tuple[int, int]:
    """Replicas of stable and canary."""
    names = (NAME, f"{NAME}-canary")
    stable, other = (objects[f"Deployment/{name}"]["spec"]["replicas"] for name in names)
    return stable, other


def test_the_canary_is_another_image_and_nothing_else(predictor: Any) -> None:
    objects = predictor.by_name(**canary(replicas=10))
    stable, other = (
        objects[f"Deployment/{name}"]["spec"]["template"] for name in (NAME, f"{NAME}-canary")
    )
    [one], [two] = stable["spec"].pop("containers"), other["spec"].pop("containers")
    assert stable["spec"] == other["spec"]
    assert (one.pop("image"), two.pop("image")) == (
        "finpulse-predictor:0.1.0",
        f"finpulse-predictor@{DIGEST}",
    )
    assert one == two
    labels = [each["metadata"]["labels"] for each in (stable, other)]
    assert [each["track"] for each in labels] == ["stable", "canary"]


def test_no_deployment_selects_the_pods_of_the_other(predictor: Any) -> None:
    made = predictor.render(**canary(replicas=10))
    deployments = [each for each in made if each["kind"] == "Deployment"]
    for each in deployments:
        wanted = each["spec"]["selector"]["matchLabels"].items()
        chosen = [o for o in deployments if wanted <= labels_of(o).items()]
        assert chosen == [each]
    for kind in ("Service", "NetworkPolicy", "PodDisruptionBudget"):
        [one] = [each for each in made if each["kind"] == kind]
        spec = one["spec"]
        selector = spec.get("podSelector") or spec["selector"]
        wanted = selector.get("matchLabels", selector).items()
        assert all(wanted <= labels_of(each).items() for each in deployments), kind


def labels_of(deployment: dict[str, Any]) -> dict[str, str]:
    labels: dict[str, str] = deployment["spec"]["template"]["metadata"]["labels"]
    return labels


@pytest.mark.parametrize(
    ("weight", "replicas", "shares"),
    [(10, 10, (9, 1)), (10, 19, (18, 1)), (50, 10, (5, 5)), (50, 2, (1, 1)), (99, 2, (1, 1))],
)
def test_without_a_route_the_share_is_that_of_pods_and_never_more(
    predictor: Any, weight: int, replicas: int, shares: tuple[int, int]
) -> None:
    assert pods(predictor.by_name(**canary(weight, replicas=replicas))) == shares


@given(weight=st.integers(1, 99), replicas=st.integers(1, 40))
def test_the_chart_fails_exactly_where_the_weight_is_less_than_a_pod(
    weight: int, replicas: int
) -> None:
    with helm.Chart.load(ROOT / "helm" / "predictor") as chart:
        values = canary(weight, replicas=replicas)
        if weight * replicas < 100:
            with pytest.raises(helm.HelmError, match="less than one pod") as refused:
                chart.render(values, name="finpulse", namespace="prod")
            least = int(str(refused.value).partition("set replicas to ")[2].split()[0])
            assert least * weight >= 100 > (least - 1) * weight
            return
        texts = chart.render(values, name="finpulse", namespace="prod")
        asked = [int(text.partition("replicas: ")[2].split()[0])
                 for text in texts.values() if "replicas: " in text]  # fmt: skip
        share = min(asked) if weight < 50 else max(asked)
        assert sum(asked) == replicas and min(asked) >= 1
        assert abs(share - weight * replicas / 100) < 1 or replicas == 2


def test_a_canary_of_no_image_is_refused(predictor: Any) -> None:
    with pytest.raises(helm.HelmError, match="expected the digest or the tag"):
        predictor.render(replicas=10, canary={"enabled": True})


def test_an_autoscaler_needs_a_route_beside_a_canary(predictor: Any) -> None:
    scaled = {"autoscaling": {"enabled": True}}
    with pytest.raises(helm.HelmError, match=r"expected route\.enabled beside"):
        predictor.render(**canary(), **scaled)
    assert predictor.render(**canary(), **scaled, route=ROUTE)


@pytest.mark.parametrize(("weight", "replicas"), [(1, 1), (10, 2), (50, 3), (99, 10)])
def test_a_route_splits_exactly_and_always_reaches_a_pod(
    predictor: Any, weight: int, replicas: int
) -> None:
    objects = predictor.by_name(**canary(weight, replicas=replicas), route=ROUTE)
    [rule] = objects[f"HTTPRoute/{NAME}"]["spec"]["rules"]
    shares = {each["name"]: each["weight"] for each in rule["backendRefs"]}
    assert shares == {f"{NAME}-stable": 100 - weight, f"{NAME}-canary": weight}
    stable, other = pods(objects)
    assert stable == replicas and other == max(1, -(-weight * replicas // 100))
    for track, deployment in (("stable", NAME), ("canary", f"{NAME}-canary")):
        service = objects[f"Service/{NAME}-{track}"]
        require(service)
        chosen = service["spec"]["selector"].items()
        held = [o for o in objects.values() if o["kind"] == "Deployment"]
        held = [o["metadata"]["name"] for o in held if chosen <= labels_of(o).items()]
        assert held == [deployment]


def test_without_a_canary_all_calls_go_to_stable(predictor: Any) -> None:
    objects = predictor.by_name(route=ROUTE)
    [rule] = objects[f"HTTPRoute/{NAME}"]["spec"]["rules"]
    assert [(e["name"], e["weight"]) for e in rule["backendRefs"]] == [(f"{NAME}-stable", 100)]


def test_pods_are_scraped_once_and_told_apart(predictor: Any) -> None:
    objects = predictor.by_name(**canary(), route=ROUTE, serviceMonitor={"enabled": True})
    monitor = objects[f"ServiceMonitor/{NAME}"]["spec"]
    wanted = monitor["selector"]["matchLabels"].items()
    services = [o for o in objects.values() if o["kind"] == "Service"]
    assert len(services) == 3
    assert [
        o["metadata"]["name"] for o in services if wanted <= o["metadata"]["labels"].items()
    ] == [NAME]
    assert monitor["podTargetLabels"] == ["track"]


def test_long_names_of_releases_leave_room_for_the_tracks() -> None:
    for name in ("a" * 53, "finpulse-" * 5 + "x"):
        with helm.Chart.load(ROOT / "helm" / "predictor") as chart:
            texts = chart.render(
                {**canary(replicas=10), "route": ROUTE}, name=name, namespace="prod"
            )
        made = [o for n, t in texts.items() if n.endswith(".yaml") for o in yaml.safe_load_all(t)]
        names = [o["metadata"]["name"] for o in made if o]
        assert all(len(each) <= 63 for each in names) and len(set(names)) == 3


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"canary": {"weight": 0}}, "weight"),
        ({"canary": {"weight": 100}}, "weight"),
        ({"canary": {"wait": 10}}, "wait"),
        ({"canary": {"image": {"repository": "other"}}}, "repository"),
        ({"canary": {"image": {"digest": "sha256:abc"}}}, "digest"),
        ({"image": {"digest": "latest"}}, "digest"),
        ({"route": {"enabled": True}}, "parentRefs"),
        ({"route": {"enabled": True, "parentRefs": []}}, "parentRefs"),
    ],
)
def test_a_wrong_value_is_refused_by_its_name(
    predictor: Any, values: dict[str, Any], named: str
) -> None:
    assert named in predictor.refusal(**values)


def test_a_canary_comes_and_goes_in_a_cluster_without_touching_who_is_in_office(
    engine: Any,
) -> None:
    place = engine.cluster
    before = engine.upgrade("predictor", {"replicas": 10})
    template = place.found("deployments", NAME)["spec"]["template"]
    selector = place.found("deployments", NAME)["spec"]["selector"]
    for weight in (10, 50):
        engine.upgrade("predictor", canary(weight, replicas=10))
        assert place.found("deployments", NAME)["spec"]["replicas"] == 10 - weight // 10
        assert place.found("deployments", NAME)["spec"]["template"] == template
    assert place.found("deployments", f"{NAME}-canary")["spec"]["replicas"] == 5
    with pytest.raises(helm.HelmError, match="less than one pod"):
        engine.upgrade("predictor", canary(10, replicas=2))
    engine.rollback("predictor", before)
    assert place.found("deployments", NAME)["spec"]["replicas"] == 10
    with pytest.raises(KeyError):
        place.found("deployments", f"{NAME}-canary")
    assert place.found("deployments", NAME)["spec"]["selector"] == selector
