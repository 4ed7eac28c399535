"""The workflow that deploys, run as it ships: by act on this machine, by Helm's real engine into a
small cluster. What needs a cloud (its login, its registry) and what takes long (a rehearsal, the
building of images) has a stand-in on the path that writes down what it was asked for."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "fixtures"))

from released import DIGEST, Release, checked_out, merge  # noqa: E402

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

NAME = "finpulse-predictor"
OLD = "sha256:" + "0" * 64


@pytest.fixture
def release(tmp_path: Path) -> Iterator[Release]:
    """A checkout, and an empty cluster."""
    with checked_out(tmp_path) as made:
        yield made


def installed(release: Release) -> None:
    """Production as the release before left it."""
    for name in DIGEST:
        path = ROOT / "helm" / "values" / name / "prod.yaml"
        values = merge(yaml.safe_load(path.read_text()), {"image": {"digest": OLD}})
        release.helm.config().install(
            ROOT / "helm" / name, f"finpulse-{name}", values, namespace="finpulse"
        )


def digest(release: Release, name: str, namespace: str = "finpulse") -> str:
    """Of the image that a Deployment runs."""
    found = release.helm.cluster.found("deployments", name, namespace)
    image: str = found["spec"]["template"]["spec"]["containers"][0]["image"]
    return image.partition("@")[2]


def jobs(output: str) -> dict[str, str]:
    """Job -> how it ended, as act tells it."""
    return dict(re.findall(r"\[deploy/(\w+)[^\]]*\] 🏁  Job (succeeded|failed)", output))


def weights(release: Release) -> list[str]:
    """What the canary was given, step by step."""
    told = [word for words in release.helm.asked for word in words]
    return [word.partition("=")[2] for word in told if word.startswith("canary.weight=")]


def test_a_pass_goes_to_production(release: Release) -> None:
    installed(release)
    code, output = release.run("echo PROMOTE")
    assert code == 0, output[-6000:]
    ended = jobs(output)
    assert ended == dict.fromkeys(("rehearsal", "staging", "canary", "production"), "succeeded")
    assert "⭐ Run Main infra/release/images.sh" in output
    rehearsed = [line for line in release.asked if line.startswith("make ")]
    assert rehearsed == ["make up", *(f"make rehearse STEP={step}" for step in
                         ("etl", "train", "evaluate")), "make down", "make setup"]  # fmt: skip
    assert sum(line.startswith("docker buildx build") for line in release.asked) == 3
    assert weights(release) == ["10", "50"]
    for chart, deployment in (("predictor", NAME), ("monitoring", "finpulse-monitoring"),
                              ("platform", "finpulse-platform-scheduler")):  # fmt: skip
        for namespace in ("finpulse-staging", "finpulse"):
            assert digest(release, deployment, namespace) == DIGEST[chart]
    assert ("deployments", "finpulse", f"{NAME}-canary") not in release.helm.cluster.objects
    assert release.helm.cluster.found("deployments", NAME)["spec"]["replicas"] == 10


@pytest.mark.parametrize("failing", [10, 50])
def test_a_fail_is_taken_back_and_never_reaches_production(release: Release, failing: int) -> None:
    installed(release)
    gate = f"sh -c 'test {{weight}} != {failing} && echo PROMOTE || {{ echo ROLLBACK; exit 1; }}'"
    code, output = release.run(gate)
    assert code == 1
    ended = jobs(output)
    assert ended["canary"] == "failed" and ended["rollback"] == "succeeded", output[-6000:]
    assert ended["staging"] == "succeeded" and "production" not in ended
    assert weights(release) == (["10"] if failing == 10 else ["10", "50"])
    place = release.helm.cluster
    assert digest(release, NAME) == OLD
    assert place.found("deployments", NAME)["spec"]["replicas"] == 10
    assert ("deployments", "finpulse", f"{NAME}-canary") not in place.objects
    assert not any(DIGEST["platform"] in json.dumps(o) for k, o in place.objects.items()
                   if k[1] == "finpulse")  # fmt: skip


def test_a_production_that_does_not_come_up_goes_back_too(release: Release) -> None:
    installed(release)
    # The platform and monitoring are upgraded by then.
    release.helm.refused = ("finpulse", f"image.digest={DIGEST['predictor']}")
    code, output = release.run("echo PROMOTE")
    assert code == 1
    ended = jobs(output)
    assert (ended["canary"], ended["production"]) == ("succeeded", "failed"), output[-6000:]
    assert ended["rollback"] == "succeeded"
    for name in (NAME, "finpulse-monitoring", "finpulse-platform-scheduler"):
        assert digest(release, name) == OLD


def test_a_first_release_is_not_made_by_the_workflow(release: Release) -> None:
    code, output = release.run("echo PROMOTE")
    assert code == 1 and "the first release is put there by hand" in output
    assert "production" not in jobs(output)
    assert not [key for key in release.helm.cluster.objects if key[1] == "finpulse"]


def test_each_image_is_built_once_and_what_is_in_it_is_listed(release: Release) -> None:
    output = release.folder / "output"
    path = f"{release.folder / 'bin'}:/usr/bin:/bin"
    told = {"PATH": path, "REGISTRY": "registry.example", "GITHUB_OUTPUT": str(output)}
    checkout = release.folder / "checkout"
    subprocess.run(["make", "setup"], cwd=checkout, env=told, check=True)
    script = checkout / "infra" / "release" / "images.sh"
    subprocess.run([script], env=told | {"GITHUB_SHA": "f00"}, check=True, capture_output=True)
    assert json.loads(output.read_text().removeprefix("digests=")) == DIGEST
    built = [line for line in release.asked if "buildx" in line]
    assert [line.split()[line.split().index("--tag") + 1] for line in built] == [
        f"registry.example/finpulse-{name}:f00" for name in DIGEST
    ]
    assert all("--load" in line and "--push" not in line for line in built)
    for name in DIGEST:
        told_of = json.loads((checkout / "build" / "sbom" / f"{name}.json").read_text())
        assert told_of["bomFormat"] == "CycloneDX"
        [one] = told_of["components"]
        assert (one["name"], one["version"], one["purl"]) == (
            "numpy",
            "2.0.0",
            "pkg:pypi/numpy@2.0.0",
        )
