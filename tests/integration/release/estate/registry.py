# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images that no builder would make, put into the estate's registry by its own protocol (OCI distribution 1.1, "Push")."""

from __future__ import annotations

import json
from typing import Any

from .place import Estate

_PUSH = '''
import gzip, hashlib, io, json, sys, tarfile
import requests

spec = json.load(sys.stdin)
session = requests.Session()
session.auth = ("releases", spec["password"])
session.verify = "/etc/ssl/certs/ca-certificates.crt"
base = "https://" + spec["registry"] + "/v2/" + spec["repository"]

def digest(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()

def push(content):
    place = session.post(base + "/blobs/uploads/")
    place.raise_for_status()
    where = requests.compat.urljoin(base, place.headers["Location"])
    session.put(where + ("&" if "?" in where else "?") + "digest=" + digest(content), data=content).raise_for_status()
    return {"digest": digest(content), "size": len(content)}

record = spec["record"].encode()
layer = io.BytesIO()
with tarfile.open(fileobj=layer, mode="w") as archive:
    entry = tarfile.TarInfo("usr/share/sysgenpro/release.json")
    entry.size = len(record)
    archive.addfile(entry, io.BytesIO(record))
packed = gzip.compress(layer.getvalue(), mtime=0)
label = spec.get("label") or digest(record)
config = json.dumps({"architecture": "amd64", "os": "linux", "config": {"Labels": {"org.sysgenpro.record": label}},
                     "rootfs": {"type": "layers", "diff_ids": [digest(layer.getvalue())]}}).encode()
kind = "application/vnd.docker.distribution.manifest.v2+json"
manifest = json.dumps({"schemaVersion": 2, "mediaType": kind,
    "config": {"mediaType": "application/vnd.docker.container.image.v1+json", **push(config)},
    "layers": [{"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", **push(packed)}]}).encode()
session.put(base + "/manifests/" + digest(manifest), data=manifest, headers={"Content-Type": kind}).raise_for_status()
print(digest(manifest))
'''


def push(estate: Estate, record: str, label: str = "") -> str:
    """Push an image that holds nothing but a record. Returns its reference.

    :param label: what the image says the record's digest is; default the truth.
    """
    repository, _at, _digest = estate.releases["one-a"].partition("@")
    registry, _slash, name = repository.partition("/")
    spec = {"registry": registry, "repository": name, "password": estate.machine.parameters({})["registry"]["password"],
            "record": record, "label": label}
    estate.machine.write("/var/lib/sysgenpro/fault-push.py", _PUSH.encode())
    return f"{repository}@" + estate.machine.sh("python3 /var/lib/sysgenpro/fault-push.py", json.dumps(spec)).strip()


def record_of_what_runs(estate: Estate) -> dict[str, Any]:
    """The record that the database keeps of the release that was applied last."""
    found: dict[str, Any] = json.loads(estate.machine.sql("select record from sysgenpro.applied order by id desc limit 1"))
    return found
