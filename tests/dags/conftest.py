"""The DAGs as Airflow reads them, without a database."""

import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from airflow.sdk import DAG

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = ROOT / "infra" / "airflow" / "plugins"


@pytest.fixture(scope="session")
def airflow_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Airflow configured for these tests; it reads its environment when first imported."""
    home = tmp_path_factory.mktemp("airflow")
    os.environ["AIRFLOW_HOME"] = str(home)
    os.environ["AIRFLOW__CORE__PLUGINS_FOLDER"] = str(PLUGINS)
    os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
    if str(PLUGINS) not in sys.path:
        sys.path.insert(0, str(PLUGINS))
    return home


@pytest.fixture(scope="session")
def read_dags(airflow_home: Path) -> "Callable[[], dict[str, DAG]]":
    """Reads every DAG of the folder anew, by id."""
    from airflow.sdk import DAG

    def read() -> dict[str, DAG]:
        from contracts.settings import settings

        settings.cache_clear()
        found = {}
        for path in sorted((ROOT / "dags").glob("*.py")):
            spec = importlib.util.spec_from_file_location(path.stem, path)
            assert spec and spec.loader
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            found |= {dag.dag_id: dag for dag in vars(module).values() if isinstance(dag, DAG)}
        return found

    return read


@pytest.fixture(scope="session")
def dags(read_dags: "Callable[[], dict[str, DAG]]") -> "dict[str, DAG]":
    """The DAGs with the settings' defaults."""
    return read_dags()
