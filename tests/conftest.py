"""Fixtures for all: a settings cache that never leaks, and a real Postgres of the run's own."""

import gc
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib.machinery import ModuleSpec
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import hypothesis
import pytest
from xdist.scheduler import LoadScopeScheduling

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "infra" / "local"), str(ROOT / "tests" / "fixtures")]

import postgres as launcher  # noqa: E402
from mlflow_server import mlflow_server, tracking  # noqa: E402, F401
from no_skips import pytest_runtest_makereport  # noqa: E402, F401
from shipped_images import image_store  # noqa: E402, F401

from contracts.settings import settings  # noqa: E402
from contracts.store import Store  # noqa: E402
from contracts.universe import UNIVERSES, Universe, declare  # noqa: E402

# A busy machine is no failure: what an example takes is no assertion. `make test-slow` tries
# properties that name no number of their own on many more.
hypothesis.settings.register_profile("thorough", deadline=None, max_examples=300)
hypothesis.settings.register_profile("finpulse", deadline=None, max_examples=40)
hypothesis.settings.load_profile("finpulse")

# What tests ask of calendars while they are collected knows nothing of a stack in this checkout.
_HOME = os.environ.get("FINPULSE_HOME")
_HOMES = count()
os.environ["FINPULSE_HOME"] = str(ROOT / "tests" / "no_home")
gc.disable()


def pytest_collection_finish() -> None:
    """Give the shell's home back to what runs once for many tests.

    What was collected stays to the end: looked through for garbage again and again, while it
    grew and afterwards, it took a tenth of the run.
    """
    gc.freeze()
    gc.enable()
    os.environ.pop("FINPULSE_HOME")
    if _HOME is not None:
        os.environ["FINPULSE_HOME"] = _HOME
    settings.cache_clear()


# pyspark takes a main module without file and specification, as in a worker of xdist, for a run
# of doctests and exits. A specification of this name starts nothing in spawned processes.
if sys.modules["__main__"].__spec__ is None:
    sys.modules["__main__"].__spec__ = ModuleSpec("__main__", None)


class Scheduling(LoadScopeScheduling):  # type: ignore[misc]
    """A file stays on one worker, and so do all whole stacks, which are never two at once.

    Groups by mark (`--dist loadgroup`) are not kept by pytest-xdist 3.8 under pytest 9.2.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::", 1)[0]
        return "integration" if "/integration/" in file else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduling | None:
    """Keep whole files together where `--dist loadfile` is asked for."""
    return Scheduling(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The whole stacks, which take longest, come first."""
    items.sort(key=lambda item: item.path.parent.name != "integration")


@pytest.fixture(autouse=True)
def own_settings(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Each test has a home of its own and no setting of the caller's shell or `.env`."""
    for key in [k for k in os.environ if k.startswith("FINPULSE_")]:
        if key != "FINPULSE_TEST_DATA":
            monkeypatch.delenv(key)
    # Not there until somebody writes: a folder made and linked for each of thousands takes long.
    home = tmp_path_factory.getbasetemp() / f"home-{next(_HOMES)}"
    monkeypatch.setenv("FINPULSE_HOME", str(home))
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The maintenance database of a real server that lives as long as the run."""
    with launcher.running(tmp_path_factory.mktemp("postgres"), durable=False) as url:
        yield url


@pytest.fixture(scope="session")
def template(postgres_url: str) -> str:
    """A migrated, empty database that others are copied from."""
    launcher.create_database(postgres_url, "template_finpulse")
    Store(postgres_url.rsplit("/", 1)[0] + "/template_finpulse").migrate()
    return "template_finpulse"


@pytest.fixture
def new_store(
    postgres_url: str, template: str, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], AbstractContextManager[Store]]:
    """Opens an empty, migrated database, also named by the settings while it is open."""

    @contextmanager
    def opened() -> Iterator[Store]:
        name = f"test_{uuid4().hex}"
        launcher.create_database(postgres_url, name, template)
        url = postgres_url.rsplit("/", 1)[0] + f"/{name}"
        monkeypatch.setenv("FINPULSE_DATABASE_URL", url)
        settings.cache_clear()
        yield Store(url)
        launcher.drop_database(postgres_url, name)

    return opened


@pytest.fixture
def store(new_store: Callable[[], AbstractContextManager[Store]]) -> Iterator[Store]:
    """An empty, migrated database of the test's own, also named by the settings."""
    with new_store() as made:
        yield made


@pytest.fixture
def declared() -> Iterator[Callable[[Universe], Universe]]:
    """Declares universes, as files of contracts/universes do, for the time of the test."""
    before = set(UNIVERSES.names())

    def made(one: Universe) -> Universe:
        declare(one)
        return one

    yield made
    for name in set(UNIVERSES.names()) - before:
        del UNIVERSES._members[name]
