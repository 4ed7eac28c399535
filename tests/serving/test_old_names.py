"""Names of before: taken where ours are unset, and compared where a model decides."""

import os
import subprocess
import sys
from pathlib import Path

import httpx
import postgres as launcher
import pytest
from market import FLAT, Market
from predictor import wait_for

from contracts.settings import PREFIX, Settings, SettingsError
from contracts.store import Store
from serving.edge.old_names import NAMES, adopt, require_seen

OLD = {
    "HOST": "0.0.0.0",
    "PORT": "8080",
    "MODEL_PATH": "s3://bucket/objects",
    "DATASET_PATH": "/data",
    "CORS_ORIGINS": "https://desk.example",
}


def test_each_old_name_is_a_setting_of_ours() -> None:
    assert set(OLD) == set(NAMES)
    assert {name.lower() for name in NAMES.values()} <= set(Settings.model_fields)


def test_they_are_taken_where_ours_are_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = dict(OLD)
    adopt(environment)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    told = Settings()
    assert (told.host, told.predictor_port) == ("0.0.0.0", 8080)
    assert (told.objects_url, str(told.data)) == ("s3://bucket/objects", "/data")
    assert told.cors_origins == "https://desk.example"


def test_ours_go_first_and_an_empty_one_is_none() -> None:
    environment = {"PORT": "1", f"{PREFIX}PREDICTOR_PORT": "2", "HOST": ""}
    adopt(environment)
    assert environment == {"PORT": "1", f"{PREFIX}PREDICTOR_PORT": "2", "HOST": ""}


@pytest.mark.parametrize("name", ["SEQ_LEN", "ROLLING_WINDOW"])
def test_what_a_model_sees_is_compared(name: str) -> None:
    require_seen({name: "20"}, lambda: [1, 20])
    require_seen({name: "20"}, lambda: [])
    require_seen({}, lambda: pytest.fail("nobody asked"))
    for told in ("30", "twenty", "20.0", "-1"):
        with pytest.raises(SettingsError, match=rf"{name}={told}: expected .*1 or 20 sessions"):
            require_seen({name: told}, lambda: [20, 1, 20])


@pytest.mark.integration
def test_a_server_listens_where_its_platform_says_and_knows_what_its_models_see(
    store: Store, market: Market, tmp_path: Path
) -> None:
    market.crown(store, FLAT, 1)
    port = launcher.free_port()
    command = [sys.executable, "-m", "serving", "run"]
    told = {"PORT": str(port), "HOST": "127.0.0.1", "CORS_ORIGINS": "https://desk.example"}
    refused = subprocess.run(
        command, env=os.environ | told | {"SEQ_LEN": "77"}, capture_output=True, text=True
    )
    assert refused.returncode == 1 and "SEQ_LEN=77" in refused.stderr.splitlines()[-1]
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(command, env=os.environ | told | {"SEQ_LEN": "1"}, stderr=log)
    try:

        def answers() -> bool:
            assert server.poll() is None, (tmp_path / "log").read_text()
            page = {"Origin": "https://desk.example"}
            try:
                found = httpx.get(f"http://127.0.0.1:{port}/predict/SIM001", headers=page)
            except httpx.TransportError:
                return False
            allowed = found.headers.get("access-control-allow-origin")
            return (found.status_code, allowed) == (200, "https://desk.example")

        wait_for(answers)
    finally:
        server.terminate()
        server.wait(30)
