# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Traefik's dynamic directory: reading it, writing it, proving it through Traefik, and putting it back."""

from __future__ import annotations

import json
import os
import socket
import ssl
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from .._kernel.errors import DomainError
from .._kernel.files import read_leniently, read_text, remove_file, replace_file, sync_directory
from . import api as traefik
from . import render_file
from .certificates import describe
from .model import Route
from .plan import Observed

CERTIFICATE_SUFFIXES = (".crt", ".key")
LOADED_SUFFIXES = (".yml", ".yaml", ".toml")


@dataclass(frozen=True)
class Place:
    """Where routes lie on a machine.

    :param directory: Traefik's ``providers.file.directory``, flat: Traefik loads folders in it but does not watch them.
    :param certificates: directory of chains and keys.
    :param gid: group that reads files and keys, Traefik's; -1 leaves it.
    :param log: Traefik's own log, to name its errors; empty where it is elsewhere.
    """

    directory: str
    certificates: str
    gid: int = -1
    log: str = ""

    def file(self, name: str) -> str:
        return os.path.join(self.directory, name + render_file.SUFFIX)

    @property
    def stage(self) -> str:
        """Beside the watched directory, on its file system: what is half written there raises no event."""
        return os.path.join(os.path.dirname(self.directory), "." + os.path.basename(self.directory) + ".stage")


def observe(place: Place, api: traefik.Api | None) -> tuple[Observed, str]:
    """Files and what Traefik serves, and why the latter is unknown where it is.

    :raises DomainError: ``directory_unusable``.
    """
    ours: dict[str, str] = {}
    foreign = set()
    try:
        names = sorted(os.listdir(place.directory))
        for name in names:
            base, suffix = os.path.splitext(name)
            if suffix not in LOADED_SUFFIXES or not os.path.isfile(os.path.join(place.directory, name)):
                continue
            text = read_leniently(os.path.join(place.directory, name))
            if suffix == render_file.SUFFIX and text.startswith(render_file.MARKER):
                ours[base] = text
            else:
                foreign.add(base)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise DomainError(
            "directory_unusable", "directory {0} cannot be read: {1}".format(place.directory, error),
            unchanged="Nothing was changed",
        ) from None
    snapshot, reason = None, ""
    if api is not None:
        try:
            snapshot = api.snapshot()
        except traefik.Unreachable as error:
            reason = str(error)
    return Observed(ours, frozenset(foreign), snapshot), reason


def store_certificates(place: Place, routes: Iterable[Route]) -> list[str]:
    """Write chains and keys that are not there yet, and return the new paths. Nothing refers to them yet."""
    written = []
    for route in routes:
        if route.certificate is None:
            continue
        contents = (route.certificate.chain, route.certificate.private_key)
        for path, content in zip(render_file.certificate_files(route, place.certificates), contents):
            if not os.path.exists(path):
                replace_file(path, content.encode(), 0o640, -1, place.gid)
                written.append(path)
    return written


def make_stage(place: Place) -> None:
    """Make the directory that files are written in before they are moved into place; it holds the lock, too.

    :raises DomainError: ``directory_unusable``.
    """
    try:
        if not os.path.isdir(place.directory):
            raise FileNotFoundError(2, "no such directory", place.directory)
        os.makedirs(place.stage, mode=0o700, exist_ok=True)
    except OSError as error:
        raise DomainError(
            "directory_unusable", "routes cannot be written: {0}".format(error), unchanged="Nothing was changed",
            advice="The role sysgenpro.odoo.traefik makes the directories",
        ) from None


def write_files(place: Place, contents: Mapping[str, str | None]) -> None:
    """Put files in place, each by one rename and so one event for Traefik; None removes one."""
    make_stage(place)
    for name, content in contents.items():
        if content is None:
            remove_file(place.file(name))
            continue
        staged = os.path.join(place.stage, name + ".tmp")
        replace_file(staged, content.encode(), 0o640, -1, place.gid)
        try:
            os.replace(staged, place.file(name))
        except OSError as error:
            remove_file(staged)
            raise DomainError(
                "directory_unusable", "{0} cannot be written: {1}".format(place.file(name), error),
                advice="The directory must exist on the file system of its parent and be writable",
            ) from None
    sync_directory(place.directory)


def sweep_certificates(place: Place) -> list[str]:
    """Remove chains and keys that no file of ours refers to, and return their paths."""
    used: set[str] = set()
    observed, _reason = observe(place, None)
    for content in observed.parsed.values():
        for pair in (content.get("tls") or {}).get("certificates") or []:
            used.update(str(path) for path in pair.values())
    removed = []
    for name in sorted(os.listdir(place.certificates)) if os.path.isdir(place.certificates) else []:
        path = os.path.join(place.certificates, name)
        if name.endswith(CERTIFICATE_SUFFIXES) and path not in used and name.count(".") == 2:
            remove_file(path)
            removed.append(path)
    return removed


def log_size(place: Place) -> int:
    """Where Traefik's log ends now."""
    try:
        return os.path.getsize(place.log) if place.log else 0
    except OSError:
        return 0


def log_errors(place: Place, since: int) -> list[str]:
    """What Traefik's file provider has complained of since a position of its log (``log.format: json``)."""
    if not place.log:
        return []
    try:
        with open(place.log, "rb") as stream:
            # A log that is shorter now was rotated meanwhile.
            stream.seek(since if os.fstat(stream.fileno()).st_size >= since else 0)
            lines = stream.read().decode(errors="replace").splitlines()
    except OSError:
        return []
    found: list[str] = []
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and entry.get("level") == "error" and entry.get("providerName") in ("file", None):
            message = str(entry.get("message", ""))
            text = "{0}: {1}".format(message, entry["error"]) if entry.get("error") else message
            if text not in found:
                found.append(text)
    return found


def served_certificate(address: str, host: str, timeout: float = 5) -> str:
    """SHA-256 of the certificate that an entry point shows for a host name, hexadecimal; empty where it shows none."""
    where, _colon, port = address.rpartition(":")
    where = where.strip("[]")
    target = where if where not in ("", "0.0.0.0", "::") else "127.0.0.1"  # noqa: S104 (compared, not bound)
    # Not verified here: the certificate itself is what is compared.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with socket.create_connection((target, int(port.split("/")[0])), timeout) as plain:  # noqa: SIM117 (Python 3.9)
            with context.wrap_socket(plain, server_hostname=host) as stream:
                return sha256(stream.getpeercert(binary_form=True) or b"").hexdigest()
    except (OSError, ValueError):
        return ""


def certificate_differences(
    routes: Sequence[Route], entry_points: Mapping[str, str]
) -> dict[str, list[traefik.Difference]]:
    """Which routes are not yet shown with their certificate; asked by a TLS handshake, as the API does not tell."""
    found = {}
    for route in routes:
        address = entry_points.get(route.entry_point, "")
        if route.certificate is None or not address:
            continue
        if served_certificate(address, route.hosts[0]) != route.certificate.fingerprint:
            found[route.name] = [traefik.Difference("entry point {0} does not show the certificate given for {1}".format(
                route.entry_point, route.hosts[0]
            ))]
    return found


def shows_certificate(content: Mapping[str, Any], name: str, entry_points: Mapping[str, str]) -> bool:
    """Whether what a file of ours says of its certificate is so, as far as that can be known."""
    router = ((content.get("http") or {}).get("routers") or {}).get(name) or {}
    hosts = sorted(traefik.hosts_of(str(router.get("rule", ""))))
    address = entry_points.get(str((router.get("entryPoints") or [""])[0]), "")
    for pair in (content.get("tls") or {}).get("certificates") or []:
        try:
            wanted = describe(read_text(str(pair.get("certFile", ""))) or "")["fingerprint"]
        except DomainError:
            continue
        if hosts and address and served_certificate(address, hosts[0]) != wanted:
            return False
    return True


def facts(route: Route, place: Place) -> dict[str, Any]:
    """What the module returns of a route."""
    return {
        "name": route.name,
        "hosts": list(route.hosts),
        "exposure": route.exposure,
        "entry_point": route.entry_point,
        "file": place.file(route.name),
        "service": route.name + traefik.PROVIDER,
        "websocket_service": route.name + "-websocket" + traefik.PROVIDER,
        "resolver": route.resolver or None,
        "certificate": route.certificate.as_dict() if route.certificate else None,
    }
