# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs of a cluster that Debian has no package of: built once by Go from modules of pinned versions, static."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from ..base import LabError, cache, locked, say
from ..tools import go

FILES = Path(__file__).resolve().parent / "files"
KUBERNETES = "1.35.4"
_NAMES = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl")


@dataclass(frozen=True)
class Source:
    """Programs of one Go module: ``packages`` is program to package; a package ``.`` is this lab's own ``files/NAME/main.go``."""

    name: str
    module: str
    version: str
    packages: tuple[tuple[str, str], ...]
    linked: str = ""


SOURCES = (
    Source("etcd", "go.etcd.io/etcd/server/v3", "v3.6.8", (("etcd", "go.etcd.io/etcd/server/v3"),)),
    # Without its version linked in, the server says v0.0.0-master.
    Source("kubernetes", "k8s.io/kubernetes", f"v{KUBERNETES}", tuple((name, f"k8s.io/kubernetes/cmd/{name}") for name in _NAMES),
           " ".join(f"-X k8s.io/component-base/version.{name}={value}"
                    for name, value in zip(("gitVersion", "gitMajor", "gitMinor"), (f"v{KUBERNETES}", *KUBERNETES.split(".")[:2]), strict=True))),
    Source("coredns", "github.com/coredns/coredns", "v1.14.7", (("coredns", "github.com/coredns/coredns"),)),
    Source("local-path-provisioner", "github.com/rancher/local-path-provisioner", "v0.0.30",
           (("local-path-provisioner", "github.com/rancher/local-path-provisioner"),)),
    Source("netpol", "sigs.k8s.io/kube-network-policies", "v0.8.0", (("netpol", "."),)),
    Source("metrics-server", "sigs.k8s.io/metrics-server", "v0.8.0", (("metrics-server", "sigs.k8s.io/metrics-server/cmd/metrics-server"),)),
)  # fmt: skip
#: Definitions of resources, taken out of modules: name, module, files. Gateway API's version is the one that Traefik's go.mod names.
DEFINITIONS = (
    ("traefik", "github.com/traefik/traefik/v3@v3.7.13", "docs/content/reference/dynamic-configuration/kubernetes-crd-definition-v1.yml"),
    ("gateway", "sigs.k8s.io/gateway-api@v1.6.1", "config/crd/standard/*.yaml"),
)


def key() -> str:
    """Return the digest of all versions and of how they are built."""
    own = {path.name: path.read_text(encoding="utf-8") for path in sorted(FILES.glob("*/main.go"))}
    text = json.dumps([[asdict(source) for source in SOURCES], DEFINITIONS, own], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def directory() -> Path:
    """Return where the programs of this recipe lie, built or not."""
    return cache() / f"kubernetes-{key()}"


def version(name: str) -> str:
    """Return the version of a source, without its ``v``."""
    return next(source.version for source in SOURCES if source.name == name).removeprefix("v")


def program(name: str) -> str:
    """Return the path of a built program."""
    return str(directory() / name)


def definitions(name: str) -> list[Path]:
    """Return the files with definitions of resources, ``traefik`` or ``gateway``."""
    return sorted((directory() / "definitions" / name).iterdir())


def go_mod(source: Source, upstream: str) -> str:
    """Return the go.mod to build ``source`` with.

    :param upstream: go.mod of the module itself. What Kubernetes replaces by its own staging folders is released as v0.35.4 for v1.35.4.
    """
    lines = [f"module lab/{source.name}", "go 1.25.0", f"require {source.module} {source.version}"]
    staged = source.version.replace("v1.", "v0.", 1)
    for name in sorted(set(re.findall(r"^\t?(?:replace )?(\S+) => \./staging/", upstream, re.MULTILINE))):
        lines += [f"require {name} {staged}", f"replace {name} => {name} {staged}"]
    return "\n".join(lines) + "\n"


def ensure(names: Iterable[str] | None = None) -> Path:
    """Build what is not there, of all sources or of those named, and return the directory. Raises LabError."""
    with locked(f"kubernetes-{key()}"):
        for source in SOURCES:
            if names is None or source.name in names:
                _build(source)
        if names is None:
            for name, module, pattern in DEFINITIONS:
                _fetch(name, module, pattern)
    return directory()


def _go(*arguments: str, cwd: Path | None = None) -> str:
    environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false -mod=mod"}
    done = subprocess.run([go(), *arguments], cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"go {' '.join(arguments)}\nended with {done.returncode}: {done.stderr.strip()[-3000:] or done.stdout.strip()[-3000:]}")
    return done.stdout


def _download(module: str) -> dict[str, str]:
    found: dict[str, str] = json.loads(_go("mod", "download", "-json", module, cwd=cache()))
    return found


def _build(source: Source) -> None:
    missing = [(name, package) for name, package in source.packages if not (directory() / name).exists()]
    if not missing:
        return
    work = directory() / "build" / source.name
    work.mkdir(parents=True, exist_ok=True)
    upstream = Path(_download(f"{source.module}@{source.version}")["GoMod"]).read_text(encoding="utf-8")
    (work / "go.mod").write_text(go_mod(source, upstream), encoding="utf-8")
    if (FILES / source.name / "main.go").exists():
        shutil.copy(FILES / source.name / "main.go", work / "main.go")
    for name, package in missing:
        say(f"building {name} {source.version}")
        _go("build", "-trimpath", "-ldflags", f"-s -w {source.linked}".strip(), "-o", str(work / name), package, cwd=work)
        (work / name).rename(directory() / name)


def _fetch(name: str, module: str, pattern: str) -> None:
    place = directory() / "definitions" / name
    if place.exists():
        return
    work = place.with_name(f"{name}.tmp")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    for path in Path(_download(module)["Dir"]).glob(pattern):
        # A module's files are read-only; a copy of the mode would be too.
        (work / path.name).write_bytes(path.read_bytes())
    work.rename(place)
