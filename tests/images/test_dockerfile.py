"""The images: what the charts ask for, at the locked versions, for a user without rights."""

import importlib.util
import re
import tomllib
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import yaml
from environments import lines, stages

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "infra" / "images" / "Dockerfile").read_text()
LOCK = ROOT / "requirements.lock"
TARGETS = ("predictor", "monitoring")


def stage(name: str) -> str:
    found = re.search(rf"^FROM \S+ AS {name}\n(.*?)(?=^FROM |\Z)", DOCKERFILE, re.M | re.S)
    assert found, f"no stage {name}"
    return found[1]


def chart(name: str) -> tuple[dict[str, Any], dict[str, Any], str]:
    folder = ROOT / "helm" / name
    values, about = (
        yaml.safe_load((folder / f).read_text()) for f in ("values.yaml", "Chart.yaml")
    )
    files = sorted(p for p in (folder / "templates").iterdir() if p.suffix in (".yaml", ".tpl"))
    return values, about, "".join(path.read_text() for path in files)


@pytest.mark.parametrize("name", TARGETS)
def test_image_and_chart_are_of_one_mind(name: str) -> None:
    values, about, deployment = chart(name)
    assert (
        f"--target {name} -t {values['image']['repository']}:{about['appVersion']} " in DOCKERFILE
    )
    [port] = re.findall(r"containerPort: (\d+)", deployment)
    assert f"EXPOSE {port}\n" in stage(name)
    user = re.search(r"runAsUser: (\d+)", deployment)
    assert user and f"USER {user[1]}:{user[1]}\n" in stage("base")


@pytest.mark.parametrize("name", TARGETS)
def test_the_command_is_a_verb(name: str) -> None:
    found = re.search(r'CMD \["python", "-m", "(\w+)", "(\w+)"\]', stage(name))
    assert found
    main = importlib.import_module(f"{found[1]}.__main__")
    assert callable(getattr(main, found[2]))


def test_each_image_installs_what_its_room_declares_and_nothing_by_hand() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    rooms = {"predictor": "serving", "monitoring": "monitoring"}
    for name in TARGETS:
        words = [w for line in lines(stages()[name].copied_from()) for w in line.split()]
        taken = [words[i + 1] for i, word in enumerate(words) if word == "--extra"]
        assert taken == [rooms[name]] and taken[0] in project["optional-dependencies"]
        assert words.count("install") - 1 == words.count("-r") + words.count("--no-deps")
        assert words.count("-r") == words.count("--constraint")


def test_every_declared_package_is_locked_and_the_versions_are_those_of_the_makefile() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    names = {re.split(r"[\[=>]", each)[0] for each in asked}
    locked = set(re.findall(r"^([\w.-]+)(?:\[.*\])?==", LOCK.read_text(), re.M))
    assert len(names) > 40 and names <= locked
    makefile = (ROOT / "Makefile").read_text()
    for name, version in re.findall(r"ARG (\w+_VERSION)=(\S+)", DOCKERFILE):
        assert f"{name} ?= {version}\n" in makefile


def test_all_our_packages_are_copied() -> None:
    ours = {path.parent.name for path in ROOT.glob("*/__main__.py")}
    assert ours <= set(re.findall(r"^COPY (\w+) \1$", DOCKERFILE, re.M))


def test_the_context_holds_what_is_copied_and_nothing_else() -> None:
    lines_of = (ROOT / ".dockerignore").read_text().splitlines()
    assert lines_of[1] == "*"
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.M)
    assert {line[1:] for line in lines_of if line.startswith("!")} == set(" ".join(copied).split())


def test_all_stages_start_from_one_base_that_is_pinned_by_digest() -> None:
    [base] = re.findall(r"^ARG BASE=(\S+)$", DOCKERFILE, re.M)
    assert re.fullmatch(r"docker\.io/library/python:3\.11-slim-\w+@sha256:[0-9a-f]{64}", base)
    outside = {stage.base for stage in stages().values()} - set(stages())
    assert outside == {"${BASE}"}


def test_home_is_where_compose_and_charts_let_everybody_write() -> None:
    assert "--home-dir /tmp " in stage("base") and "    HOME=/tmp \\\n" in stage("base")
    compose = yaml.safe_load((ROOT / "infra" / "compose" / "compose.yaml").read_text())["services"]
    assert all(each["tmpfs"] == ["/tmp"] for each in compose.values() if "build" in each)
    for name in (*TARGETS, "platform"):
        assert "mountPath: /tmp" in chart(name)[2], name
