"""Keep programs alive with supervisord, one instance per state folder.

It listens on 127.0.0.1 with a password of its own, not on a Unix socket: the path of one ends at 108 bytes, and a
checkout may lie deeper.
"""

from __future__ import annotations

import http.client
import secrets
import shlex
import subprocess
import sys
import time
import xmlrpc.client
from dataclasses import dataclass
from pathlib import Path

import psutil

from dev.errors import DevError
from dev.leftovers import end_session
from dev.paths import ROOT
from dev.programs import Program, end_of, inherited_environment, wait_until

_LISTENER = "leftovers"
_ALIVE = {"STARTING", "RUNNING", "BACKOFF", "STOPPING"}


@dataclass(frozen=True, slots=True)
class Status:
    """How one program is: supervisord's state word, its own description (pid, uptime), where its log is."""

    name: str
    state: str
    description: str
    pid: int
    log: Path


class Supervisor:
    """The supervisord of ``folder``; made here, found again by every later command."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port
        self.log = folder / "supervisord.log"

    def launch(self) -> None:
        """Start supervisord with no programs; nothing when it runs."""
        if self.running():
            return
        programs = self.folder / "programs"
        programs.mkdir(parents=True, exist_ok=True)
        for old in programs.glob("*.conf"):
            old.unlink()
        self._password_file.write_text(secrets.token_hex(16))
        self._password_file.chmod(0o600)
        self._conf.write_text(self._settings())
        self._conf.chmod(0o600)
        command = (sys.executable, "-m", "supervisor.supervisord", "-c", str(self._conf))
        environment = inherited_environment()
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=self.folder)
        if done.returncode != 0:
            raise DevError(f"supervisord did not start: {done.stdout}{done.stderr}. {end_of(self.log)}")
        wait_until(self.running, "supervisord", self.log, alive=lambda: True, seconds=20)

    def running(self) -> bool:
        """Whether this folder's supervisord answers (another's on the same port does not count)."""
        return self._pid() != 0

    def start(self, program: Program) -> None:
        """Run the program from now on, as described; nothing when it runs."""
        if self.alive(program.name):
            return
        conf = self.folder / "programs" / f"{program.name}.conf"
        conf.write_text(_program_settings(program))
        conf.chmod(0o600)
        server = self._server()
        server.supervisor.reloadConfig()
        if program.name in {status.name for status in self.statuses()}:
            server.supervisor.removeProcessGroup(program.name)
        server.supervisor.addProcessGroup(program.name)
        server.supervisor.startProcess(program.name, False)

    def stop(self, name: str) -> None:
        """Stop a program until the next ``start``; nothing when it does not run."""
        if self.alive(name):
            self._server().supervisor.stopProcess(name, True)

    def alive(self, name: str) -> bool:
        """Whether it runs or will be tried again."""
        return any(status.name == name and status.state in _ALIVE for status in self.statuses())

    def statuses(self) -> list[Status]:
        """Every program, in the order of their names; none when supervisord does not run."""
        if not self.running():
            return []
        rows = self._server().supervisor.getAllProcessInfo()
        assert isinstance(rows, list)
        return [
            Status(row["name"], row["statename"], row["description"], row["pid"], Path(row["stdout_logfile"]))
            for row in rows
            if row["name"] != _LISTENER
        ]

    def shutdown(self, seconds: float = 60) -> None:
        """Stop every program and supervisord itself; returns when all of it has ended."""
        if not self.running():
            return
        supervisord = self._pid()
        # At once; the shutdown alone would stop one program after the other.
        self._server().supervisor.stopAllProcesses()
        self._server().supervisor.shutdown()
        deadline = time.monotonic() + seconds
        while _exists(supervisord):
            if time.monotonic() > deadline:
                raise DevError(f"supervisord did not stop within {seconds:.0f} s. {end_of(self.log)}")
            time.sleep(0.1)
        end_session(supervisord)

    @property
    def _conf(self) -> Path:
        return self.folder / "supervisord.conf"

    @property
    def _password_file(self) -> Path:
        return self.folder / "supervisord.password"

    def _pid(self) -> int:
        if not self._password_file.exists():
            return 0
        try:
            pid = self._server().supervisor.getPID()
        except (OSError, http.client.HTTPException, xmlrpc.client.Error):
            return 0
        assert isinstance(pid, int)
        return pid

    def _server(self) -> xmlrpc.client.ServerProxy:
        return xmlrpc.client.ServerProxy(f"http://dev:{self._password_file.read_text()}@127.0.0.1:{self.port}/RPC2")

    def _settings(self) -> str:
        password = self._password_file.read_text()
        return "\n".join(
            (
                _ini("supervisord", logfile=self.log, pidfile=self.folder / "supervisord.pid", childlogdir=self.folder),
                _ini("inet_http_server", port=f"127.0.0.1:{self.port}", username="dev", password=password),
                "[rpcinterface:supervisor]",
                "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface",
                _ini(
                    f"eventlistener:{_LISTENER}",
                    command=shlex.join((sys.executable, "-m", "dev.leftovers")),
                    directory=ROOT,
                    events="PROCESS_STATE_EXITED,PROCESS_STATE_STOPPED",
                    stdout_logfile="NONE",
                    stderr_logfile=self.folder / f"{_LISTENER}.log",
                ),
                _ini("include", files="programs/*.conf"),
            )
        )


def _exists(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _program_settings(program: Program) -> str:
    # The environment goes through env: supervisord's own syntax for it has no way to write a quotation mark.
    environment = (f"{name}={value}" for name, value in program.environment.items())
    settings = {
        "command": shlex.join(("/usr/bin/env", *environment, *program.command)),
        "stdout_logfile": program.log,
        "redirect_stderr": "true",
        "stdout_logfile_maxbytes": "20MB",
        "stdout_logfile_backups": 1,
        "startretries": 2,
        "autostart": "false",
        "autorestart": "true",
        "stopsignal": program.stop_signal.name.removeprefix("SIG"),
        "stopwaitsecs": program.stop_seconds,
        "stopasgroup": "true",
        "killasgroup": "true",
        **({"user": program.user} if program.user else {}),
    }
    return _ini(f"program:{program.name}", **settings)


def _ini(section: str, **settings: object) -> str:
    rows = (f"{name}={str(value).replace('%', '%%')}" for name, value in settings.items())
    return f"[{section}]\n" + "\n".join(rows) + "\n"
