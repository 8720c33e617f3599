# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an operator asks for: the parameters of ``odoo_release`` as typed, checked values."""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from .._image.record import Reference, parse_reference
from .._instance.directories import Directories
from .._instance.names import (
    COLOURS,
    DATABASE,
    DATABASE_SAID,
    KINDS,
    LOGINS,
    NAME,
    NAME_SAID,
    NAMESPACE,
    NAMESPACE_SAID,
    QUEUE,
)
from .._kernel.errors import bad_input
from .._kernel.plan import canonical_json, digest_of
from .._kernel.text import parse_memory
from .._kubernetes import quantities
from . import canary
from .queue_job import RUNNERS, asked_to_load, root_capacity

# As res.lang.csv of all series has them (ar_001, es_419, sr@Cyrl, kab_DZ, sw) and glibc's locales (ca_ES@valencia), with a script where somebody made one.
LANGUAGE = re.compile(r"[a-z]{2,3}(_[A-Z][a-z]{3})?(_([A-Z]{2}|[0-9]{3}))?(@[A-Za-z0-9]+)?")
MODULE = re.compile(r"[a-z0-9_]+", re.IGNORECASE)
OPTION = re.compile(r"[a-z][a-z0-9_]*")
# Names of what nobody but the process may read: options of odoo.conf (admin_passwd, smtp_password) and variables of an environment.
SECRET = re.compile(r"(?:.*_)?(?:passwd|password|passphrase|secret|token)", re.IGNORECASE)
# The least that makes sense, by parameter.
LEAST = {"uid": 1, "database.port": 1, "processes.web_workers": 1, "processes.web_replicas": 1, "processes.web_replicas_most": 0,
         "processes.web_busy_cpu": 0, "processes.cron_threads": 0, "processes.db_maxconn": 1,
         "processes.web_cpus": 0, "processes.cron_cpus": 0, "processes.queue_cpus": 0, "bounds.updates_at_once": 1}
# How a colour that has one web process, and keeps it, says so: what goes into a digest only where it is said otherwise.
_SINGLE: Mapping[str, Any] = {"web_replicas": 1, "web_replicas_most": 0, "web_busy_cpu": 70, "web_busy_metric": "", "web_busy_target": ""}
# What the platform sets itself in odoo.conf.
RESERVED = frozenset((
    "db_host", "db_port", "db_user", "db_password", "db_name", "dbfilter", "list_db", "data_dir", "addons_path",
    "http_port", "http_interface", "http_enable", "xmlrpc_port", "gevent_port", "longpolling_port", "workers",
    "db_maxconn", "max_cron_threads", "proxy_mode", "logfile", "pidfile", "init", "update", "config", "save", "stop_after_init",
))


@dataclass(frozen=True)
class Desired(Directories):
    """The instance as it shall be. Secrets are kept out of ``repr``, plans and digests."""

    instance: str
    identity: Mapping[str, str]
    state: str
    reference: Reference | None
    params: Mapping[str, Any]

    @property
    def database(self) -> str:
        return str(self.params["database"]["name"])

    @property
    def runtime(self) -> str:
        """Where its processes run: ``docker`` or ``kubernetes``."""
        return str(self.params.get("runtime") or "docker")

    @property
    def namespace(self) -> str:
        """Of the instance in its cluster; only there."""
        return str(self.params.get("namespace") or self.instance)

    @property
    def image(self) -> str:
        """Digest of the release's image; nothing where none is named."""
        return self.reference.digest if self.reference else ""

    @property
    def install(self) -> list[str]:
        return sorted(self.params["modules"]["install"])

    @property
    def uninstall(self) -> list[str]:
        return sorted(self.params["modules"]["uninstall"])

    @property
    def without_code(self) -> list[str]:
        """Modules of which the operator says that they live in the database only."""
        return sorted(self.params["modules"].get("without_code") or ())

    @property
    def languages(self) -> list[str]:
        return sorted(self.params["languages"])

    @property
    def settings(self) -> dict[str, Any]:
        """What its processes are told that is no secret: the names alone of environment variables."""
        return {"config": dict(self.params["config"]), "processes": dict(self.params["processes"]),
                "environment_variables": sorted(self.params["environment_variables"])}

    @cached_property
    def config_digest(self) -> str:
        """Digest of all that goes into the containers beside the image. Secrets, and what an environment says, enter by scrypt, so that the digest,
        which shows in labels and plans, is no help in guessing them (RFC 7914; N=2^13, r=8, p=1)."""
        further = [dict(self.params[key]) for key in ("config_secrets", "environment_variables") if self.params[key]]
        sealed = self._sealed([
            {login: password for login, password in self.params["database"]["passwords"].items() if not login.endswith("_" + QUEUE)},
            (self.params["session"] or {}).get("password"),
            *further,
        ])
        # What loaded a runner before there was a process of its own for it is made anew.
        apart = sorted(set(RUNNERS).intersection(asked_to_load(self.params["config"])))
        return digest_of({
            "config": self.params["config"], "environment": dict.fromkeys(self.params["environment_variables"]),
            "processes": {key: value for key, value in self.params["processes"].items()
                          if not key.startswith(QUEUE) and value != [] and (key, value) not in _SINGLE.items()},
            "secrets": sealed, "uid": self.params["uid"], **self._ground,
            **({"apart": apart} if apart else {}),
        })

    @property
    def _ground(self) -> dict[str, Any]:
        """Where it runs and by what it reaches the rest, as far as its processes are made of it."""
        session, place = self.params["session"] or {}, self.params["database"]
        if self.runtime == "docker":
            return {"session": {key: session[key] for key in ("socket", "username") if key in session}, "subnet": self.params["subnet"],
                    "database": [self.database, place["port"]]}
        return {"session": {key: value for key, value in session.items() if key != "password"}, "namespace": self.namespace,
                "placement": self.params["placement"], "database": [self.database, *(place[key] for key in ("host", "port", "sslmode", "ca_path"))]}

    def _sealed(self, secrets: Sequence[Any]) -> str:
        return hashlib.scrypt(canonical_json(secrets).encode(), salt=self.instance.encode(), n=2 ** 13, r=8, p=1).hex()

    def digest_for(self, kind: str) -> str:
        """Digest of what goes into the containers of a kind. What is the queue's alone changes no other container, and none where there are no jobs."""
        return self._queue_digest if kind == QUEUE else self.config_digest

    @cached_property
    def _queue_digest(self) -> str:
        passwords = self.params["database"]["passwords"]
        return digest_of({
            "config": self.config_digest, "processes": {key: value for key, value in self.params["processes"].items() if key.startswith(QUEUE)},
            "secrets": self._sealed([passwords.get(f"{colour}_{QUEUE}") for colour in COLOURS])})


def desired(params: Mapping[str, Any]) -> Desired:
    """Check what the argument spec cannot.

    :raises DomainError: ``bad_input``, ``not_a_digest``; the message names the field.
    """
    instance = params["instance"]
    if not NAME.fullmatch(instance):
        raise bad_input("instance", instance, NAME_SAID)
    _check_place(params)
    _check_canary(params.get("canary"), params.get("runtime"))
    reference = parse_reference(params["release"]) if params.get("release") else None
    _check_names(params)
    _check_numbers(params)
    _check_options(params)
    for kind in (*KINDS, QUEUE):
        parse_memory(f"processes.{kind}_memory", params["processes"][kind + "_memory"])
    logins = sorted(LOGINS)
    absent = [key for key in logins if not params["database"]["passwords"].get(key)]
    if absent and params["state"] not in ("planned", "absent"):
        raise bad_input("database.passwords", ", ".join(absent) + " missing", "a password for each login role")
    if params.get("purge") and params["purge"] != instance:
        raise bad_input("purge", params["purge"], f"the name of the instance, {instance}")
    if params.get("point") and params["state"] not in ("rolled_back", "planned"):
        raise bad_input("point", params["point"], "nothing, unless state is rolled_back")
    if params.get("point") and not params.get("recovery"):
        raise bad_input("recovery", None, "the repository that holds the point")
    identity = {k: params[k] for k in ("instance", "tenant", "environment", "data_class")}
    return Desired(instance, identity, params["state"], reference, params)


def _check_place(params: Mapping[str, Any]) -> None:
    """Where its processes run, and how they reach what they need."""
    if params.get("runtime") == "kubernetes":
        namespace = params.get("namespace") or params["instance"]
        if not NAMESPACE.fullmatch(namespace):
            raise bad_input("namespace", namespace, NAMESPACE_SAID)
        if not params["database"].get("host"):
            raise bad_input("database.host", None, "the host of the PostgreSQL cluster, since pods reach it by TCP")
        if params["session"] and not params["session"].get("host"):
            raise bad_input("session.host", None, "the host of the session store, since pods reach it by TCP")
        _check_growth(params["processes"])
        return
    try:
        network = ipaddress.ip_network(params["subnet"])
    except ValueError as error:
        raise bad_input("subnet", params["subnet"], f"an IPv4 network as 172.28.1.0/24 ({error})") from None
    if network.version != 4 or network.num_addresses < 64:
        raise bad_input("subnet", params["subnet"], "an IPv4 network of at least 64 addresses")
    for field in ("database", "session"):
        if params[field] and not params[field].get("socket"):
            raise bad_input(field + ".socket", None, "the socket on the machine, since containers reach it by that")
    for key in ("web_replicas", "web_replicas_most"):
        if params["processes"].get(key, 1) not in (_SINGLE[key], 1):
            raise bad_input("processes." + key, params["processes"][key], f"{_SINGLE[key]}, since a colour has one container on a machine; raise web_workers")


def _check_canary(asked: Mapping[str, Any] | None, runtime: str | None) -> None:
    if not asked:
        return
    if runtime != "kubernetes":
        raise bad_input("canary", asked["steps"], "nothing with runtime docker: a machine's front leads to one colour")
    try:
        canary.steps_of(asked)
    except ValueError as error:
        raise bad_input("canary.steps", asked["steps"], str(error)) from None
    for key, least in (("watch", 1), ("errors", 0), ("slower", 1)):
        if asked[key] < least:
            raise bad_input("canary." + key, asked[key], f"{least} or more")


def _check_growth(processes: Mapping[str, Any]) -> None:
    """Of pods."""
    least, most, metric, target = (processes.get(key, _SINGLE[key]) for key in ("web_replicas", "web_replicas_most", "web_busy_metric", "web_busy_target"))
    if not most:
        return
    if most < least:
        raise bad_input("processes.web_replicas_most", most, f"{least} (processes.web_replicas) or more, or 0")
    if bool(metric) != bool(target):
        raise bad_input("processes.web_busy_target", target, "the average of web_busy_metric beyond which there shall be more pods; both or none")
    if target:
        quantities.parse("processes.web_busy_target", target)
    if not metric and not processes["web_busy_cpu"]:
        raise bad_input("processes.web_busy_cpu", 0, "1 or more, or web_busy_metric: by one of them is seen how busy pods are")
    if processes["web_busy_cpu"] and not processes["web_cpus"]:
        raise bad_input("processes.web_cpus", 0, "the processors of a pod, of which web_busy_cpu is a share; or web_busy_cpu: 0 with web_busy_metric")


def _check_numbers(params: Mapping[str, Any]) -> None:
    bounds = {f"bounds.{key}": 0 for key in params["bounds"]}
    for name, least in {**bounds, **LEAST}.items():
        outer, inner = (*name.split(".", 1), "")[:2]
        value = params[outer][inner] if inner else params[outer]
        if value < least:
            raise bad_input(name, value, f"{least} or more")


def _check_options(params: Mapping[str, Any]) -> None:
    for name in ("config", "config_secrets"):
        for key in params[name]:
            if not OPTION.fullmatch(key):
                raise bad_input(name, key, "names of options of odoo.conf, in lower-case letters")
            if key in RESERVED:
                raise bad_input(name, key, "no option that the platform sets itself")
    for name in params["processes"]["cron_loads"]:
        if not MODULE.fullmatch(name):
            raise bad_input("processes.cron_loads", name, "technical names of modules")
    for key in params["config"]:
        if SECRET.fullmatch(key):
            raise bad_input("config", key, "no secret, which everybody who reads a plan or a log would see: give it as config_secrets")
        if key in params["config_secrets"]:
            raise bad_input("config", key, "an option in one of config and config_secrets")
    try:
        root_capacity(params["processes"]["queue_channels"])
    except ValueError as error:
        raise bad_input("processes.queue_channels", params["processes"]["queue_channels"],
                        f"channels as queue_job takes them, as root:4,root.mail:1 ({error})") from None
    for key in params["environment_variables"]:
        if key.startswith("ODOO_QUEUE_JOB_") and not key.endswith("MAX_CAPACITY"):
            raise bad_input("environment_variables", key, "no variable that the platform sets itself; channels are processes.queue_channels")
        if SECRET.fullmatch(key):
            raise bad_input("environment_variables", key, "no secret, which docker inspect would show: give it as an option, in config_secrets")


def _check_names(params: Mapping[str, Any]) -> None:
    if not DATABASE.fullmatch(params["database"]["name"]):
        raise bad_input("database.name", params["database"]["name"], DATABASE_SAID)
    for language in params["languages"]:
        if not LANGUAGE.fullmatch(language):
            raise bad_input("languages", language, "codes as fr_FR, ar_001 or sr@Cyrl")
    for key in ("install", "uninstall", "without_code"):
        for module in params["modules"].get(key) or ():
            if not MODULE.fullmatch(module):
                raise bad_input("modules." + key, module, "technical names of modules")
    modules = params["modules"]
    for other_key in ("uninstall", "without_code"):
        both = set(modules["install"]) & set(modules.get(other_key) or ())
        if both:
            raise bad_input("modules", ", ".join(sorted(both)), f"a module in one of install and {other_key}")
