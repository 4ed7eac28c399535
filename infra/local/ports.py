"""Ports are settings; a taken one is named together with its setting."""

import socket
from collections.abc import Collection

import psutil

from contracts.settings import PREFIX, Settings

NAMES = (
    "postgres_port",
    "mlflow_port",
    "airflow_port",
    "predictor_port",
    "monitoring_port",
    "supervisor_port",
)


class PortTaken(RuntimeError):
    """A port that a service needs is in use; the message names port, setting and process."""


def reachable(host: str) -> str:
    """The address at which a service that listens on `host` is reached from here."""
    return "127.0.0.1" if host in ("", "0.0.0.0") else host


def _is_free(host: str, port: int) -> bool:
    with socket.socket() as probe:
        # As the servers do: a port in TIME_WAIT is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def _listener(port: int) -> psutil.Process | None:
    try:
        connections = psutil.net_connections("tcp")
    except psutil.AccessDenied:
        return None
    for connection in connections:
        at = connection.laddr.port if connection.laddr else None
        if connection.status == psutil.CONN_LISTEN and at == port and connection.pid:
            return psutil.Process(connection.pid)
    return None


def check(settings: Settings, ours: Collection[int]) -> None:
    """Raise PortTaken unless each port is free or held by one of the process ids `ours`."""
    problems = []
    users: dict[int, str] = {}
    for name in NAMES:
        port, key = getattr(settings, name), PREFIX + name.upper()
        if port in users:
            problems.append(f"port {port} is named by both {users[port]} and {key}")
        elif not _is_free(settings.host, port):
            process = _listener(port)
            if process is None or process.pid not in ours:
                by = f"pid {process.pid} ({process.name()})" if process else "another process"
                problems.append(f"port {port} ({key}) is taken by {by}")
        users[port] = key
    if problems:
        raise PortTaken("; ".join(problems) + ": end it, or set another port")
