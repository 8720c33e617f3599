# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An image from a few static files, without Docker and without a registry: a Docker archive, which containerd imports.

Format: https://github.com/moby/docker-image-spec/blob/main/v1.2.md. One layer, no times, so that the same files make the same bytes.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from dataclasses import dataclass, field
from pathlib import Path

from ..base import output


@dataclass(frozen=True)
class Small:
    """An image of files.

    :ivar files: path in the image to a file of this host, or to text.
    :ivar entry: what always runs, ``command`` what runs or is added to it when the pod says nothing.
    :ivar links: path in the image to where it leads.
    :ivar user: number of the user that it runs as, when the pod says nothing.
    """

    reference: str
    files: dict[str, Path | str]
    entry: tuple[str, ...]
    command: tuple[str, ...] = ()
    links: dict[str, str] = field(default_factory=dict)
    user: str = "65532"


_PASSWD = "root:x:0:0::/:/bin/sh\nnonroot:x:65532:65532::/tmp:/bin/sh\n"


def _member(name: str, size: int = 0, mode: int = 0o755, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name.lstrip("/"))
    entry.size, entry.mode, entry.type, entry.linkname = size, mode, kind, target
    return entry


def _layer(image: Small, target: Path) -> None:
    files: dict[str, Path | str] = {"/etc/passwd": _PASSWD, **image.files}
    folders = {parent for name in (*files, *image.links) for parent in map(str, Path(name).parents)} - {"/"}
    with tarfile.open(target, "w") as layer:
        layer.addfile(_member("/tmp", mode=0o1777, kind=tarfile.DIRTYPE))
        for folder in sorted(folders):
            layer.addfile(_member(folder, kind=tarfile.DIRTYPE))
        for name, source in sorted(files.items()):
            if isinstance(source, str):
                layer.addfile(_member(name, len(source.encode()), 0o644), io.BytesIO(source.encode()))
            else:
                with source.open("rb") as content:
                    layer.addfile(_member(name, source.stat().st_size), content)
        for name, leads_to in sorted(image.links.items()):
            layer.addfile(_member(name, mode=0o777, kind=tarfile.SYMTYPE, target=leads_to))


def write(image: Small, target: Path) -> None:
    """Write the image's archive."""
    layer = target.with_name(f"{target.name}.layer")
    _layer(image, layer)
    try:
        with layer.open("rb") as content:
            found = hashlib.file_digest(content, "sha256").hexdigest()
        config = {
            "architecture": output(["dpkg", "--print-architecture"]), "os": "linux", "rootfs": {"type": "layers", "diff_ids": [f"sha256:{found}"]},
            "config": {"Entrypoint": list(image.entry), "Cmd": list(image.command), "User": image.user, "Env": ["PATH=/bin"]},
        }  # fmt: skip
        manifest = [{"Config": "config.json", "RepoTags": [image.reference], "Layers": ["layer.tar"]}]
        whole = target.with_name(f"{target.name}.tmp")
        with tarfile.open(whole, "w") as archive:
            for name, value in (("config.json", config), ("manifest.json", manifest)):
                text = json.dumps(value).encode()
                archive.addfile(_member(name, len(text), 0o644), io.BytesIO(text))
            with layer.open("rb") as content:
                archive.addfile(_member("layer.tar", layer.stat().st_size, 0o644), content)
        whole.rename(target)
    finally:
        layer.unlink()
