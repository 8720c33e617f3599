# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files a process is given."""

from __future__ import annotations

import configparser
import io
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._instance.series import series_of
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release import config, odoo_run
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release.cause import cause
from ansible_collections.sysgenpro.odoo.plugins.module_utils._runtime.protocol import Outcome
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.release.samples import (
    PASSWORDS,
    module,
    params,
    record,
)
from hypothesis import given
from hypothesis import strategies as st

SERIES = [f"{number}.0" for number in range(14, 20)]
OUTPUTS = Path(__file__).parent / "outputs"


def read(text: str) -> dict[str, str]:
    """As Odoo reads it (odoo/tools/config.py)."""
    parser = configparser.RawConfigParser()
    parser.read_file(io.StringIO(text))
    return dict(parser.items("options"))


def conf(kind: str, series: str = "19.0", addons: bool = False, **changes: Any) -> dict[str, str]:
    offered = {name: module() for name in config.PLATFORM_ADDONS} if addons else {}
    return read(config.odoo_conf(params(**changes), record("r1", series, **offered), kind, "acme_blue_web", "acme"))


@pytest.mark.parametrize("series", SERIES)
def test_web(series: str) -> None:
    found = conf("web", series)
    number = int(series.split(".")[0])
    assert found["gevent_port" if number >= 16 else "longpolling_port"] == "8072"
    assert ("gevent_port" in found) != ("longpolling_port" in found)
    assert ("db_maxconn_gevent" in found) == (number >= 16)
    assert found["server_wide_modules"] == ("base,rpc,web" if number >= 19 else "base,web")
    assert {key: found[key] for key in ("workers", "max_cron_threads", "http_port", "proxy_mode", "list_db", "db_name",
                                        "db_user", "db_host", "db_port", "data_dir")} == {
        "workers": "2", "max_cron_threads": "0", "http_port": "8069", "proxy_mode": "True", "list_db": "False",
        "db_name": "acme", "db_user": "acme_blue_web", "db_host": "/run/postgresql-instance", "db_port": "5501",
        "data_dir": "/var/lib/odoo"}
    assert "dbfilter" not in found


@pytest.mark.parametrize("series", SERIES)
def test_only_web_listens_and_only_cron_runs_jobs(series: str) -> None:
    cron, once = conf("cron", series), conf("update", series)
    assert (cron["http_enable"], once["http_enable"]) == ("False", "False")
    assert (cron["workers"], cron["max_cron_threads"]) == ("1", "1")
    assert (once["workers"], once["max_cron_threads"]) == ("0", "0")
    assert cron["limit_time_real_cron"] == "1800"


def test_add_ons_of_the_platform_are_loaded_where_the_image_has_them() -> None:
    every = "base,rpc,web," + ",".join(config.PLATFORM_ADDONS)
    assert conf("web", addons=True)["server_wide_modules"] == every == conf("cron", addons=True)["server_wide_modules"]
    assert conf("update", addons=True)["server_wide_modules"] == "base,rpc,web"
    assert conf("web", config={"server_wide_modules": "web, other"})["server_wide_modules"] == "base,rpc,web,other"


def test_options_of_the_operator() -> None:
    found = conf("web", config={"limit_time_real": 300, "log_handler": [":INFO", "werkzeug:WARNING"], "x": "a\n[b]\nc = d"})
    assert found["limit_time_real"] == "300" and found["log_handler"] == ":INFO,werkzeug:WARNING"
    assert found["x"] == "a [b] c = d" and "c" not in found
    assert conf("cron", config={"limit_time_real_cron": 60})["limit_time_real_cron"] == "60"
    assert conf("cron", config_secrets={"smtp_password": "a b"})["smtp_password"] == "a b"


@pytest.mark.parametrize("kind", ["web", "cron", "update"])
def test_no_secret_is_in_configuration_or_environment(kind: str) -> None:
    values = params()
    secrets = [*PASSWORDS.values(), values["session"]["password"]]
    text = config.odoo_conf(values, record(), kind, "role", "acme") + str(config.environment(values, kind))
    assert not [secret for secret in secrets if secret in text] and "password =" not in text


def test_environment() -> None:
    web, cron, once = (config.environment(params(environment_variables={"TZ": "UTC", "HOME": "/x"}), kind)
                       for kind in ("web", "cron", "update"))
    assert web["HOME"] == "/var/lib/odoo" and web["TZ"] == "UTC"
    assert web["SYSGENPRO_SESSION_URL"] == "unix:///run/redis-instance/redis.sock?db=0" == cron["SYSGENPRO_SESSION_URL"]
    assert "SYSGENPRO_PROBE_TOKEN_FILE" in web and "SYSGENPRO_PROBE_TOKEN_FILE" not in cron
    assert not [key for key in once if key.startswith("SYSGENPRO")]
    assert not [key for key in config.environment(params(session=None), "web") if "SESSION" in key]


def libpq_password(text: str, role: str) -> str:
    """As libpq reads a line (fe-connect.c, passwordFromFile): fields end at a bare colon, a backslash takes what follows."""
    line = text[:-1]
    for expected in ("*", "*", "*", role):
        assert line.startswith(expected + ":")
        line = line[len(expected) + 1:]
    found, letters = "", iter(line)
    for letter in letters:
        if letter == ":":
            break
        found += next(letters) if letter == "\\" else letter
    return found


@given(st.text(st.characters(exclude_characters="\n\r\0", exclude_categories=["Cs"]), min_size=1))
def test_any_password_comes_out_of_pgpass_as_it_went_in(password: str) -> None:
    assert libpq_password(config.pgpass("acme_blue_web", password), "acme_blue_web") == password


@pytest.mark.parametrize("password", [r"a:b\c", " blank ", "é{{ x }}$'\"", "\\", ":", r"\:", "#no comment"])
def test_libpq_itself_reads_the_password(password: str, tmp_path: Path) -> None:
    """libpq is asked which password it would send: to a server of ours that asks for it in clear."""
    import socket
    import threading

    path = tmp_path / "pgpass"
    path.write_text(config.pgpass("acme_blue_web", password), encoding="utf-8")
    path.chmod(0o600)
    said: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)                                       # the start-up packet
                connection.sendall(b"R\0\0\0\x08\0\0\0\x03")                # AuthenticationCleartextPassword
                said.append(connection.recv(4096))

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(psycopg2.OperationalError):
            psycopg2.connect(host="127.0.0.1", port=server.getsockname()[1], user="acme_blue_web", dbname="acme",
                             sslmode="disable", gssencmode="disable", passfile=str(path), connect_timeout=10)
        thread.join()
    assert said[0][:1] == b"p" and said[0][5:-1].decode() == password


# -- update.py: the command, the script, the cause ------------------------------------------------------

@pytest.mark.parametrize("series", SERIES)
def test_the_command(series: str) -> None:
    number = int(series.split(".")[0])
    without = "" if number >= 19 else " --without-demo=all"
    with_demo = " --with-demo" if number >= 19 else ""
    odoo = "/usr/bin/odoo -d acme --stop-after-init --no-http"

    def command(**change: Any) -> str:
        shell, options, text = odoo_run.command(record("r1", series), change, "acme")
        assert (shell, options) == ("sh", "-ec")
        return text

    assert command(update=["sale", "stock"]) == odoo + " -u sale,stock"
    assert command(install=["base", "stock"]) == odoo + " -i base,stock" + without
    assert command(install=["base"], demo=True) == odoo + " -i base" + with_demo
    assert command(update=["stock"], install=["sale"]) == odoo + " -u stock -i sale" + without
    shell = "/usr/bin/odoo shell -d acme --no-http < /etc/odoo/change.py"
    assert command(languages=["fr_FR"]) == shell == command(uninstall=["sale"])
    assert command(update=["stock"], uninstall=["sale"]) == odoo + " -u stock && " + shell


@given(st.lists(st.text()), st.lists(st.text()))
def test_the_script_is_python_with_these_names(languages: list[str], uninstall: list[str]) -> None:
    found: dict[str, Any] = {}
    head = odoo_run.script({"languages": languages, "uninstall": uninstall}).split("if languages:")[0]
    exec(compile(head, "change.py", "exec"), found)
    assert found["languages"] == languages and found["uninstall"] == uninstall
    compile(odoo_run.script({"languages": languages}), "change.py", "exec")


# What Odoo 19 said (outputs/) when an add-on with this fault was installed.
CAUSES = {
    "hook": "ValueError: price list 'Été' has no currency",
    "view": "odoo.tools.convert.ParseError: while parsing /x/addons/x_view/view.xml:1 Error while parsing or validating view: "
            "Element '<xpath expr=\"//field[@name=&#39;no_such_field&#39;]\">' cannot be located in parent view",
    "null": 'psycopg2.errors.NotNullViolation: null value in column "name" of relation "res_currency" violates not-null constraint',
    "user": "odoo.exceptions.UserError: You cannot do this. The second line explains: Reason",
    "syntax": "SyntaxError: invalid syntax",
    "import": "ModuleNotFoundError: No module named 'no_such_library'",
    "function": 'odoo.tools.convert.ParseError: while parsing /opt/addons/fault/sgp_fault/data/fault.xml:3, somewhere inside '
                '<function model="fault.thing" name="_during_update"/>: ValueError: the shelves of 3 products cannot be told: 42',
    "depends": 'odoo.exceptions.UserError: You try to install module "x_depends" that depends on module "no_such_module". '
               "But the latter module is not available in your system.",
    "exit": "Odoo ended with code 3",
    "sysexit": "Odoo ended with code 3: refused by the add-on",
    "lock": "psycopg2.errors.QueryCanceled: canceling statement due to statement timeout",
    "keyerror": "KeyError: 'no.such.model'",
    "dbdown": 'psycopg2.OperationalError: connection to server at "127.0.0.1", port 5999 failed: Connection refused '
              "Is the server running on that host and accepting TCP/IP connections?",
}


@pytest.mark.parametrize("name", sorted(path.stem for path in OUTPUTS.glob("*.txt")))
def test_the_cause_of_a_failure(name: str) -> None:
    found = cause((OUTPUTS / (name + ".txt")).read_text(encoding="utf-8"), Outcome(True, True, 3))
    if name == "csv":
        assert "could not be processed: No matching record found for external id 'model_no_such'" in found
    else:
        assert found == CAUSES[name]


def test_the_cause_without_output() -> None:
    assert cause("", Outcome(True, True, 137)) == "Odoo ended with code 137"
    assert cause("ValueError: x", Outcome(True, True, 137, True)) == "it needed more memory than it may have"
    assert cause("ValueError: x", Outcome(True, True, 137, lost=True)) == "its node does not answer any more"


@given(st.text())
def test_any_output_has_a_cause(output: str) -> None:
    assert 0 < len(cause(output, Outcome(True, True, 1))) <= 540


@pytest.mark.parametrize("name", ["13.0", "20.0", "", "x", "saas~13.1"])
def test_unknown_series(name: str) -> None:
    with pytest.raises(DomainError) as error:
        series_of(name)
    assert error.value.code == "unknown_series"


def test_series_differ_where_they_should() -> None:
    assert [series_of(name).health for name in SERIES] == ["/web/webclient/version_info"] + ["/web/health"] * 5
    assert [series_of(name).websocket for name in SERIES] == [False, False, True, True, True, True]
    assert series_of("saas~18.3").number == 18
