"""supervisord: its configuration, and its control through XML-RPC on the loopback interface."""

import configparser
import contextlib
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault, ServerProxy

import psutil
from programs import Program, outside
from stack import ROOT, SUPERVISOR_USER, Stack, StackError, write_private

RUNNING = "RUNNING"
_STOP_SECONDS = 40
_LAUNCH_SECONDS = 120
# A program that was started this often without getting healthy will not get there.
_STARTS = 4


def _value(name: str, text: str) -> str:
    """Text that survives supervisord's parser, which knows no escapes."""
    if any(mark in text for mark in ('"', "\n", " ;", " #")):
        raise StackError(f"{name} holds a quote, a line break, ' ;' or ' #': {text!r}; rename it")
    return text.replace("%", "%%")


def render(stack: Stack, programs: Sequence[Program]) -> str:
    """The configuration file's text. It holds secrets: write it for its owner only."""
    home = stack.home
    log = _value("FINPULSE_HOME", str(home / "logs"))
    lines = ["[supervisord]"]
    lines += [f"logfile={log}/supervisord.log", f"pidfile={home}/supervisord.pid"]
    lines += [f"childlogdir={log}", f"directory={_value('the folder', str(ROOT))}"]
    lines += ["user=root"] if os.geteuid() == 0 else []
    lines += ["[inet_http_server]", f"port=127.0.0.1:{stack.asked.supervisor_port}"]
    lines += [f"username={SUPERVISOR_USER}", f"password={stack.credentials.supervisor}"]
    lines += ["[rpcinterface:supervisor]"]
    lines += [
        "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface",
    ]
    for program in programs:
        lines += _section(program, log)
    return "\n".join(lines) + "\n"


def _section(program: Program, log: str) -> list[str]:
    pairs = ",".join(
        f'{key}="{_value(key, value)}"' for key, value in sorted(program.environment.items())
    )
    options = {
        "command": _value("a command", shlex.join(program.command)),
        "environment": pairs,
        "autostart": "false",
        "autorestart": "true",
        "startsecs": "2",
        "startretries": "20",
        "stopsignal": program.stop_signal,
        "stopwaitsecs": "20",
        "stopasgroup": "true",
        "killasgroup": "true",
        "redirect_stderr": "true",
        "stdout_logfile": f"{log}/{program.name}.log",
        "stdout_logfile_maxbytes": "20MB",
        "stdout_logfile_backups": "1",
    }
    return [f"[program:{program.name}]", *(f"{k}={v}" for k, v in options.items())]


class Supervisor:
    """The supervisord of one home."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.configuration = home / "supervisord.conf"

    @property
    def process(self) -> psutil.Process | None:
        """The running supervisord of this home."""
        try:
            pid = int((self.home / "supervisord.pid").read_text())
            process = psutil.Process(pid)
            ours = str(self.configuration) in process.cmdline()
            return process if ours and process.status() != psutil.STATUS_ZOMBIE else None
        except (OSError, ValueError, psutil.Error):
            return None

    def _served(self) -> configparser.SectionProxy:
        parser = configparser.RawConfigParser(strict=False)
        parser.read(self.configuration)
        return parser["inet_http_server"]

    @property
    def _rpc(self) -> Any:
        served = self._served()
        login = f"{served['username']}:{served['password']}"
        return ServerProxy(f"http://{login}@{served['port']}/RPC2").supervisor

    def apply(self, stack: Stack, programs: Sequence[Program]) -> list[str]:
        """Make supervisord run with this configuration; returns the programs that changed.

        Those are stopped, as are the ones no longer wanted; nothing is started.
        """
        (self.home / "logs").mkdir(parents=True, exist_ok=True)
        port = f"127.0.0.1:{stack.asked.supervisor_port}"
        if self.process and self._served()["port"] != port:
            self.shutdown()
        write_private(self.configuration, render(stack, programs))
        if not self.process:
            self._launch()
            return []
        added, changed, removed = self._rpc.reloadConfig()[0]
        self._stop([*changed, *removed])
        for name in (*changed, *removed):
            self._rpc.removeProcessGroup(name)
        for name in (*changed, *added):
            self._rpc.addProcessGroup(name)
        return list(changed)

    def _launch(self) -> None:
        executable = Path(sys.executable).parent / "supervisord"
        command = [sys.executable, str(executable), "-c", str(self.configuration)]
        done = subprocess.run(command, cwd=ROOT, env=outside(), capture_output=True, text=True)
        if done.returncode:
            raise StackError(f"supervisord did not start: {done.stderr or done.stdout}")
        deadline = time.monotonic() + _LAUNCH_SECONDS
        while True:
            with contextlib.suppress(OSError):
                self._rpc.getState()
                return
            if time.monotonic() > deadline:
                raise StackError(f"supervisord does not answer: see {self.home}/logs")
            time.sleep(0.1)

    def start(self, name: str) -> None:
        """Start a program unless it runs."""
        if self._rpc.getProcessInfo(name)["statename"] not in (RUNNING, "STARTING"):
            # A Fault here means that it runs already.
            with contextlib.suppress(Fault):
                self._rpc.startProcess(name, False)

    def info(self, name: str) -> dict[str, Any]:
        """What supervisord knows of a program: statename, pid, start, spawnerr."""
        found: dict[str, Any] = self._rpc.getProcessInfo(name)
        return found

    def tail(self, name: str, lines: int = 30) -> str:
        """The end of a program's log."""
        path = self.home / "logs" / f"{name}.log"
        text = path.read_text(errors="replace") if path.exists() else ""
        return "\n".join(text.splitlines()[-lines:]) or "(its log is empty)"

    def _stop(self, names: Sequence[str]) -> None:
        # All at once: supervisord itself would ask one after the other.
        for name in names:
            # A Fault here means that it does not run.
            with contextlib.suppress(Fault):
                self._rpc.stopProcess(name, False)
        deadline = time.monotonic() + _STOP_SECONDS
        while any(self.info(name)["pid"] for name in names) and time.monotonic() < deadline:
            time.sleep(0.1)

    def shutdown(self) -> None:
        """Stop all programs, Postgres last, and supervisord itself."""
        process = self.process
        if process:
            names = [info["name"] for info in self._rpc.getAllProcessInfo()]
            self._stop([name for name in names if name != "postgres"])
            self._rpc.shutdown()
            process.wait(_STOP_SECONDS)


class Starts:
    """Counts how often programs were started, to give up on one that keeps failing."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.supervisor = supervisor
        self._seen: dict[str, set[int]] = {}

    def check(self, name: str) -> None:
        """Raise StackError with the end of the log when the program will not get healthy."""
        info = self.supervisor.info(name)
        seen = self._seen.setdefault(name, set())
        seen.add(info["start"])
        if info["statename"] == "FATAL" or len(seen) >= _STARTS:
            raise StackError(
                f"{name} does not stay up ({info['spawnerr'] or info['description']}); the end of "
                f"its log {self.supervisor.home}/logs/{name}.log:\n{self.supervisor.tail(name)}"
            )
