"""The laptop stack as data: its settings, credentials, folders and addresses."""

import hashlib
import hmac
import json
import os
import secrets
from base64 import urlsafe_b64encode
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path

import postgres
from ports import reachable
from pydantic import SecretStr

from contracts.settings import PREFIX, Settings, read_settings

ROOT = Path(__file__).resolve().parents[2]
SUPERVISOR_USER = "finpulse"
# Who tells Airflow of the ledger: the monitoring service, which may do no more there.
MONITOR = "finpulse-monitoring"
_LOGIN = ("airflow_user", "airflow_password")


class StackError(RuntimeError):
    """The stack could not be started or followed; the message says what to do."""


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can ever read."""
    partial = path.with_name(path.name + ".partial")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    partial.replace(path)


@dataclass(frozen=True, repr=False)
class Credentials:
    """What was generated once for this home; never printed."""

    database: str
    writer: str
    reader: str
    airflow: str
    api: str
    supervisor: str
    session_secret: str
    jwt_secret: str
    fernet_key: str

    @property
    def monitor(self) -> str:
        """The password of MONITOR: derived, so that a home of before has one too."""
        key, use = self.session_secret.encode(), MONITOR.encode()
        return hmac.new(key, use, hashlib.sha256).hexdigest()

    @classmethod
    def of(cls, home: Path) -> "Credentials":
        """Those of `home`, generated when it has none; raises StackError when they were lost."""
        path = home / "credentials.json"
        if path.exists():
            found = json.loads(path.read_text())
            if set(found) != {each.name for each in fields(cls)}:
                raise StackError(f"{path} is of another version: run `make clean`")
            return cls(**found)
        if (home / "postgres" / "PG_VERSION").exists():
            raise StackError(f"{path} is gone but its database is there: run `make clean`")
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        fernet = urlsafe_b64encode(secrets.token_bytes(32)).decode()
        words = [postgres.new_password() for _ in range(6)]
        words += [secrets.token_hex(32), secrets.token_hex(64), fernet]
        made = cls(*words)
        # Of two first starts at once one is first, and the other takes what it made.
        mine = path.with_name(f"credentials.{secrets.token_hex(4)}")
        write_private(mine, json.dumps(vars(made), indent=2))
        with suppress(FileExistsError):
            os.link(mine, path)
        mine.unlink()
        return cls(**json.loads(path.read_text()))


def asked_settings() -> Settings:
    """What the environment and `.env` ask for, without what an earlier start generated."""
    asked = read_settings(ROOT / ".env")
    home = (ROOT / asked.home).absolute()
    data = asked.data.absolute() if asked.data else None
    return asked.model_copy(update={"home": home, "data": data})


@dataclass(frozen=True)
class Stack:
    """The local services and what each of them needs to know.

    asked: the user's settings, `home` absolute. settings: the same with the generated values.
    """

    asked: Settings
    credentials: Credentials

    @classmethod
    def of(cls, asked: Settings) -> "Stack":
        """The stack in the home of `asked`."""
        return cls(asked, Credentials.of(asked.home))

    @property
    def home(self) -> Path:
        """The folder of all state."""
        return self.asked.home

    @property
    def host(self) -> str:
        """The address at which the services are reached from here."""
        return reachable(self.asked.host)

    def database(self, name: str) -> str:
        """The URL of a database on the embedded server."""
        port = self.asked.postgres_port
        return postgres.url(self.host, port, self.credentials.database, name)

    @property
    def facts(self) -> str:
        """The URL of the facts: one database per origin, or the one that the user names."""
        origin = "simulated" if self.asked.source == "simulated" else "real"
        named = self.asked.database_url.get_secret_value()
        return named or self.database(f"finpulse_{origin}")

    def facts_as(self, role: str) -> str:
        """The URL of the facts for a login with the rights of `writer` or `reader`.

        A database that the user names has one URL for all.
        """
        if self.asked.database_url.get_secret_value():
            return self.facts
        password = {"writer": self.credentials.writer, "reader": self.credentials.reader}[role]
        database = self.facts.rsplit("/", 1)[1]
        return postgres.url(self.host, self.asked.postgres_port, password, database, role)

    @property
    def settings(self) -> Settings:
        """What a process of the stack, or a pasted command, works with."""
        password = self.asked.airflow_password.get_secret_value() or self.credentials.airflow
        generated = {
            "database_url": SecretStr(self.facts_as("writer")),
            "mlflow_url": self.asked.mlflow_url or f"http://{self.host}:{self.asked.mlflow_port}",
            "airflow_url": self.asked.airflow_url
            or f"http://{self.host}:{self.asked.airflow_port}",
            "airflow_password": SecretStr(password),
            "api_keys": SecretStr(
                self.asked.api_keys.get_secret_value() or f"local:{self.credentials.api}"
            ),
        }
        return self.asked.model_copy(update=generated)

    @property
    def predictor(self) -> str:
        """The predictor's URL."""
        return f"http://{self.host}:{self.asked.predictor_port}"

    @property
    def api_key(self) -> str:
        """The first key that the predictor takes: the user's or the generated one."""
        first = self.settings.api_keys.get_secret_value().split(",")[0]
        return first.partition(":")[2].strip()

    @property
    def monitoring(self) -> str:
        """The exporter's URL."""
        return f"http://{self.host}:{self.asked.monitoring_port}"

    def variables(self) -> dict[str, str]:
        """The settings as environment variables, without Airflow's login, which no verb needs."""
        found = {}
        for name, value in self.settings.model_dump(exclude=set(_LOGIN)).items():
            plain = value.get_secret_value() if isinstance(value, SecretStr) else value
            text = str(plain).lower() if isinstance(plain, bool) else str(plain)
            if plain is not None and text:
                found[PREFIX + name.upper()] = text
        return found

    def write_stack_env(self) -> None:
        """Leave the settings where a pasted command finds them."""
        lines = ["# Written by the local stack at each start."]
        for key, value in self.variables().items():
            if key != PREFIX + "HOME":
                escaped = value.replace("\\", "\\\\").replace("'", "\\'")
                lines.append(f"{key}='{escaped}'")
        write_private(self.home / "stack.env", "\n".join(lines) + "\n")
