"""The workflow that deploys, run as it ships: by act on this machine, by Helm's real engine into a
small cluster. What needs a cloud (its login, its registry) and what takes long (a rehearsal, the
building of images) has a stand-in on the path that writes down what it was asked for."""

import asyncio
import json
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import helm_python as helm
import pytest
import yaml
from aiohttp import web

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "fixtures"))

from cluster import Cluster, serving  # noqa: E402

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

BIN = Path(sys.executable).parent
WORKFLOW = ROOT / ".github" / "workflows" / "deploy.yml"
DIGEST = {name: "sha256:" + letter * 64 for name, letter in
          (("platform", "a"), ("monitoring", "b"), ("predictor", "c"))}  # fmt: skip
NAME = "finpulse-predictor"

# Each stand-in writes down what it is asked for.
STAND_IN = '#!/bin/sh\necho "{name} $*" >>{log}\n{rest}\n'
DOCKER = """
case "$*" in
  *--metadata-file*)
    while [ "$1" != --target ]; do shift; done; target=$2
    while [ "$1" != --metadata-file ]; do shift; done
    case $target in {cases} esac ;;
  "run "*) echo numpy==2.0.0 ;;
esac"""
HELM = '#!/bin/sh\nexec {python} {script} {url} "$@"\n'
ASK = """
import json, pathlib, sys, urllib.request
files = (".json", ".yaml")
words = [pathlib.Path(w).read_text() if w.endswith(files) else w for w in sys.argv[2:]]
answer = json.load(urllib.request.urlopen(sys.argv[1], json.dumps(words).encode()))
print(answer["said"], file=sys.stderr if answer["status"] else sys.stdout, end="")
sys.exit(answer["status"])
"""


def merge(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    whole = dict(old)
    for key, value in new.items():
        both = isinstance(value, dict) and isinstance(whole.get(key), dict)
        whole[key] = merge(whole[key], value) if both else value
    return whole


@dataclass
class Helm:
    """`helm` as the scripts call it: its words are told to the engine, which keeps the releases.

    refused: a namespace and a word; what holds them ends as in a cluster without room.
    """

    cluster: Cluster
    asked: list[list[str]] = field(default_factory=list)
    refused: tuple[str, str] = ("", "")
    _configs: dict[str, Any] = field(default_factory=dict)

    def config(self, namespace: str = "finpulse") -> Any:
        """The engine's view of a namespace."""
        if namespace not in self._configs:
            told = {"kubeconfig_content": self.cluster.kubeconfig, "storage_driver": "memory"}
            self._configs[namespace] = helm.Config(**told, namespace=namespace)
        return self._configs[namespace]

    def run(self, words: list[str]) -> str:
        """What Helm prints of this; raises HelmError."""
        self.asked.append(words)
        options = {words[i]: words[i + 1] for i in range(len(words) - 1) if words[i][:2] == "--"}
        config = self.config(options["--namespace"])
        match words:
            case ["list", *_]:
                wanted = options["--filter"].strip("^$")
                found = config.list(all_states=True)
                return json.dumps([each for each in found if each["name"] == wanted])
            case ["get", "values", name, *_]:
                return json.dumps(config.get_values(name))
            case ["rollback", name, revision, *_]:
                config.rollback(name, version=int(revision))
                return ""
            case ["upgrade", "--install", name, chart, *more]:
                return self.upgrade(options["--namespace"], name, ROOT / chart, more)
        raise AssertionError(f"helm was asked for {words}")

    def upgrade(self, namespace: str, name: str, chart: Path, words: list[str]) -> str:
        if namespace == self.refused[0] and self.refused[1] in words:
            raise helm.HelmError("timed out waiting for the condition")
        values: dict[str, Any] = {}
        for option, value in pairwise(words):
            if option == "--values":
                values = merge(values, yaml.safe_load(value))
            elif option == "--set":
                values = merge(values, parsed(value))
        config = self.config(namespace)
        known = [each["name"] for each in config.list(all_states=True)]
        act = config.upgrade if name in known else config.install
        return str(act(chart, name, values, namespace=namespace)["revision"])

    async def answer(self, request: web.Request) -> web.Response:
        words, loop = await request.json(), asyncio.get_running_loop()
        try:
            told = {"status": 0, "said": await loop.run_in_executor(None, self.run, words)}
        except (helm.HelmError, AssertionError) as error:
            told = {"status": 1, "said": str(error)}
        return web.json_response(told)


def parsed(expression: str) -> dict[str, Any]:
    """`a.b=1` as Helm reads it after --set."""
    path, _, text = expression.partition("=")
    value: Any = int(text) if text.isdigit() else text
    for key in reversed(path.split(".")):
        value = {key: value}
    return value


@dataclass
class Release:
    """A checkout with what ships, its stand-ins, and the cluster that it is deployed to."""

    folder: Path
    helm: Helm
    url: str

    def stand_in(self, name: str, rest: str = "") -> None:
        path = self.folder / "bin" / name
        path.write_text(STAND_IN.format(name=name, log=self.folder / "asked", rest=rest))
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    @property
    def asked(self) -> list[str]:
        return (self.folder / "asked").read_text().splitlines()

    def run(self, gate: str) -> tuple[int, str]:
        """The status and the output of act on deploy.yml with this gate."""
        command = [str(BIN / "act"), "workflow_dispatch", "-W", ".github/workflows/deploy.yml"]
        command += [
            "-P",
            "ubuntu-latest=-self-hosted",
            "--action-offline-mode",
            "--no-cache-server",
        ]
        for action in sorted(actions()):
            command += ["--local-repository", f"{action}={self.folder / 'nothing'}"]
        for name, value in (("RELEASE_GATE", gate), ("REGISTRY", "registry.example")):
            command += ["--var", f"{name}={value}"]
        command += ["--artifact-server-path", "", "--concurrent-jobs", "1"]
        path = f"{self.folder / 'bin'}:{BIN}:/usr/local/bin:/usr/bin:/bin"
        told = {"PATH": path, "HOME": str(self.folder / "home"), "LANG": "C.UTF-8"}
        done = subprocess.run(
            command, cwd=self.folder / "checkout", env=told, capture_output=True, text=True
        )
        return done.returncode, done.stdout + done.stderr


def actions() -> set[str]:
    """All actions of others that the workflows use, less the checkout, which act does itself."""
    folder = ROOT / ".github" / "workflows"
    found = {
        a for p in folder.glob("*.yml") for a in re.findall(r"uses: (\S+@\w{40})", p.read_text())
    }
    return {each for each in found if not each.startswith("actions/checkout@")}


@pytest.fixture
def release(tmp_path: Path) -> Iterator[Release]:
    checkout, nothing = tmp_path / "checkout", tmp_path / "nothing"
    for name in ("bin", "home", "nothing", "checkout"):
        (tmp_path / name).mkdir()
    (tmp_path / "asked").touch()
    (nothing / "action.yml").write_text(
        "name: nothing\nruns:\n  using: composite\n  steps:\n    - run: 'true'\n      shell: sh\n"
    )
    for name in (".github", "helm", "infra/release"):
        shutil.copytree(ROOT / name, checkout / name)
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "what ships"]):
        subprocess.run([*git, *words], cwd=checkout, check=True, capture_output=True)
    place, app, tools = Cluster(), web.Application(), web.Application()
    app.router.add_route("*", "/{path:.*}", place.handle)
    with serving(app) as url:
        place.url = url
        engine = Helm(place)
        tools.router.add_post("/", engine.answer)
        with serving(tools) as asked:
            made = Release(tmp_path, engine, asked)
            cases = " ".join(
                f'{n}) echo \'{{"containerimage.digest": "{d}"}}\' >"$2" ;;'
                for n, d in DIGEST.items()
            )
            made.stand_in("docker", DOCKER.format(cases=cases))
            made.stand_in("aws")
            # The rehearsal's and the set-up's targets; the SBOM is made by the real program.
            link = f"mkdir -p .venv/bin && ln -sf {BIN}/cyclonedx-py .venv/bin/"
            made.stand_in("make", f'case "$1" in setup) {link} ;; esac')
            script = tmp_path / "ask.py"
            script.write_text(ASK)
            tool = tmp_path / "bin" / "helm"
            tool.write_text(HELM.format(python=sys.executable, script=script, url=asked))
            tool.chmod(0o755)
            yield made


OLD = "sha256:" + "0" * 64


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
