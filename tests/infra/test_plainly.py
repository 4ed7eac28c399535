"""What goes wrong, or is cut off, is told in one line."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from turns import turn

from contracts.settings import SettingsError, read_settings

ROOT = Path(__file__).resolve().parents[2]
LOCAL = ROOT / "infra" / "local"

WAITING = """
import sys, time
sys.path.insert(0, sys.argv[1])
from plainly import plainly
def main():
    print("at work", flush=True)
    time.sleep(600)
sys.exit(plainly(main, "the run goes on"))
"""
# As a terminal starts it, even where the tests run under `nohup`.
BY_HAND = "import signal; signal.signal(signal.SIGHUP, signal.SIG_DFL)"
HOLDING = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from turns import turn
with turn(Path(sys.argv[2]), "demo", print):
    print("mine", flush=True)
    sys.stdin.readline()
"""


def waiting(error: int) -> "subprocess.Popen[str]":
    """A program at work that a terminal started."""
    process = subprocess.Popen(
        [sys.executable, "-c", BY_HAND + WAITING, str(LOCAL)],
        stdout=subprocess.PIPE,
        stderr=error,
        text=True,
    )
    assert process.stdout and process.stdout.readline() == "at work\n"
    return process


def script(name: str, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {f"FINPULSE_{k.upper()}": v for k, v in settings.items()}
    return subprocess.run(
        [sys.executable, str(LOCAL / f"{name}.py")],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )


@pytest.mark.troubleshooting("the setting FINPULSE_... is wrong")
@pytest.mark.parametrize(
    ("name", "settings", "told"),
    [  # Each says "the setting FINPULSE_X is wrong" or names an unknown one.
        ("demo", {"mlflow_port": "99999"}, "the setting FINPULSE_MLFLOW_PORT is wrong"),
        *(  # as the test below finds of a line of .env, in this process
            pytest.param("demo", settings, told, marks=pytest.mark.slow)
            for settings, told in (
                ({"predictor_port": "web"}, "FINPULSE_PREDICTOR_PORT is wrong"),
                ({"sim_noise": "perhaps"}, "FINPULSE_SIM_NOISE is wrong"),
            )
        ),
        *((n, {"nosuch": "1"}, "setting FINPULSE_NOSUCH") for n in ("up", "demo", "down", "clean")),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_it(
    name: str, settings: dict[str, str], told: str
) -> None:
    done = script(name, **settings)
    assert done.returncode == 1
    [line] = done.stderr.strip().splitlines()
    assert line.startswith("error: ") and told in line and ".env.example" in line
    known = line.startswith("error: the setting FINPULSE_") and " is wrong: " in line
    assert known or line.startswith("error: unknown setting")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("FINPULSE_NOSUCH=1", "unknown setting FINPULSE_NOSUCH: .env.example lists every key"),
        ("FINPULSE_AIRFLOW_PORT=0", "FINPULSE_AIRFLOW_PORT is wrong"),
        ("FINPULSE_TRIALS=many", "FINPULSE_TRIALS is wrong"),
    ],
)
def test_a_wrong_line_of_the_env_file_is_one_line_too(tmp_path: Path, line: str, told: str) -> None:
    (tmp_path / ".env").write_text(line + "\n")
    with pytest.raises(SettingsError) as error:
        read_settings(tmp_path / ".env")
    assert told in str(error.value) and "\n" not in str(error.value)


def test_a_secret_stays_out_of_the_message(monkeypatch: pytest.MonkeyPatch) -> None:
    from contracts.settings import _told

    fault = {"loc": ("database_url",), "msg": "Too long", "input": "postgresql://me:secret@x"}
    assert "secret" not in _told(fault)


@pytest.mark.troubleshooting("cut off: ...")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_cut_off_it_says_what_goes_on(number: signal.Signals) -> None:
    process = waiting(subprocess.PIPE)
    process.send_signal(number)
    _, told = process.communicate(timeout=60)
    assert (process.returncode, told) == (128 + number, "cut off: the run goes on\n")


def test_under_nohup_a_closed_terminal_is_no_matter() -> None:
    process = subprocess.Popen(
        ["nohup", sys.executable, "-c", WAITING, str(LOCAL)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout and process.stdout.readline() == "at work\n"
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 128 + signal.SIGTERM


def test_a_closed_terminal_is_no_trace() -> None:
    read, write = os.pipe()
    process = waiting(write)
    os.close(read)
    os.close(write)
    process.send_signal(signal.SIGHUP)
    assert process.wait(60) == 128 + signal.SIGHUP


@pytest.fixture
def holder(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """Another process whose turn it is in the folder `home`."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDING, str(LOCAL), str(tmp_path / "home")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout and process.stdout.readline() == "mine\n"
    yield process
    process.kill()
    process.wait(30)


@pytest.mark.troubleshooting("another ... is at work in")
def test_two_at_once_wait_for_each_other_and_say_so(
    tmp_path: Path, holder: "subprocess.Popen[str]"
) -> None:
    said: list[str] = []

    def say(text: str) -> None:
        said.append(text)
        assert holder.stdin
        holder.stdin.write("\n")
        holder.stdin.flush()

    with turn(tmp_path / "home", "demo", say):
        assert holder.wait(30) == 0
    assert len(said) == 1 and said[0].startswith("another `make demo`")
    assert f"(process {holder.pid}) is at work in {tmp_path}" in said[0]
    with turn(tmp_path / "home", "demo", said.append):
        with turn(tmp_path / "home", "up", said.append):
            assert len(said) == 1


def test_a_killed_one_and_a_removed_home_lock_nobody_out(
    tmp_path: Path, holder: "subprocess.Popen[str]"
) -> None:
    holder.send_signal(signal.SIGKILL)
    with turn(tmp_path / "home", "demo", print):
        assert (tmp_path / "home" / "demo.lock").read_text() == str(os.getpid())
