"""Settings, credentials and the programs' configuration, without starting anything."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import clean
import pytest
from programs import Program, programs
from stack import Credentials, Stack, StackError, asked_settings, write_private
from supervise import render
from supervisor.options import ServerOptions

from contracts.settings import settings


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Path:
    # A system Java is asked for its version by starting it: these tests need none.
    monkeypatch.setattr("java.system_home", lambda _: Path("/usr"))
    return settings().home


@pytest.fixture
def stack(home: Path) -> Stack:
    return Stack.of(asked_settings())


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_credentials_are_generated_once_and_only_for_the_owner(home: Path, stack: Stack) -> None:
    assert Credentials.of(home) == stack.credentials
    assert mode(home / "credentials.json") == 0o600
    assert len(set(vars(stack.credentials).values())) == len(vars(stack.credentials))


def test_lost_credentials_of_a_database_are_named(home: Path, stack: Stack) -> None:
    (home / "postgres").mkdir()
    (home / "postgres" / "PG_VERSION").write_text("18")
    (home / "credentials.json").unlink()
    with pytest.raises(StackError, match="make clean"):
        Credentials.of(home)


def test_a_home_of_another_version_is_named_and_can_be_cleaned(home: Path, stack: Stack) -> None:
    write_private(home / "credentials.json", '{"database": "old"}')
    with pytest.raises(StackError, match="make clean"):
        Credentials.of(home)
    assert clean.main() == 0
    assert not home.exists()


def test_each_origin_has_its_database(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    assert stack.facts.endswith("/finpulse_simulated")
    monkeypatch.setenv("FINPULSE_SOURCE", "yahoo")
    assert Stack.of(asked_settings()).facts.endswith("/finpulse_real")


def test_a_database_elsewhere_is_used(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINPULSE_DATABASE_URL", "postgresql://me:pw@elsewhere/facts")
    other = Stack.of(asked_settings())
    assert other.facts == "postgresql://me:pw@elsewhere/facts"
    assert "elsewhere" not in other.database("airflow")


def test_a_pasted_command_finds_the_stack(
    stack: Stack, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FINPULSE_SOURCE", "files")
    monkeypatch.setenv("FINPULSE_DATA", "/data/it's \\ here")
    Stack.of(asked_settings()).write_stack_env()
    assert mode(home / "stack.env") == 0o600
    monkeypatch.delenv("FINPULSE_SOURCE")
    monkeypatch.delenv("FINPULSE_DATA")
    settings.cache_clear()
    found = settings()
    assert (found.source, found.universe) == ("files", "files")
    assert found.data == Path("/data/it's \\ here")
    assert found.database.endswith("/finpulse_real")
    # The launcher itself starts from what is asked for now.
    assert asked_settings().source == "simulated"


def test_secrets_stay_out_of_arguments_and_of_readable_files(stack: Stack, home: Path) -> None:
    write_private(home / "supervisord.conf", render(stack, programs(stack)))
    assert mode(home / "supervisord.conf") == 0o600
    for program in programs(stack):
        for secret in vars(stack.credentials).values():
            assert secret not in " ".join(program.command), program.name


def test_each_program_gets_what_it_needs_and_no_more(stack: Stack) -> None:
    found = {p.name: p.environment for p in programs(stack)}
    secret = stack.credentials
    holders = {
        key: {name for name, given in found.items() if value in " ".join(given.values())}
        for key, value in vars(secret).items()
    }
    airflow = {"airflow-api-server", "airflow-scheduler", "airflow-dag-processor"}
    assert holders["airflow"] == set(), "its file is read by Airflow alone"
    assert holders["api"] == {"predictor"}
    assert [n for n, given in found.items() if secret.monitor in given.values()] == ["monitoring"]
    assert holders["reader"] == {"predictor"}
    assert holders["writer"] == {"monitoring", "airflow-scheduler"}
    # Its tables in the embedded server; tasks get none of Airflow's settings.
    assert holders["database"] == {"mlflow", *airflow}
    for kind in ("fernet_key", "jwt_secret", "session_secret"):
        assert holders[kind] == airflow
    stack.write_stack_env()
    pasted = (stack.home / "stack.env").read_text()
    assert secret.airflow not in pasted and secret.database not in pasted


def test_no_server_of_logs_listens_beside_the_services(stack: Stack) -> None:
    [scheduler] = [p for p in programs(stack) if p.name == "airflow-scheduler"]
    assert "--skip-serve-logs" in scheduler.command


def test_two_first_starts_at_once_have_the_same_credentials(home: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: Credentials.of(home), range(8)))
    assert all(each == made[0] for each in made)


def parsed(stack: Stack, program: Program) -> dict[str, str]:
    path = stack.home / "supervisord.conf"
    (stack.home / "logs").mkdir(exist_ok=True)
    path.write_text(render(stack, [program]))
    options = ServerOptions()
    options.realize(args=["-c", str(path)], doc="")
    [group] = options.process_group_configs
    [found] = group.process_configs
    assert (found.autorestart, found.stopasgroup, found.killasgroup) != (False, False, False)
    return dict(found.environment)


def test_supervisord_reads_the_environment_as_it_was_meant(stack: Stack) -> None:
    given = {"A": "a,b=c d%20;e#f", "PATH": "/x y:/z", "URL": "postgresql://u:p@h:1/d?x=1&y='2"}
    given["URL"] = given["URL"].replace("'", "")
    assert parsed(stack, Program("one", ("sleep", "1"), given)) == given


@pytest.mark.parametrize("value", ['a"b', "a\nb", "a ;b", "a #b"])
def test_a_value_that_supervisord_would_cut_is_refused(stack: Stack, value: str) -> None:
    with pytest.raises(StackError, match="FINPULSE_DATA"):
        render(stack, [Program("one", ("sleep", "1"), {"FINPULSE_DATA": value})])


def test_services_elsewhere_are_not_started(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    assert {"mlflow", "airflow-scheduler"} <= {p.name for p in programs(stack)}
    monkeypatch.setenv("FINPULSE_MLFLOW_URL", "http://mlflow.example")
    monkeypatch.setenv("FINPULSE_AIRFLOW_URL", "http://airflow.example")
    names = {p.name for p in programs(Stack.of(asked_settings()))}
    assert names == {"postgres", "predictor", "monitoring"}


def test_an_airflow_elsewhere_is_told_with_the_users_login_or_not_at_all(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    def login() -> tuple[str, ...]:
        given = {p.name: p.environment for p in programs(Stack.of(asked_settings()))}["monitoring"]
        return tuple(given[f"FINPULSE_AIRFLOW_{name}"] for name in ("URL", "USER", "PASSWORD"))

    own = (stack.settings.airflow, "finpulse-monitoring", stack.credentials.monitor)
    assert login() == own
    monkeypatch.setenv("FINPULSE_AIRFLOW_URL", "http://airflow.example")
    assert login() == ("http://airflow.example", "admin", "")
    monkeypatch.setenv("FINPULSE_AIRFLOW_PASSWORD", "given")
    assert login() == ("http://airflow.example", "admin", "given")


def test_clean_removes_nothing_but_a_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "dear").write_text("me")
    monkeypatch.setenv("FINPULSE_HOME", str(tmp_path / "letters"))
    assert clean.main() == 1
    assert "is no home of a stack" in capsys.readouterr().err
    assert (tmp_path / "letters" / "dear").exists()
