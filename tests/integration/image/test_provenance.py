# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a real build says of its image: real Odoo, real Git with real keys, a real registry; and what becomes of it where somebody changes a part."""

from __future__ import annotations

import base64
import datetime
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._documents.signing import Signer
from ansible_collections.sysgenpro.odoo.plugins.module_utils._governance import built
from ansible_collections.sysgenpro.odoo.plugins.module_utils._governance.gates_build import GATES
from ansible_collections.sysgenpro.odoo.plugins.module_utils._governance.signers import Signers
from ansible_collections.sysgenpro.odoo.plugins.module_utils._governance.statements import opened
from ansible_collections.sysgenpro.odoo.plugins.module_utils._image import attached, source
from ansible_collections.sysgenpro.odoo.plugins.module_utils._image.build import ImageBuild
from ansible_collections.sysgenpro.odoo.plugins.module_utils._image.commits import seen
from ansible_collections.sysgenpro.odoo.plugins.module_utils._image.record import parse_reference
from ansible_collections.sysgenpro.odoo.plugins.module_utils._image.registry import Registry
from ansible_collections.sysgenpro.odoo.tests.integration.image.test_build import BINARY, ROOT, Builder, wheel
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

pytestmark = pytest.mark.skipif(not BINARY, reason="needs the Debian package docker-registry")
BY = "build@example.com"


class Signed:
    """A builder with a source that has an add-on from Git, merged by one person over another's commit."""

    def __init__(self, builder: Builder) -> None:
        self.builder, self.key = builder, str(builder.directory / "build" / "key")
        (builder.directory / "lock.txt").write_text(wheel(builder.directory / "wheels"))
        checkouts = builder.directory / "git"
        self.commit = repository(checkouts / "shop", builder.directory / "people")
        value = {"name": "signed", "series": "19.0", "base": builder.base, "python_lock": "lock.txt",
                 "addons": [{"name": "shop", "url": "https://git.example.com/shop.git", "commit": self.commit}]}
        self.source = source.resolve(value, str(builder.directory), str(ROOT / "addons"), {}, str(checkouts))
        self.materials = seen(self.source, str(checkouts), str(builder.directory / "people" / "signers"))
        self.built = self.build()
        assert self.built.release
        self.image = parse_reference(self.built.release.reference)

    def build(self, **more: Any) -> ImageBuild:
        return self.builder.build(self.source, "signed", **{"key": self.key, "by": BY, "materials": self.materials, **more})

    def looked(self, image: str = "") -> dict[str, Any]:
        found = attached.fetch_attached(self.image)
        signers = Signers(f'{BY} namespaces="release-build@sysgenpro,release-image@sysgenpro" {Signer(self.key).public}\n')
        return built.facts(image or self.image.digest, self.source.resolved, found.documents, found.by, found.cosign, {}, signers,
                           datetime.datetime.now(datetime.timezone.utc))


def repository(path: Path, people: Path) -> str:
    path.mkdir(parents=True)
    people.mkdir()
    for name in ("anna", "vera"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(people / name)], check=True)
    (people / "signers").write_text("".join(f'{name}@example.com namespaces="git" ' + (people / f"{name}.pub").read_text() for name in ("anna", "vera")))

    def git(by: str, *words: str) -> str:
        environment = {"PATH": os.environ["PATH"], "HOME": str(people), **{f"GIT_{who}_{what}": f"{by}@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}}
        sign = ["-c", "gpg.format=ssh", "-c", f"user.signingkey={people / by}", "-c", "commit.gpgsign=true"]
        return subprocess.run(["git", *sign, *words], cwd=path, env=environment, check=True, capture_output=True, text=True).stdout.strip()

    git("anna", "init", "-q", "-b", "main")
    git("anna", "commit", "-q", "--allow-empty", "-m", "start")
    git("anna", "checkout", "-q", "-b", "work")
    (path / "shop_till").mkdir()
    (path / "shop_till" / "__manifest__.py").write_text('{"name": "Till", "version": "19.0.2.1.0", "license": "LGPL-3", "depends": ["base"]}\n')
    (path / "shop_till" / "__init__.py").write_text("")
    git("anna", "add", ".")
    git("anna", "commit", "-q", "-m", "till")
    git("anna", "checkout", "-q", "main")
    git("vera", "merge", "-q", "--no-ff", "-m", "merge", "work")
    return git("vera", "rev-parse", "HEAD")


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Signed]:
    builder = Builder(tmp_path_factory.mktemp("builder"))
    yield Signed(builder)
    builder.close()


def documents(signed: Signed) -> dict[str, Any]:
    found = attached.fetch_attached(signed.image).documents
    return {name: opened(json.loads(content)).predicate for name, content in found.items() if name.endswith(".dsse.json")}


def test_it_is_believed(signed: Signed) -> None:
    found = signed.looked()
    assert found["attached"] == {"provenance": "", "sbom": "", "signatures": ""}
    assert [one for one in found["sources"] if one["commit"]] == [
        {"name": "shop", "url": "https://git.example.com/shop.git", "commit": signed.commit, "signed_by": "vera@example.com", "reviewed": True}]
    assert found["provenance"]["afterwards"] is False and found["provenance"]["base"] in signed.builder.base


def test_the_sbom_has_what_is_in_the_image(signed: Signed) -> None:
    bill = documents(signed)["sbom.dsse.json"]
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(bill)) is None
    run = signed.builder.docker.containers.run
    installed = run(str(signed.image), ["dpkg-query", "--show", "--showformat=${Package} ${Version}\\n"], entrypoint="", remove=True).decode().split("\n")[:-1]
    assert sorted(f"{one['name']} {one['version']}" for one in bill["components"] if one.get("purl", "").startswith("pkg:deb/")) == sorted(installed)
    known = json.loads(run(str(signed.image), ["python3", "-c", "import importlib.metadata as m, json; print(json.dumps([[d.name, d.version] for d in m.distributions()]))"],
                           entrypoint="", remove=True))
    assert {tuple(one) for one in known} == {(one["name"], one["version"]) for one in bill["components"] if one.get("purl", "").startswith("pkg:pypi/")}
    parts = {one["name"]: one for one in bill["components"]}
    assert parts["sgp-probe"]["version"] == "1.0"
    assert parts["shop_till"]["version"] == "19.0.2.1.0" and parts["shop_till"]["pedigree"]["commits"][0]["uid"] == signed.commit
    odoo = next(one for one in bill["components"] if one.get("purl", "").startswith("pkg:generic/odoo@"))
    assert odoo["version"].startswith("19.0") and len(odoo["components"]) > 100
    print(f"{len(bill['components'])} components, {len(json.dumps(bill))} bytes; {signed.built.facts()['signer']}")


def gates(signed: Signed, image: str = "") -> list[str]:
    """Which gates are closed for an image, by what lies beside it."""
    facts = {**signed.looked(image), "plan": {"image": image or signed.image.digest}, "signers": {role: [BY] for role in ("build", "image", "evidence")}}
    return [name for name, (judge, options) in GATES.items() if not judge(facts, options).passed]


def test_what_somebody_changed_is_found(signed: Signed) -> None:
    """Who owns the registry puts other documents beside the image, each whole and with its right digest."""
    assert gates(signed) == []
    own = attached.fetch_attached(signed.image).documents
    less = {name: json.loads(content) for name, content in own.items() if name.endswith(".dsse.json")}
    for name, change in (("sbom.dsse.json", lambda value: value["predicate"]["components"].pop()),
                         ("provenance.dsse.json", lambda value: value["predicate"]["runDetails"]["builder"].update(id="urn:sysgenpro:builder:another"))):
        value = json.loads(base64.b64decode(less[name]["payload"]))
        change(value)
        envelope = {**less[name], "payload": base64.b64encode(json.dumps(value).encode()).decode()}
        put(signed, {**own, name: json.dumps(envelope).encode()})
        assert gates(signed) == {"sbom.dsse.json": ["sbom"], "provenance.dsse.json": ["provenance", "sbom", "commit_signatures"]}[name]
    put(signed, {name: content for name, content in own.items() if name != "image.sig"})
    assert gates(signed) == ["image_signature"]
    put(signed, own)
    assert gates(signed) == []
    assert gates(signed, "sha256:" + "99" * 32) == list(GATES), "the image is another"


def put(signed: Signed, documents: dict[str, bytes]) -> None:
    with Registry(signed.image) as registry:
        attached.push(registry, {"mediaType": attached.OCI, "digest": signed.image.digest, "size": 1}, documents, BY)


def test_no_image_without_documents_and_nothing_to_do_twice(signed: Signed) -> None:
    again = signed.build()
    assert again.plan().steps == () and again.release and again.release.image_digest == signed.image.digest
    assert signed.builder.build(signed.source, "signed").plan().steps == (), "who names no key does not ask"


def test_another_builder_describes_it_afterwards(signed: Signed) -> None:
    """Somebody else signs for an image that is there: it is looked into, stays as it is, and the statement says that nobody saw it made."""
    own = attached.fetch_attached(signed.image)
    other = signed.build(key=str(signed.builder.directory / "other" / "key"), by="other@example.com")
    found = attached.fetch_attached(signed.image)
    assert other.release and other.release.image_digest == signed.image.digest and found.by == "other@example.com"
    assert opened(json.loads(found.documents["provenance.dsse.json"])).predicate["buildDefinition"]["internalParameters"] == {"afterwards": True}
    bills = [opened(json.loads(each.documents["sbom.dsse.json"])).predicate["components"] for each in (own, found)]
    assert bills[0] == bills[1]
    assert signed.looked()["provenance"] is None, "its key is on no list"
    signed.build()
    assert signed.looked()["provenance"]["afterwards"] is True


def test_a_build_that_is_killed_leaves_no_image(signed: Signed, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        pass

    def killed(*_given: Any) -> None:
        raise Killed

    value = signed.builder.source("killed", python_lock="lock.txt")
    monkeypatch.setattr(attached, "push", killed)
    with pytest.raises(Killed):
        signed.builder.build(value, "killed", key=signed.key, by=BY)
    monkeypatch.undo()
    done = signed.builder.build(value, "killed", key=signed.key, by=BY)
    assert done.release
    provenance = opened(json.loads(attached.fetch_attached(parse_reference(done.release.reference)).documents["provenance.dsse.json"])).predicate
    assert provenance["buildDefinition"]["internalParameters"] == {"afterwards": False}
