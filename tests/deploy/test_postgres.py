"""PostgreSQL on the mounted settings and the role script, prepared as the image prepares it."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from parktwin.secrets import make_secrets, read_secret
from tests.deploy.compose_file import ROOT, load_compose
from tests.deploy.conftest import free_port

PROGRAMS = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
SERVICE = load_compose()["services"]["postgres"]


@dataclass(frozen=True)
class Server:
    """A running PostgreSQL; `socket` is the folder of its Unix socket."""

    port: int
    socket: Path
    secrets: Path

    def connect(self, user: str, database: str, host: str | None = None) -> str:
        """The current user after a login with the right password."""
        file = "postgres-password" if user == "parktwin" else "postgres-admin-password"
        with psycopg.connect(
            host=host or str(self.socket),
            port=self.port,
            user=user,
            dbname=database,
            password=read_secret(self.secrets / file),
            connect_timeout=5,
        ) as connection:
            row = connection.execute("SELECT current_user").fetchone()
            assert row is not None
            return str(row[0])


def server_user() -> tuple[int, int] | tuple[None, None]:
    """PostgreSQL refuses to run as root; then it runs as Debian's user for it."""
    if os.geteuid() != 0:
        return None, None
    entry = pwd.getpwnam("postgres")
    return entry.pw_uid, entry.pw_gid


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    # Not tmp_path: the server's user could not enter it.
    folder = Path(tempfile.mkdtemp(prefix="parktwin-pg-"))
    user, group = server_user()
    environment = {
        "PATH": f"{PROGRAMS}:{os.environ['PATH']}",
        "LC_ALL": "C.UTF-8",
        "HOME": str(folder),
    }
    port = free_port()
    process: subprocess.Popen[bytes] | None = None
    try:
        made = folder / "secrets"
        make_secrets(made)
        settings = (ROOT / "deploy/postgres/postgresql.conf").read_text()
        settings = settings.replace("/etc/postgresql/", f"{folder}/")
        settings = settings.replace("/var/run/postgresql", str(folder))
        settings = settings.replace("listen_addresses = '*'", "listen_addresses = '127.0.0.1'")
        (folder / "postgresql.conf").write_text(settings)
        shutil.copy(ROOT / "deploy/postgres/pg_hba.conf", folder)
        shutil.copy(ROOT / "deploy/postgres/roles.sh", folder)
        if user is not None and group is not None:
            for path in (folder, *folder.rglob("*")):
                os.chown(path, user, group)

        def run(*command: str) -> None:
            done = subprocess.run(
                command,
                env=environment,
                cwd=folder,
                capture_output=True,
                timeout=90,
                check=False,
                user=user,
                group=group,
            )
            assert done.returncode == 0, done.stderr.decode()

        arguments = SERVICE["environment"]["POSTGRES_INITDB_ARGS"].split()
        data = folder / "data"
        run(
            *("initdb", "-D", str(data), "--username", SERVICE["environment"]["POSTGRES_USER"]),
            *("--pwfile", str(made / "postgres-admin-password"), "--no-sync", *arguments),
        )
        assert SERVICE["command"][:2] == ["postgres", "-c"]
        environment["PGDATA"] = str(data)
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                ["postgres", "-p", str(port), "-c", f"config_file={folder}/postgresql.conf"],
                env=environment,
                cwd=folder,
                stdout=log,
                stderr=log,
                user=user,
                group=group,
            )
        environment |= {
            "PGHOST": str(folder),
            "PGPORT": str(port),
            "PGPASSWORD": read_secret(made / "postgres-admin-password"),
            "POSTGRES_USER": SERVICE["environment"]["POSTGRES_USER"],
            "PARKTWIN_SECRETS": str(made),
        }
        for _ in range(200):
            assert process.poll() is None, (folder / "log").read_text()
            ready = subprocess.run(["pg_isready", "-q"], env=environment, check=False, timeout=10)
            if ready.returncode == 0:
                break
            try:
                process.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
        run("/bin/sh", str(folder / "roles.sh"))
        yield Server(port, folder, made)
    finally:
        if process is not None:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)
        shutil.rmtree(folder)


def test_the_nodes_role_logs_in_over_tcp_and_owns_its_database(server: Server) -> None:
    with psycopg.connect(
        host="127.0.0.1",
        port=server.port,
        user="parktwin",
        dbname="parktwin",
        password=read_secret(server.secrets / "postgres-password"),
    ) as connection:
        connection.execute("CREATE TABLE probe (n int)")
        connection.execute("INSERT INTO probe VALUES (1)")
        assert connection.execute("SELECT n FROM probe").fetchall() == [(1,)]


def test_the_nodes_role_is_no_superuser_and_cannot_reach_files(server: Server) -> None:
    with psycopg.connect(
        host="127.0.0.1",
        port=server.port,
        user="parktwin",
        dbname="parktwin",
        password=read_secret(server.secrets / "postgres-password"),
        autocommit=True,
    ) as connection:
        for statement in (
            "CREATE ROLE other",
            "CREATE DATABASE other",
            "COPY (SELECT 1) TO PROGRAM 'true'",
            "SELECT pg_read_file('/etc/passwd')",
            "SET ROLE postgres",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)


@pytest.mark.parametrize(
    ("user", "database", "host"),
    [
        ("postgres", "postgres", "127.0.0.1"),
        ("postgres", "parktwin", "127.0.0.1"),
        ("parktwin", "postgres", "127.0.0.1"),
        ("parktwin", "postgres", None),
    ],
)
def test_everything_else_is_rejected_even_with_the_right_password(
    server: Server, user: str, database: str, host: str | None
) -> None:
    with pytest.raises(psycopg.OperationalError, match=r"reject|permission denied"):
        server.connect(user, database, host)


def test_the_administrator_logs_in_from_inside_only(server: Server) -> None:
    assert server.connect("postgres", "postgres") == "postgres"


@pytest.mark.parametrize("word", ["", "parktwin", "postgres", "x" * 43])
def test_a_wrong_password_stays_out(server: Server, word: str) -> None:
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(
            host="127.0.0.1", port=server.port, user="parktwin", dbname="parktwin", password=word
        )


def test_the_mounted_settings_are_in_force(server: Server) -> None:
    expected = {
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "data_checksums": "on",
        "password_encryption": "scram-sha-256",
        "max_connections": "40",
        "lock_timeout": "10s",
        "TimeZone": "UTC",
    }
    with psycopg.connect(
        host=str(server.socket),
        port=server.port,
        user="postgres",
        dbname="postgres",
        password=read_secret(server.secrets / "postgres-admin-password"),
    ) as connection:
        for name, value in expected.items():
            assert connection.execute("SELECT current_setting(%s)", [name]).fetchone() == (value,)
        mistakes = "SELECT name, error FROM pg_file_settings WHERE error IS NOT NULL"
        assert connection.execute(mistakes).fetchall() == []
        wrong_rules = "SELECT line_number, error FROM pg_hba_file_rules WHERE error IS NOT NULL"
        assert connection.execute(wrong_rules).fetchall() == []
        methods = connection.execute("SELECT DISTINCT auth_method FROM pg_hba_file_rules")
        assert {row[0] for row in methods} == {"scram-sha-256", "reject"}


def test_the_health_check_sees_the_server(server: Server) -> None:
    check = SERVICE["healthcheck"]["test"]
    assert check[:2] == ["CMD", "pg_isready"]
    command = [str(PROGRAMS / check[1]), *check[2:], "-p"]
    done = subprocess.run([*command, str(server.port)], check=False, timeout=20)
    assert done.returncode == 0
    nobody = subprocess.run([*command, str(free_port())], check=False, timeout=20)
    assert nobody.returncode != 0
