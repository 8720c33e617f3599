# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files a process is given: odoo.conf without secrets, and each secret in a file of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .._image.record import Record
from .._instance.names import HTTP, KINDS, QUEUE, REALTIME
from .._instance.series import series_of
from .._kernel.errors import bad_input
from .._kernel.files import read_text
from .._runtime.protocol import ETC, HOME, SESSION_SOCKETS, SOCKETS
from . import queue_job

PLATFORM_ADDONS = ("sysgenpro_session", "sysgenpro_drain", "sysgenpro_assets", "sysgenpro_ready")
DATABASE_CA, SESSION_CA = "database-ca.crt", "session-ca.crt"
# Every address of the container, which has one, on the instance's own network.
EVERYWHERE = "0.0.0.0"  # noqa: S104
# The websocket process holds a cursor for each connection that is being served.
REALTIME_MAXCONN = 16
# Seconds that a scheduled action, or a job, may take where the operator says nothing; and what stands for no limit where Odoo knows none.
CRON_TIME, NO_LIMIT = 1800, 7 * 24 * 3600


def odoo_conf(params: Mapping[str, Any], record: Record, kind: str, role: str, database: str) -> str:
    """The text of odoo.conf for one process.

    The password is not in it: libpq takes it from ``PGPASSFILE``, which also bears blanks at either end.
    """
    series = series_of(record.series)
    processes = params["processes"]
    options: dict[str, Any] = {**params["config"], **params["config_secrets"]}
    loaded = [name for name in PLATFORM_ADDONS if name in record.modules] if kind in (*KINDS, QUEUE) else []
    asked = queue_job.asked_to_load(options)
    options.pop("server_wide_modules", None)
    server_wide = list(series.server_wide) + server_wide_for(params, kind, asked) + loaded
    options.update({
        "server_wide_modules": ",".join(dict.fromkeys(server_wide)),
        **database_options(params["database"]), "db_user": role, "db_name": database,
        # No dbfilter: with one, Odoo lists the databases of the logged-in role, which owns none.
        "list_db": False, "data_dir": HOME,
        "addons_path": ",".join(record.addons_path), "db_maxconn": processes["db_maxconn"],
    })
    if kind == "web":
        options.update({"workers": processes["web_workers"], "max_cron_threads": 0, "proxy_mode": True,
                        "http_interface": EVERYWHERE, "http_port": HTTP, series.realtime_option: REALTIME})
        if series.number >= 16:
            options.setdefault("db_maxconn_gevent", REALTIME_MAXCONN)
    elif kind == "cron":
        # With workers=0 a shutdown waits one second only, so a job would be torn.
        options.update({"workers": 1, "max_cron_threads": processes["cron_threads"], "http_enable": False})
    elif kind == QUEUE:
        # Only its own runner asks it anything.
        options.update({"workers": queue_job.capacity(params), "max_cron_threads": 0, "http_interface": "127.0.0.1", "http_port": HTTP,
                        **_as_long_as_cron(options)})
    else:
        options.update({"workers": 0, "max_cron_threads": 0, "http_enable": False})
    if kind not in ("web", QUEUE):
        options.setdefault("limit_time_real_cron", CRON_TIME)
    lines = [f"{key} = {_text(value)}" for key, value in sorted(options.items())]
    return "[options]\n" + "\n".join(lines) + "\n"


def database_options(place: Mapping[str, Any]) -> dict[str, Any]:
    """How a process reaches its cluster. Where the authority's certificate is, libpq is told by ``PGSSLROOTCERT``."""
    if place.get("socket"):
        return {"db_host": SOCKETS, "db_port": place["port"]}
    return {"db_host": place["host"], "db_port": place["port"], "db_sslmode": place["sslmode"]}


def authorities(params: Mapping[str, Any]) -> dict[str, str]:
    """Certificates of the authorities that database and session store are trusted by, as files of a process.

    :raises DomainError: ``bad_input``, for a path that cannot be read.
    """
    found = {}
    for name, field in ((DATABASE_CA, "database"), (SESSION_CA, "session")):
        path = (params[field] or {}).get("ca_path")
        if path:
            text = read_text(path)
            if not text:
                raise bad_input(field + ".ca_path", path, "a file with certificates, where the release is carried out")
            found[name] = text
    return found


def server_wide_for(params: Mapping[str, Any], kind: str, asked: Iterable[str]) -> list[str]:
    """The operator's server-wide add-ons that a kind of process loads. What begins to work by itself is loaded only by the one process that is
    nowhere but in the leading colour: a job runner by the queue's, what ``processes.cron_loads`` names by cron's."""
    alone = {**dict.fromkeys(params["processes"]["cron_loads"], "cron"), **dict.fromkeys(queue_job.RUNNERS, QUEUE)}
    found = [name for name in (*asked, *params["processes"]["cron_loads"]) if alone.get(name, kind) == kind]
    return [*found, queue_job.MODULE] if kind == QUEUE else found


def _as_long_as_cron(options: Mapping[str, Any]) -> dict[str, int]:
    """A job is a request, and may take as long as a scheduled action. Odoo takes 0 for no limit there, -1 for that of requests."""
    cron = int(options.get("limit_time_real_cron", CRON_TIME))
    if cron < 0:
        return {}
    seconds = max(cron or NO_LIMIT, int(options.get("limit_time_real", 0)))
    return {"limit_time_real": seconds, "limit_time_cpu": max(seconds, int(options.get("limit_time_cpu", 0)))}


def _text(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ",".join(str(item) for item in value)
    return str(value).replace("\n", " ")


def session_url(session: Mapping[str, Any]) -> str:
    """As redis-py takes it (``redis.connection.parse_url``)."""
    if session.get("socket"):
        return "unix://{}/{}?db=0".format(SESSION_SOCKETS, session["socket"].rsplit("/", 1)[1])
    if not session["tls"]:
        return "redis://{host}:{port}/0".format(**session)
    trusted = f"?ssl_ca_certs={ETC}/{SESSION_CA}" if session["ca_path"] else ""
    return "rediss://{host}:{port}/0{trusted}".format(trusted=trusted, **session)


def pgpass(role: str, password: str) -> str:
    """A libpq password file: ``:`` and ``\\`` are escaped (PostgreSQL documentation, "The Password File")."""
    return "*:*:*:{}:{}\n".format(role, password.replace("\\", "\\\\").replace(":", "\\:"))


def environment(params: Mapping[str, Any], kind: str) -> dict[str, str]:
    """Environment of a process; secrets only as names of files."""
    values = {key: str(value) for key, value in params["environment_variables"].items()}
    values.update({
        # The user's number is in no passwd file of the image, and Odoo 14 asks for its name (odoo/cli/server.py, check_root_user).
        "HOME": HOME, "USER": "odoo", "ODOO_RC": ETC + "/odoo.conf", "PGPASSFILE": ETC + "/pgpass", "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    })
    if kind == QUEUE:
        values.update(queue_job.environment(params, HTTP))
    if kind == "web":
        # Odoo gives a request two seconds for each piece of it; a slow line, or an edge that has two thousand to send at once, takes longer.
        values.setdefault("ODOO_HTTP_SOCKET_TIMEOUT", "10")
        values["SYSGENPRO_PROBE_TOKEN_FILE"] = ETC + "/probe-token"
        without = params["modules"].get("without_code")
        if without:
            values["SYSGENPRO_MODULES_WITHOUT_CODE"] = ",".join(sorted(without))
    if params["database"].get("host"):
        values["PGSSLROOTCERT"] = f"{ETC}/{DATABASE_CA}" if params["database"]["ca_path"] else "system"
    if params["session"] and kind in (*KINDS, QUEUE):
        values["SYSGENPRO_SESSION_URL"] = session_url(params["session"])
        values["SYSGENPRO_SESSION_USER"] = params["session"]["username"]
        values["SYSGENPRO_SESSION_PASSWORD_FILE"] = ETC + "/session-password"
    return values
