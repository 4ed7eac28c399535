"""Every setting of the system, in one place, read when first needed."""

import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from contracts.expected import Expected

PREFIX = "FINPULSE_"

Port = Annotated[int, Field(ge=1, le=65535)]


class SettingsError(Expected, ValueError):
    """A setting is unknown, missing or malformed; the message names its key."""


class Settings(BaseSettings):
    """Values from the environment, then `.env`, then what the local stack generated.

    The third is `<home>/stack.env`, written by the launcher, so that a command pasted into a
    shell finds the same services as a task in Airflow. Secrets never appear in `repr`.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

    home: Path = Field(Path(".finpulse"), description="folder of all local state")
    objects_url: str = Field("", description="object store (fsspec URL); default <home>/objects")

    source: str = Field("simulated", description="source of facts: simulated, files, yahoo, nasdaq")
    data: Path | None = Field(None, description="folder read by the source `files`")
    universe: str = Field(
        default_factory=lambda known: (
            "sim20" if known["source"] == "simulated" else known["source"]
        ),
        description="universe of the local runs; default sim20, or the source's name",
    )
    calendar: str = Field("XNYS", description="exchange calendar of the universe")
    symbols: str = Field("", description="comma separated symbols asked of `yahoo` and `nasdaq`")
    yahoo_interval: Literal["1d", "1m"] = Field(
        "1d", description="bars asked of the source `yahoo`: 1d, or 1m for minute bars besides"
    )
    sim_instruments: int = Field(20, ge=1, description="instruments of the simulated market")
    sim_sessions: int = Field(1000, ge=2, description="sessions of the simulated market")
    sim_end: str = Field("2025-06-30", description="last session of the simulated market")
    sim_seed: int = Field(7, description="seed of the simulated market")
    sim_noise: bool = Field(False, description="true: no planted effect, pure noise")

    text_model: str = Field(
        "champion",
        description="who scores texts: the office's champion, minilm, or as ProsusAI/finbert",
    )
    text_labels: Path | None = Field(None, description="folder of labelled texts for minilm's head")
    text_checkpoint: str = Field(
        "minilm", description="what is fine-tuned: minilm, a hub name or a folder"
    )
    text_data: Path | None = Field(None, description="folder that holds labelled sets by name")
    text_licences: str = Field("", description="labelled sets whose licence you have accepted")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="what torch runs on")
    contest_sessions: int = Field(440, ge=20, description="newest sessions kept out of training")
    replay_sessions: int = Field(40, ge=1, description="sessions that a new champion predicts")
    trials: int = Field(3, ge=1, description="trials of the tune step")

    spark_master: str = Field("local[2]", description="Spark master")
    ray_address: str = Field("", description="Ray cluster; empty starts a local one")

    host: str = Field("127.0.0.1", description="address that the local services listen on")
    postgres_port: Port = 55432
    mlflow_port: Port = 5001
    airflow_port: Port = 8085
    predictor_port: Port = 8000
    monitoring_port: Port = 9108
    supervisor_port: Port = 9101

    api_keys: SecretStr = Field(
        SecretStr(""), description="name:key,name:key of the predictor's callers; empty: open"
    )
    api_quota: int = Field(600_000, ge=0, description="calls per minute of each key; 0: no limit")
    cors_origins: str = Field(
        "", description="scheme://host of pages whose browsers may call the predictor, commas; or *"
    )
    request_days: int = Field(90, ge=1, description="days that answered calls are kept")
    predictor_workers: int = Field(1, ge=1, description="processes of the predictor")
    drain_seconds: float = Field(2.0, ge=0, description="unready before it stops listening")

    release: Literal["direct", "staged"] = Field(
        "direct", description="what a won contest begins: office at once, or a staged release"
    )
    approval: Literal["none", "person"] = Field(
        "none", description="person: what won a contest waits for approval in Airflow"
    )
    release_requests: int = Field(200, ge=1, description="answers of each arm that a step needs")
    release_hours: float = Field(24.0, gt=0, le=8760, description="how long a step may lack data")
    cool_down_hours: float = Field(
        72.0, ge=0, le=8760, description="how long nobody is staged after a lost guard"
    )
    prometheus_url: str = Field("", description="Prometheus that scrapes the predictor")

    database_url: SecretStr = Field(SecretStr(""), description="postgresql:// URL of the tables")
    mlflow_url: str = Field("", description="MLflow server; default http://host:mlflow_port")
    airflow_url: str = Field("", description="Airflow API; default http://host:airflow_port")
    airflow_user: str = "admin"
    airflow_password: SecretStr = SecretStr("")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, dotenv_settings

    @property
    def database(self) -> str:
        """The database's URL with its password; raises SettingsError when unset."""
        url = self.database_url.get_secret_value()
        if not url:
            raise SettingsError(
                "FINPULSE_DATABASE_URL is unset and no local stack was found in "
                f"{self.home}: start one with `make up`, or set it to a Postgres URL"
            )
        return url

    @property
    def mlflow(self) -> str:
        """The MLflow server's URL."""
        return self.mlflow_url or f"http://{self.host}:{self.mlflow_port}"

    @property
    def airflow(self) -> str:
        """The Airflow API server's URL."""
        return self.airflow_url or f"http://{self.host}:{self.airflow_port}"

    @property
    def objects(self) -> str:
        """The object store's root: an fsspec URL or an absolute folder."""
        return self.objects_url or str((self.home / "objects").absolute())


def _refuse_unknown_keys() -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields} | {PREFIX + "TEST_DATA"}
    unknown = sorted(k for k in os.environ if k.startswith(PREFIX) and k not in known)
    if unknown:
        raise SettingsError(
            f"unknown setting {', '.join(unknown)}: .env.example lists every key, "
            "correct the name or unset it"
        )


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The process's settings; `settings.cache_clear()` reads them anew."""
    home = Path(os.environ.get(PREFIX + "HOME", ".finpulse"))
    return read_settings(home / "stack.env", Path(".env"))


def read_settings(*files: Path) -> Settings:
    """The settings of the environment and of files, later ones first; raises SettingsError."""
    _refuse_unknown_keys()
    try:
        return Settings(_env_file=files)  # type: ignore[call-arg]
    except ValidationError as error:
        raise SettingsError("; ".join(map(_told, error.errors()))) from error


def _told(fault: Mapping[str, Any]) -> str:
    """One line about one setting; a secret's value stays out of it."""
    name = str(fault["loc"][0]).lower().removeprefix(PREFIX.lower())
    key = PREFIX + name.upper()
    if name not in Settings.model_fields:
        return f"unknown setting {key}: .env.example lists every key, correct the name or remove it"
    secret = "Secret" in str(Settings.model_fields[name].annotation)
    found = "" if secret else f", found {fault['input']!r}"
    return f"the setting {key} is wrong: {fault['msg'].lower()}{found}: see .env.example"
