# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real Odoo processes with the add-ons, beside a real PostgreSQL and Redis, all in containers of this host's Docker."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable

import requests
import websocket

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests" / "lab"))
from sgplab import images, template  # noqa: E402

PREFIX = os.environ.get("SYSGENPRO_ADDONS_PREFIX", "sgp-addons")
DATABASE = "shop"
UID = 20001
PASSWORD = "s3 {{ é' $cret"
TOKEN = "probe-token-42"
#: Images that can print; Odoo 14's can by its packages.
PRINTING = {"19.0": "odoo-19.0-print"}
ADDONS = ("sysgenpro_session", "sysgenpro_drain", "sysgenpro_assets", "sysgenpro_ready")
#: What docs/reference/add-ons.md says the ACL has to allow; the tests would fail if it were too little.
ACL = "~sgp:session:* -@all +get +set +mget +del +exists +expire +sadd +srem +smembers +scan"
_POSTGRESQL = (
    "pg_createcluster {version} rig -- --auth-local=trust --auth-host=trust -N && "
    "pg_ctlcluster {version} rig start -- -w -o '-c fsync=off -c max_connections=300' && "
    "runuser -u postgres -- createuser --superuser odoo && sleep infinity"
)


def docker(*command: str, check: bool = True) -> str:
    """The standard output of a docker command."""
    done = subprocess.run(["docker", *command], capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise RuntimeError(f"docker {' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout.strip()


def wait_for(what: Callable[[], Any], seconds: float, why: str) -> Any:
    """The first true answer of ``what``."""
    deadline = time.monotonic() + seconds
    while True:
        found = what()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"{why}: not within {seconds} s")
        time.sleep(0.05)


@dataclass
class Rig:
    """PostgreSQL with the template database, Redis with the ACL, and what Odoo containers share."""

    series: str
    directory: Path
    names: list[str] = field(default_factory=list)

    @property
    def major(self) -> int:
        return int(self.series.split(".")[0])

    def name(self, part: str) -> str:
        return f"{PREFIX}-{self.major}-{part}"

    def start(self) -> None:
        self.directory.chmod(0o755)
        for part, mode in (("sock", 0o777), ("data", 0o700), ("redis", 0o777), ("etc", 0o755)):
            (self.directory / part).mkdir()
            (self.directory / part).chmod(mode)
        (self.directory / "etc" / "redis-password").write_text(PASSWORD + "\n", encoding="utf-8")
        (self.directory / "etc" / "probe-token").write_text(TOKEN + "\n", encoding="utf-8")
        self._postgresql()
        self._redis()
        made = template.ensure(self.series, template.MODULES.split(","))
        self._load(made)

    def _run(self, part: str, image: str, *options: str, command: list[str]) -> str:
        name = self.name(part)
        docker("rm", "--force", "--volumes", name, check=False)
        self.names.append(name)
        docker("run", "--detach", "--name", name, *options, image, *command)
        return name

    def _postgresql(self) -> None:
        sock = f"{self.directory / 'sock'}:/var/run/postgresql"
        self._run(
            "pg",
            images.ensure("debian13-warm"),
            "--volume",
            sock,
            command=["sh", "-ec", _POSTGRESQL.format(version=17)],
        )
        # -h: the socket, where the start-up's own server does not listen either.
        wait_for(lambda: self.sql("select 1", "postgres", check=False) == "1", 300, "PostgreSQL")

    def _redis(self) -> None:
        # Spaces cannot stand in a redis password of an ACL file in plain, so it is given as its digest.
        import hashlib

        digest = hashlib.sha256(PASSWORD.encode()).hexdigest()
        acl = self.directory / "redis" / "users.acl"
        acl.write_text(
            f"user default off\nuser odoo on #{digest} {ACL}\nuser probe on nopass ~* +@all\n", encoding="utf-8"
        )
        acl.chmod(0o644)
        mounts = ["--volume", f"{self.directory / 'sock'}:/sock", "--volume", f"{self.directory / 'redis'}:/data"]
        command = (
            "redis-server --port 0 --unixsocket /sock/redis.sock --unixsocketperm 777 --dir /data --appendonly yes "
        )
        command += "--maxmemory-policy noeviction --aclfile /data/users.acl --save ''"
        self._run(
            "redis",
            images.ensure("debian13-warm"),
            "--user",
            str(os.getuid()),
            *mounts,
            command=[*command.split()[:-2], "--save", ""],
        )
        wait_for(lambda: self.redis("PING") == "PONG", 120, "Redis")

    def redis(self, *command: str) -> str:
        return docker(
            "exec",
            self.name("redis"),
            "redis-cli",
            "-s",
            "/sock/redis.sock",
            "--user",
            "probe",
            "--pass",
            "x",
            "--no-auth-warning",
            *command,
            check=False,
        )

    def _load(self, made: Path) -> None:
        self.sql(f"create database {DATABASE} owner odoo encoding 'UTF8' template template0", "postgres")
        shutil.copy(made / "database.dump", self.directory / "sock" / "database.dump")
        docker(
            "exec",
            self.name("pg"),
            "pg_restore",
            "-U",
            "odoo",
            "--no-owner",
            "-j2",
            "-d",
            DATABASE,
            "/var/run/postgresql/database.dump",
        )
        (self.directory / "sock" / "database.dump").unlink()
        store = self.directory / "data" / "filestore" / DATABASE
        store.parent.mkdir()
        shutil.copytree(made / "filestore", store)
        subprocess.run(["chown", "-R", f"{UID}:{UID}", str(self.directory / "data")], check=True)

    def sql(self, query: str, database: str = DATABASE, check: bool = True) -> str:
        return docker("exec", self.name("pg"), "psql", "-XAtq", "-U", "odoo", "-d", database, "-c", query, check=check)

    def image(self) -> str:
        return os.environ.get(f"SYSGENPRO_TEST_ODOO_{self.major}") or images.ensure(PRINTING.get(self.series, f"odoo-{self.series}"))

    def odoo(self, part: str, **options: Any) -> "Odoo":
        found = Odoo(self, part, **options)
        found.start()
        return found

    def stop(self) -> None:
        if self.names:
            docker("rm", "--force", "--volumes", *self.names, check=False)
        shutil.rmtree(self.directory, ignore_errors=True)


@dataclass
class Odoo:
    """One Odoo container."""

    rig: Rig
    part: str
    workers: int = 2
    http: bool = True
    cron: int = 0
    redis: bool = True
    environment: dict[str, str] = field(default_factory=dict)
    mounts: dict[str, str] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    addons: tuple[str, ...] = ADDONS
    command: tuple[str, ...] = ("odoo",)
    address: str = ""

    @property
    def name(self) -> str:
        return self.rig.name(self.part)

    @property
    def run_directory(self) -> Path:
        return self.rig.directory / f"run-{self.part}"

    def start(self) -> None:
        self.run_directory.mkdir(exist_ok=True)
        os.chown(self.run_directory, UID, UID)
        load = ("base", "rpc", "web") if self.rig.major >= 19 else ("base", "web")
        evented = "gevent_port" if self.rig.major >= 16 else "longpolling_port"
        options = {
            "addons_path": "/usr/lib/python3/dist-packages/odoo/addons,/opt/sysgenpro/addons" + "".join(f",{path}" for path in self.mounts.values() if path.startswith("/mnt")),
            "data_dir": "/var/lib/odoo", "db_host": "/run/instance", "db_user": "odoo", "db_name": DATABASE, "dbfilter": f"^{DATABASE}$",
            "server_wide_modules": ",".join((*load, *self.addons)), "workers": self.workers, "max_cron_threads": self.cron,
            "http_enable": self.http, evented: 8072, "list_db": False, "limit_memory_hard": 0, "limit_memory_soft": 0, "log_level": "info", **self.config,
        }  # fmt: skip
        config = self.rig.directory / "etc" / f"{self.part}.conf"
        config.write_text(
            "[options]\n" + "".join(f"{key} = {value}\n" for key, value in options.items()), encoding="utf-8"
        )
        environment = {
            "HOME": "/var/lib/odoo",
            "USER": "odoo",
            "ODOO_RC": "/etc/odoo/odoo.conf",
            "SYSGENPRO_PROBE_TOKEN_FILE": "/etc/instance/probe-token",
        }
        if self.redis:
            environment |= {
                "SYSGENPRO_SESSION_URL": "unix:///run/instance/redis.sock?db=0", "SYSGENPRO_SESSION_USER": "odoo",
                "SYSGENPRO_SESSION_PASSWORD_FILE": "/etc/instance/redis-password",
            }  # fmt: skip
        mounts = {
            str(ROOT / "addons"): "/opt/sysgenpro/addons:ro", str(self.rig.directory / "sock"): "/run/instance",
            str(self.rig.directory / "data"): "/var/lib/odoo", str(self.rig.directory / "etc"): "/etc/instance:ro", str(config): "/etc/odoo/odoo.conf:ro",
            str(self.run_directory): "/run/odoo", **self.mounts,
        }  # fmt: skip
        arguments = ["--init", "--user", f"{UID}:{UID}"]
        for key, value in {**environment, **self.environment}.items():
            arguments += ["--env", f"{key}={value}"]
        for source, target in mounts.items():
            arguments += ["--volume", f"{source}:{target}"]
        self.rig._run(self.part, self.rig.image(), *arguments, command=list(self.command))
        self.address = docker("inspect", "--format", "{{.NetworkSettings.IPAddress}}", self.name)
        if self.http:
            wait_for(lambda: not self._gone() and self._answers(), 300, f"{self.name} serves")

    def _gone(self) -> bool:
        """:raises AssertionError: with the log, if the container ended."""
        if docker("inspect", "--format", "{{.State.Running}}", self.name) == "false":
            raise AssertionError(self.logs()[-3000:])
        return False

    def _answers(self) -> bool:
        try:
            ready = requests.get(f"{self.url}/web/login", timeout=120).status_code == 200
            if ready and self.workers:
                requests.get(f"http://{self.address}:8072/", timeout=5, allow_redirects=False)
        except requests.RequestException:
            return False
        return ready

    @property
    def url(self) -> str:
        return f"http://{self.address}:8069"

    def logs(self) -> str:
        done = subprocess.run(["docker", "logs", self.name], capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    def signal(self, name: str = "TERM") -> None:
        docker("kill", "--signal", name, self.name)

    def wait(self) -> int:
        """Exit code once it ended."""
        return int(docker("wait", self.name))

    def remove(self) -> None:
        docker("rm", "--force", "--volumes", self.name, check=False)

    def ready(self, token: str = TOKEN, timeout: float = 300, part: str = "") -> requests.Response:
        return requests.post(f"{self.url}/sysgenpro/ready", headers={"X-Sysgenpro-Token": token, "X-Sysgenpro-Part": part}, timeout=timeout)

    def requests_under_way(self) -> list[dict[str, Any]]:
        found = []
        for path in self.run_directory.glob("[0-9]*-*"):
            try:
                found.append(json.loads(path.read_text(encoding="utf-8")))
            except FileNotFoundError:
                pass
        return found


class Browser:
    """A user who is logged in. His cookie goes to either colour, as it does behind one front."""

    def __init__(self, odoo: Odoo | None = None, login: str = "admin", sid: str = "") -> None:
        self.sid = sid
        if odoo is None:
            return
        form = self.request("GET", f"{odoo.url}/web/login").text
        token = re.search(r'name="csrf_token"\s+value="([^"]+)', form)
        assert token, form[:2000]
        fields = {"csrf_token": token.group(1), "login": login, "password": "admin"}
        answer = self.request("POST", f"{odoo.url}/web/login", data=fields)
        assert answer.status_code in (302, 303), answer.status_code

    def request(self, method: str, url: str, **options: Any) -> requests.Response:
        options.setdefault("timeout", 120)
        cookies = {"session_id": self.sid} if self.sid else {}
        answer = requests.request(method, url, cookies=cookies, allow_redirects=False, **options)
        self.sid = answer.cookies.get("session_id") or self.sid
        return answer

    def call(self, odoo: Odoo, model: str, method: str, *args: Any, **kwargs: Any) -> Any:
        """The result of a model's method; the whole answer as an error if there is none."""
        body = {
            "jsonrpc": "2.0",
            "method": "call",
            "params": {"model": model, "method": method, "args": list(args), "kwargs": kwargs},
        }
        answer = self.request("POST", f"{odoo.url}/web/dataset/call_kw/{model}/{method}", json=body)
        assert answer.status_code == 200 and "error" not in answer.json(), answer.text[:3000]
        return answer.json()["result"]

    def me(self, odoo: Odoo) -> Any:
        """The user's id as the server sees it; None if logged out; the status if the answer is no 200."""
        answer = self.request("POST", f"{odoo.url}/web/session/get_session_info", json={"jsonrpc": "2.0", "params": {}})
        if answer.status_code != 200:
            return answer.status_code
        found = answer.json()
        return found["result"].get("uid") if "result" in found else found["error"]

    def websocket(self, odoo: Odoo) -> websocket.WebSocket:
        made = websocket.create_connection(
            f"ws://{odoo.address}:8072/websocket",
            cookie=f"session_id={self.sid}",
            origin=odoo.url.replace(":8069", ":8072"),
            timeout=20,
        )
        made.send(json.dumps({"event_name": "subscribe", "data": {"channels": [], "last": 0}}))
        return made


def new(series: str) -> Rig:
    rig = Rig(series, Path(tempfile.mkdtemp(prefix=f"{PREFIX}-")))
    try:
        rig.start()
    except BaseException:
        rig.stop()
        raise
    return rig
