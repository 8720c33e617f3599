# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A PostgreSQL and a Redis in the cluster that instances reach by TCP and TLS, with passwords that only the lab knows."""

from __future__ import annotations

import base64
import secrets
from pathlib import Path
from typing import Any

from .. import certificates
from ..base import secrets as private
from . import addons, control_plane, life, services_acl
from .place import Place

NAMESPACE = "services"
HOSTS = {"postgresql": f"postgresql.{NAMESPACE}", "redis": f"redis.{NAMESPACE}"}


def password(name: str) -> str:
    """Return a password of the lab, made once."""
    path = private() / f"{name}.password"
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(24), encoding="utf-8")
    return path.read_text(encoding="utf-8")


def _encoded(text: str | bytes) -> str:
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


def ensure(place: Place) -> dict[str, Any]:
    """Have both run. Returns where they are and by whom they are trusted; passwords stay in the lab's private files."""
    issued = {name: certificates.issue([host]) for name, host in HOSTS.items()}
    life.load(["localhost/postgresql:17", "localhost/redis:8"])
    given = {"password": _encoded(password("cluster-postgresql")), "users": _encoded(services_acl.users(password("cluster-redis")))}
    for name, paths in issued.items():
        given[f"{name}_certificate"] = _encoded(Path(paths["certificate"]).read_bytes())
        given[f"{name}_key"] = _encoded(Path(paths["key"]).read_bytes())
    addons.apply(place, "services", addons.manifest("services", given))
    for name in HOSTS:
        control_plane.kubectl(place, "-n", NAMESPACE, "rollout", "status", f"statefulset/{name}", "--timeout=120s")
    return {"authority": issued["redis"]["authority"], "hosts": HOSTS,
            "passwords": {name: str(private() / f"cluster-{name}.password") for name in HOSTS}}
