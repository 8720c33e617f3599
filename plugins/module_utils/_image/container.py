# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The container in which an image's packages are installed and its modules are read. It is never committed.

Only what it changed is taken out, as a layer, so settings and credentials mounted into it or given to one of its
processes cannot stay in an image.
"""

from __future__ import annotations

import io
import json
import os
import re
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

from .._kernel.errors import DomainError
from . import builder, contents, declarations, digests, finding, kept
from .layers import LayerWriter

SCRATCH = "/tmp/sysgenpro"  # noqa: S108 - in the container, which is ours alone
PYTHON = "opt/sysgenpro/python"  # where the Python lock is installed
_KEPT = "base.kept"
_FOUND = "found.json"
_PIP = "/tmp/sysgenpro-pip"  # noqa: S108
_PYTHON = re.compile(r"python[0-9.]*")
# Changed by every installation, and of no use in an image (byte code carries the time of its source).
_DROPPED = re.compile(
    r"(tmp|run|dev|proc|sys|root|var/(tmp|log|cache|run)|var/lib/apt/lists)(/|$)"
    r"|var/lib/dpkg/(.*-old|lock.*|triggers/Lock)$|etc/(\.pwd\.lock|(passwd|group|shadow|gshadow)-)$"
    r"|etc/(hosts|hostname|resolv\.conf)$|.*/__pycache__(/|$)|.*\.py[co]$|\.dockerenv$"
)


class BuildContainer:
    """A container of the base image that sleeps while things are done in it.

    :param client: a ``docker.DockerClient``.
    :param name: of the container; one that an interrupted build left is removed.
    :param network: Docker network for installations; ``none`` where nothing is to be installed.
    :param mounts: (path on the builder, path in the container), read-only: settings of pip and apt, beside what ``builder.settings`` finds.
    :param environment: for installing processes only, such as ``PIP_INDEX_URL``; may hold secrets. Goes before the builder's own.
    :param command: how Odoo is started in the image, which tells its interpreter.
    """

    def __init__(
        self,
        client: Any,
        image: str,
        name: str,
        network: str,
        mounts: Sequence[tuple[str, str]],
        environment: Mapping[str, str],
        command: Sequence[str] = ("/usr/bin/odoo",),
    ) -> None:
        self._client, self._image, self._name = client, image, name
        own = builder.settings("/", os.environ) if network != "none" else builder.Settings()
        self._network, self._environment, self._apt = network, {**own.environment, **environment}, own.apt
        pip = _builders_pip()
        self._mounts = [*own.files, *mounts, *([(pip, _PIP + "/pip")] if pip else [])]
        self._container: Any = None
        self._command, self._python, self._locked = list(command), "", False

    def __enter__(self) -> BuildContainer:
        self._remove_left()
        self._container = self._client.containers.create(
            self._image,
            name=self._name,
            entrypoint=["sleep", "7200"],  # an abandoned one ends by itself
            command=[],
            user="0:0",
            network=self._network,
            volumes={source: {"bind": target, "mode": "ro"} for source, target in self._mounts},
            labels={"org.sysgenpro.build": self._name},
        )
        self._container.start()
        self.run(["mkdir", "-p", SCRATCH], "prepare")
        return self

    def __exit__(self, *_exc: object) -> None:
        self._container.remove(force=True, v=True)

    def _remove_left(self) -> None:
        for left in self._client.containers.list(all=True, filters={"label": "org.sysgenpro.build=" + self._name}):
            left.remove(force=True, v=True)

    def run(self, command: Sequence[str], step: str, environment: Mapping[str, str] | None = None) -> str:
        """Run a command. :returns: its standard output. :raises DomainError: ``build_failed`` with its last lines."""
        variables = {"PYTHONDONTWRITEBYTECODE": "1", "LC_ALL": "C.UTF-8", **(environment or {})}
        code, (output, errors) = self._container.exec_run(list(command), environment=variables, demux=True)
        if code != 0:
            said = ((errors or b"") + (output or b"")).decode("utf-8", "replace").strip().splitlines()[-12:]
            raise DomainError(
                "build_failed",
                f"{step}: {command[0]} ended with {code}: " + " | ".join(said),
                unchanged="Nothing was pushed",
                advice="Correct the release source or the builder's settings, then build again",
                step=step,
            )
        return (output or b"").decode("utf-8", "replace")

    @property
    def python(self) -> str:
        """The interpreter that runs Odoo: of a virtual environment, where Odoo is started out of one."""
        if not self._python:
            code, text = self._container.exec_run(["head", "-c", "1024", self._command[0]])
            if code != 0:  # it may come with the packages
                return interpreter(self._command[0], "")
            self._python = interpreter(self._command[0], text.decode("utf-8", "replace"))
        return self._python

    @property
    def python_path(self) -> str:
        """``PYTHONPATH`` of the image that is made: the lock's packages before what the base names."""
        settings = self._client.images.get(self._image).attrs["Config"].get("Env") or []
        base = [item.split("=", 1)[1] for item in settings if item.startswith("PYTHONPATH=")]
        return ":".join(filter(None, ["/" + PYTHON if self._locked else "", *base]))

    def install_packages(self, packages: Mapping[str, str]) -> None:
        """Install Debian packages. :param packages: version by name, ``*`` for the newest."""
        wanted = [name if version == "*" else f"{name}={version}" for name, version in sorted(packages.items())]
        quiet = {"DEBIAN_FRONTEND": "noninteractive", **self._environment}
        self.run(["apt-get", *self._apt, "-q", "update"], "system_packages", quiet)
        command = ["apt-get", *self._apt, "-qy", "--no-install-recommends", "install", *wanted]
        self.run(command, "system_packages", quiet)

    def install_python(self, lock: str) -> None:
        """Install a Python lock with pip: hashes required, wheels only, nothing that the lock does not name."""
        self.put("python.lock", lock.encode())
        own = self._container.exec_run([self.python, "-m", "pip", "--version"])[0] == 0
        environment = {**self._environment, **({} if own else {"PYTHONPATH": _PIP})}
        command = [self.python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-cache-dir"]
        command += ["--require-hashes", "--no-deps", "--only-binary=:all:", "--no-compile", "--no-warn-script-location"]
        command += ["--target", "/" + PYTHON, "--requirement", SCRATCH + "/python.lock"]
        self.run(command, "python_lock", environment)
        # pip notes what was asked for by path or index; only the built code counts.
        self.run(["find", "/" + PYTHON, "-name", "direct_url.json", "-delete"], "python_lock")
        self._locked = True

    def put(self, name: str, content: bytes) -> None:
        """A file in the scratch directory."""
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o444
            tar.addfile(member, io.BytesIO(content))
        self._container.put_archive(SCRATCH, archive.getvalue())

    def unpack(self, path: str) -> None:
        """Lay an archive of the builder over the root."""
        with open(path, "rb") as stream:
            self._container.put_archive("/", stream)

    def changes_layer(self, target: str) -> int:
        """Write what was changed so far as a layer. :returns: how many paths it has."""
        targets = {place.strip("/") for _source, place in self._mounts}
        kept: list[str] = []
        removed: list[str] = []
        for change in self._container.diff() or []:
            path = change["Path"].lstrip("/")
            if not _DROPPED.match(path) and path not in targets:
                (removed if change["Kind"] == 2 else kept).append(path)
        self.put("paths", "".join(path + "\0" for path in sorted(kept)).encode("utf-8", "surrogateescape"))
        command = ["tar", "--create", "--numeric-owner", "--no-recursion", "--directory=/", "--null"]
        command += [f"--files-from={SCRATCH}/paths", f"--file={SCRATCH}/layer.tar"]
        self.run(command, "layer")
        with tempfile.TemporaryFile() as outer:
            for block in self._container.get_archive(SCRATCH + "/layer.tar")[0]:
                outer.write(block)
            outer.seek(0)
            with tarfile.open(fileobj=outer) as holder, LayerWriter(target) as layer:
                inner = holder.extractfile("layer.tar")
                with tarfile.open(fileobj=inner) as archive:
                    for member in archive:
                        layer.copy(member, archive.extractfile(member) if member.isfile() else None)
                for path in sorted(removed):  # image specification: a whiteout hides what lower layers hold
                    layer.add(os.path.join(os.path.dirname(path), ".wh." + os.path.basename(path)), "file", 0o644, b"")
        return len(kept) + len(removed)

    def describe(self, places: Sequence[str], base: bytes = b"") -> dict[str, Any]:
        """What digests.py says of the modules.

        :param places: add-on directories besides Odoo's own. :param base: what ``read_base`` returned.
        """
        options = []
        if base:
            self.put(_KEPT, base)
            options += ["--kept", f"{SCRATCH}/{_KEPT}"]
        said: dict[str, Any] = json.loads(self._run_digests(places, options))
        return said

    def read_base(self) -> bytes:
        """Read the base's modules. :returns: what spares ``describe`` that work, in every container of this image.

        To be called before anything is installed: no release's package may have a hand in what others are given.
        Empty where that cannot be done: a base may get its Odoo with the packages. What else is wrong, ``describe`` tells.
        """
        try:
            self._run_digests((), ["--kept", f"{SCRATCH}/{_KEPT}"])
        except DomainError:
            return b""
        return self._get(_KEPT)

    def _run_digests(self, places: Sequence[str], options: Sequence[str]) -> str:
        """First Odoo says what it finds, with the module path it will have; then that is read, without Odoo."""
        for name, text in {**companions(), "finding.py": _text_of(finding)}.items():
            self.put(name, text)
        addons = [word for place in places for word in ("--addons", place)]
        path = {"PYTHONPATH": self.python_path, "HOME": SCRATCH}
        said = self.run([self.python, SCRATCH + "/finding.py", "--scratch", SCRATCH, *addons], "modules", path)
        self.put(_FOUND, said.splitlines()[-1].encode())
        return self.run([self.python, SCRATCH + "/digests.py", "--found", f"{SCRATCH}/{_FOUND}", *options], "digests")

    def _get(self, name: str) -> bytes:
        """A file of the scratch directory."""
        blocks = self._container.get_archive(f"{SCRATCH}/{name}")[0]
        with tarfile.open(fileobj=io.BytesIO(b"".join(blocks))) as tar:
            stream = tar.extractfile(name)
            return stream.read() if stream else b""

    def packages(self) -> dict[str, str]:
        """Version of every installed Debian package by name."""
        said = self.run(["dpkg-query", "--show", "--showformat=${Package} ${Version}\\n"], "packages")
        return dict(line.split(" ", 1) for line in said.splitlines())

    def contents(self, places: Sequence[str]) -> dict[str, Any]:
        """What contents.py says is installed. :param places: directories with the source's add-ons."""
        self.put("contents.py", _text_of(contents))
        addons = [word for place in places for word in ("--addons", place)]
        environment = {"PYTHONPATH": self.python_path, "HOME": SCRATCH}
        said: dict[str, Any] = json.loads(self.run([self.python, SCRATCH + "/contents.py", *addons], "contents", environment))
        return said

    def wkhtmltopdf(self) -> str | None:
        """Version of wkhtmltopdf, or None."""
        code, output = self._container.exec_run(
            ["sh", "-c", "command -v wkhtmltopdf >/dev/null && wkhtmltopdf --version"]
        )
        found = re.search(rb"wkhtmltopdf ([0-9][^\s]*)", output or b"")
        return found[1].decode() if code == 0 and found else None


def interpreter(path: str, text: str) -> str:
    """The Python that runs a program, by its first lines; ``python3`` where they do not tell.

    :param path: the program's. :param text: how its file begins.
    """
    if _PYTHON.fullmatch(os.path.basename(path)):
        return path
    words = text.split("\n", 1)[0][2:].split() if text.startswith("#!") else []
    if words and os.path.basename(words[0]) == "env":
        words = [word for word in words[1:] if "=" not in word and not word.startswith("-")]
    if words and _PYTHON.fullmatch(os.path.basename(words[0])):
        return words[0]
    # pip's way around a path that is too long for the kernel: a shell that calls it.
    called = re.search(r"^'''exec' (\"?)(?P<path>/[^\"\n]*?python[0-9.]*)\1 ", text, re.MULTILINE)
    return called["path"] if called else "python3"


def companions() -> dict[str, bytes]:
    """The scripts that read modules inside an image, by name."""
    return {module.__name__.rsplit(".", 1)[-1] + ".py": _text_of(module) for module in (digests, declarations, kept)}


def _builders_pip() -> str:
    """Debian's own pip on the builder, for base images without one; pip is pure Python."""
    path = "/usr/lib/python3/dist-packages/pip"
    return path if os.path.isdir(path) else ""


def _text_of(module: ModuleType) -> bytes:
    # By the loader, since Ansible runs modules out of a zip.
    source: str = module.__loader__.get_source(module.__name__)  # type: ignore[union-attr]
    return source.encode()
