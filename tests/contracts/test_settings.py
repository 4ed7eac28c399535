"""Settings: unknown and missing keys are named, secrets never printed."""

import subprocess
import sys
from pathlib import Path

import pytest

from contracts.settings import SettingsError, settings


@pytest.mark.troubleshooting("unknown setting FINPULSE_...")
def test_an_unknown_key_fails_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINPULSE_UNIVERZE", "x")
    with pytest.raises(SettingsError, match="unknown setting FINPULSE_UNIVERZE"):
        settings()


def test_an_unknown_key_of_the_env_file_fails_with_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("FINPULSE_POSTGRES_PROT=1\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError, match="FINPULSE_POSTGRES_PROT"):
        settings()


def test_a_malformed_value_fails_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINPULSE_TRIALS", "many")
    with pytest.raises(SettingsError, match="FINPULSE_TRIALS"):
        settings()


@pytest.mark.parametrize("name", ["FINPULSE_RELEASE_HOURS", "FINPULSE_COOL_DOWN_HOURS"])
@pytest.mark.parametrize("hours", ["inf", "nan", "1e13", "-1"])
def test_hours_are_those_of_a_year_at_most(
    monkeypatch: pytest.MonkeyPatch, name: str, hours: str
) -> None:
    monkeypatch.setenv(name, hours)
    with pytest.raises(SettingsError, match=name):
        settings()


def test_a_missing_database_says_what_to_do() -> None:
    with pytest.raises(SettingsError, match=r"FINPULSE_DATABASE_URL.*make up"):
        _ = settings().database


def test_the_stack_file_is_read_and_the_environment_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    monkeypatch.setenv("FINPULSE_HOME", str(home))
    home.mkdir()
    (home / "stack.env").write_text("FINPULSE_DATABASE_URL=postgresql://a\nFINPULSE_TRIALS=9\n")
    assert (settings().database, settings().trials) == ("postgresql://a", 9)
    monkeypatch.setenv("FINPULSE_TRIALS", "3")
    settings.cache_clear()
    assert settings().trials == 3


@pytest.mark.parametrize(
    ("source", "universe"), [("simulated", "sim20"), ("files", "files"), ("yahoo", "yahoo")]
)
def test_the_universe_follows_the_source(
    source: str, universe: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FINPULSE_SOURCE", source)
    assert settings().universe == universe


def test_config_prints_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINPULSE_DATABASE_URL", "postgresql://user:hush@host/db")
    printed = subprocess.run(
        [sys.executable, "-m", "contracts", "config"], capture_output=True, text=True, check=True
    ).stdout
    assert "FINPULSE_UNIVERSE=sim20" in printed and "hush" not in printed
