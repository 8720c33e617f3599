# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole build on a real Docker and a real registry: lock and packages, secrets, the same image twice, Odoo comes up.

Needs Docker with the lab's image of Odoo 19 and the Debian package docker-registry.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import subprocess
import tarfile
import time
from pathlib import Path

import docker
import pytest
import requests
from ansible_collections.sysgenpro.odoo.plugins.module_utils._image import layers, source
from ansible_collections.sysgenpro.odoo.plugins.module_utils._image.build import ImageBuild
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError

BINARY = shutil.which("docker-registry") or os.environ.get("SYSGENPRO_DOCKER_REGISTRY", "")
IMAGE = os.environ.get("SYSGENPRO_ODOO_IMAGE", "sgp-lab/odoo-{}:latest").format("19.0")
ROOT = Path(__file__).resolve().parents[3]
SECRET = "s3cret-of-the-builder"
pytestmark = pytest.mark.skipif(not BINARY, reason="needs the Debian package docker-registry")


class Builder:
    """A registry on the loopback with the base image in it, and a wheel that stands in for a package index."""

    def __init__(self, directory: Path, image: str = IMAGE, series: str = "19.0") -> None:
        self.directory, self.series = directory, series
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.host = "127.0.0.1:{}".format(free.getsockname()[1])
        config = {"version": "0.1", "http": {"addr": self.host},
                  "storage": {"filesystem": {"rootdirectory": str(directory / "data")}}}  # fmt: skip
        (directory / "config.yml").write_text(json.dumps(config))
        self.process = subprocess.Popen([BINARY, "serve", str(directory / "config.yml")], stderr=subprocess.DEVNULL)
        for _attempt in range(100):
            try:
                requests.get(f"http://{self.host}/v2/", timeout=1)
                break
            except requests.ConnectionError:
                time.sleep(0.05)
        self.docker = docker.from_env()
        image = self.docker.images.get(image)
        image.tag(f"{self.host}/base", "it")
        for line in self.docker.images.push(f"{self.host}/base", tag="it", stream=True, decode=True):
            assert "error" not in line, line
        image.reload()
        self.base = next(name for name in image.attrs["RepoDigests"] if name.startswith(self.host))

    def close(self) -> None:
        self.docker.images.remove(f"{self.host}/base:it")  # its digest's name goes with it
        self.process.terminate()
        self.process.wait()

    def source(self, name: str, **further: object) -> source.Source:
        value = {"name": name, "series": self.series, "base": self.base,
                 "addons": [{"name": "demo", "path": str(ROOT / "inventories/demo/addons/r1")}], **further}  # fmt: skip
        return source.resolve(value, str(self.directory), str(ROOT / "addons"), {})

    def build(self, wanted: source.Source, repository: str, **further: object) -> ImageBuild:
        archive = str(self.directory / f"{repository}.tar.gz")
        layers.addons_layer(archive, [(folder.path, folder.place) for folder in wanted.folders], wanted.series)
        operation = ImageBuild({
            "source": dict(wanted.resolved), "lock": wanted.lock, "archive": archive, "registry": self.host,
            "repository": repository, "username": None, "password": None, "ca_path": None, "network": "none",
            "mounts": [{"source": str(self.directory / "wheels"), "target": "/mnt"}],
            "environment": {"PIP_FIND_LINKS": "/mnt", "PIP_NO_INDEX": "1", "TOKEN": SECRET}, "timeout": 300,
            "cache": str(self.directory / "cache"), **further,
        })  # fmt: skip
        plan = operation.plan()
        if plan.steps:
            operation.perform(plan, {})
        return operation


@pytest.fixture(scope="module")
def builder(tmp_path_factory: pytest.TempPathFactory):
    running = Builder(tmp_path_factory.mktemp("builder"))
    yield running
    running.close()


def wheel(directory: Path) -> str:
    """A tiny real wheel, and the lock line that names it."""
    import zipfile

    directory.mkdir(exist_ok=True)
    path = directory / "sgp_probe-1.0-py3-none-any.whl"
    meta = "sgp_probe-1.0.dist-info"
    files = {"sgp_probe.py": "VALUE = 42\n", f"{meta}/METADATA": "Metadata-Version: 2.1\nName: sgp-probe\nVersion: 1.0\n",
             f"{meta}/WHEEL": "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}  # fmt: skip
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
        archive.writestr(f"{meta}/RECORD", "".join(f"{name},,\n" for name in [*files, f"{meta}/RECORD"]))
    return f"sgp-probe==1.0 --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


def test_the_same_source_gives_the_same_image_and_no_secret_stays(builder: Builder) -> None:
    (builder.directory / "lock.txt").write_text(wheel(builder.directory / "wheels"))
    wanted = builder.source("locked", python_lock="lock.txt")
    first, second = builder.build(wanted, "one").release, builder.build(wanted, "two").release
    assert first and second
    assert first.image_digest == second.image_digest
    assert first.id == second.id
    assert builder.build(wanted, "one").plan().steps == ()
    try:
        said = builder.docker.containers.run(
            first.reference, ["python3", "-c", "import sgp_probe, redis; print(sgp_probe.VALUE)"], remove=True)
        assert said.strip() == b"42"
        saved = builder.directory / "image.tar"
        with open(saved, "wb") as stream:
            for block in builder.docker.images.get(first.reference).save():
                stream.write(block)
        with tarfile.open(saved) as outer:
            manifest = json.load(outer.extractfile("manifest.json"))[0]
            texts = [outer.extractfile(manifest["Config"]).read()]
            for name in manifest["Layers"][1:]:  # the base's own layer is not ours
                with tarfile.open(fileobj=outer.extractfile(name)) as layer:
                    texts += [layer.extractfile(m).read() for m in layer if m.isfile()]
                    texts.append("\n".join(layer.getnames()).encode())
        assert not [text[:60] for text in texts if SECRET.encode() in text or b"PIP_FIND_LINKS" in text]
    finally:
        builder.docker.images.remove(first.reference, force=True)


@pytest.mark.parametrize(
    ("lock", "code", "says"),
    [("sgp-probe==1.0\n", "malformed_source", "--hash"), ("sgp-probe==1.0 --hash=sha256:" + "0" * 64, "build_failed", "hash")],
    ids=["no hash", "wrong hash"],
)
def test_a_lock_that_does_not_hold(builder: Builder, lock: str, code: str, says: str) -> None:
    wheel(builder.directory / "wheels")
    (builder.directory / "bad.txt").write_text(lock)
    with pytest.raises(DomainError) as caught:
        builder.build(builder.source("bad", python_lock="bad.txt"), "bad")
    assert caught.value.code == code
    assert says in caught.value.message.lower()
    assert not builder.docker.containers.list(all=True, filters={"label": "org.sysgenpro.build"})


def test_the_series_has_to_be_the_base_images(builder: Builder) -> None:
    with pytest.raises(DomainError) as caught:
        builder.build(builder.source("old", series="14.0"), "old")
    assert caught.value.code == "wrong_series"
