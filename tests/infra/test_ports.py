"""A taken port is named together with its setting."""

import os
import socket
from collections.abc import Iterator

import ports
import postgres
import pytest

from contracts.settings import Settings


@pytest.fixture
def free() -> Settings:
    return Settings(**{name: postgres.free_port() for name in ports.NAMES})


@pytest.fixture
def taken(free: Settings) -> Iterator[socket.socket]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", free.airflow_port))
        listener.listen()
        yield listener


def test_free_ports_pass(free: Settings) -> None:
    ports.check(free, ours=())


@pytest.mark.troubleshooting("port ... (FINPULSE_AIRFLOW_PORT) is taken")
def test_a_taken_port_is_named_with_its_setting_and_process(
    free: Settings, taken: socket.socket
) -> None:
    expected = rf"port {free.airflow_port} \(FINPULSE_AIRFLOW_PORT\) is taken by pid {os.getpid()}"
    with pytest.raises(ports.PortTaken, match=expected):
        ports.check(free, ours=())


def test_our_own_stack_may_hold_its_ports(free: Settings, taken: socket.socket) -> None:
    ports.check(free, ours={os.getpid()})


def test_one_port_for_two_services_is_named_with_both(free: Settings) -> None:
    twice = free.model_copy(update={"mlflow_port": free.postgres_port})
    with pytest.raises(ports.PortTaken, match=r"FINPULSE_POSTGRES_PORT and FINPULSE_MLFLOW_PORT"):
        ports.check(twice, ours=())
