# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What lies beside an image: believed as a builder made it, and refused in every way in which somebody could change, swap or forge it. Keys are real."""

from __future__ import annotations

import base64
import copy
import json
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._documents.signing import Signer
from ansible_collections.sysgenpro.odoo.plugins.module_utils._governance import built
from ansible_collections.sysgenpro.odoo.plugins.module_utils._governance.signers import ROLES, Signers
from ansible_collections.sysgenpro.odoo.plugins.module_utils._governance.statements import sealed
from ansible_collections.sysgenpro.odoo.plugins.module_utils._image.record import Reference
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.governance.house import NOW, key_of
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.image.documents import (
    BASE,
    COMMIT,
    CONTENTS,
    IMAGE,
    RECORD,
    SOURCE,
    described,
)

BY = "build@example.com"
OTHER_IMAGE = Reference(IMAGE.registry, IMAGE.repository, "sha256:" + "99" * 32)
Documents = dict[str, bytes]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("built")


def signers(place: Path, bounds: str = "") -> Signers:
    public = Signer(key_of(place, BY)).public
    mallory = Signer(key_of(place, "mallory@example.com")).public
    return Signers(f'{BY} namespaces="{ROLES["build"]},{ROLES["image"]}"{bounds} {public}\n'
                   f'mallory@example.com namespaces="{ROLES["evidence"]},{ROLES["app"]}" {mallory}\n')


@pytest.fixture(scope="module")
def made(place: Path) -> Documents:
    return described(key_of(place, BY), BY)


def looked(place: Path, documents: Mapping[str, bytes], source: Any = SOURCE, by: str = BY, bounds: str = "", **more: Any) -> dict[str, Any]:
    return built.facts(IMAGE.digest, source, documents, by, more.get("signatures", ()), more.get("keys", {}), signers(place, bounds), NOW)


def test_as_the_builder_made_it(place: Path, made: Documents) -> None:
    found = looked(place, made)
    assert found["attached"] == {"provenance": "", "sbom": "", "signatures": ""}
    assert found["provenance"]["by"] == BY and found["provenance"]["base"] == BASE and found["provenance"]["afterwards"] is False
    assert found["sources"] == [
        {"name": "sysgenpro", "url": "", "commit": "", "signed_by": "", "reviewed": False},
        {"name": "shop", "url": "https://git.example.com/shop.git", "commit": COMMIT, "signed_by": "vera@example.com", "reviewed": True}]
    assert found["sbom"]["components"] == 9 and found["sbom"]["by"] == BY
    assert found["image_signatures"] == [{"by": BY, "how": "ssh"}]


def test_afterwards_is_said(place: Path) -> None:
    assert looked(place, described(key_of(place, BY), BY, afterwards=True))["provenance"]["afterwards"] is True


def payload(documents: Documents, name: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(base64.b64decode(json.loads(documents[name])["payload"]))
    return value


def changed(name: str, change: Callable[[dict[str, Any]], Any]) -> Callable[[Documents, Path], Documents]:
    """Somebody edits a statement and leaves its signature."""
    def edit(documents: Documents, _place: Path) -> Documents:
        envelope, value = json.loads(documents[name]), payload(documents, name)
        change(value)
        return {**documents, name: json.dumps({**envelope, "payload": base64.b64encode(json.dumps(value).encode()).decode()}).encode()}
    return edit


def resealed(name: str, change: Callable[[dict[str, Any]], Any] = lambda value: None, who: str = BY, role: str = "build",
             keyid: str = "") -> Callable[[Documents, Path], Documents]:
    """Somebody who has a key signs a statement anew."""
    def edit(documents: Documents, place: Path) -> Documents:
        value = payload(documents, name)
        change(value)
        return {**documents, name: json.dumps(sealed(value, Signer(key_of(place, who), namespace=ROLES[role]).sign, keyid or who)).encode()}
    return edit


def of_another_image(*names: str) -> Callable[[Documents, Path], Documents]:
    def paste(documents: Documents, place: Path) -> Documents:
        others = described(key_of(place, BY), BY, image=OTHER_IMAGE)
        return {**documents, **{name: others[name] for name in names}}
    return paste


def of_another_build(documents: Documents, place: Path) -> Documents:
    less = {**CONTENTS, "debian": CONTENTS["debian"][:1]}
    return {**documents, "sbom.dsse.json": described(key_of(place, BY), BY, contents=less)["sbom.dsse.json"]}


def without(*names: str) -> Callable[[Documents, Path], Documents]:
    return lambda documents, _place: {name: content for name, content in documents.items() if name not in names}


def envelope(name: str, **more: Any) -> Callable[[Documents, Path], Documents]:
    return lambda documents, _place: {**documents, name: json.dumps({**json.loads(documents[name]), **more}).encode()}


def unsigned(_documents: Documents, _place: Path) -> Documents:
    return described()


def commit(value: dict[str, Any]) -> None:
    value["predicate"]["buildDefinition"]["resolvedDependencies"][3]["digest"]["gitCommit"] = "99" * 20


def both_commits(value: dict[str, Any]) -> None:
    commit(value)
    value["predicate"]["buildDefinition"]["externalParameters"]["source"]["addons"][1]["commit"] = "99" * 20


def base(value: dict[str, Any]) -> None:
    value["predicate"]["buildDefinition"]["resolvedDependencies"][0]["digest"]["sha256"] = "99" * 32


P, S, SIGNATURE = "provenance.dsse.json", "sbom.dsse.json", "image.sig"
Forgery = tuple[str, Callable[[Documents, Path], Documents], str, str]
FORGERIES: list[Forgery] = [
    ("statement edited", changed(P, commit), "provenance", "not signed by a key"),
    ("sbom edited", changed(S, lambda value: value["predicate"]["components"].pop()), "sbom", "not signed by a key"),
    ("image's digest in the statement edited", changed(P, lambda value: value["subject"][0]["digest"].update(sha256="99" * 32)), "provenance", "not signed by a key"),
    ("statement by another key", resealed(P, who="mallory@example.com"), "provenance", "not signed by a key"),
    ("statement by another key in the builder's name", resealed(P, who="mallory@example.com", keyid=BY), "provenance", "not signed by a key that build@example.com has"),
    ("statement by nobody's name", resealed(P, keyid="* build"), "provenance", "is nobody's name"),
    ("statement signed as an image", resealed(P, role="image"), "provenance", "not signed by a key"),
    ("statement signed as evidence", resealed(P, who="mallory@example.com", role="evidence"), "provenance", "not signed by a key"),
    ("statement of another image pasted", of_another_image(P), "provenance", "about another image"),
    ("sbom of another image pasted", of_another_image(S), "sbom", "about another image"),
    ("image signature of another image pasted", of_another_image(SIGNATURE), "signatures", "not signed by a key"),
    ("sbom of another build of the same image", of_another_build, "sbom", "may be of another build"),
    ("statement in the sbom's place", lambda made, _place: {**made, S: made[P]}, "sbom", "says something else"),
    ("sbom in the statement's place", lambda made, _place: {**made, P: made[S]}, "provenance", "says something else"),
    ("two subjects", resealed(P, lambda value: value["subject"].append({"name": "x", "digest": {"sha256": "99" * 32}})), "provenance", "about another image"),
    ("no subject", resealed(P, lambda value: value["subject"].clear()), "provenance", "about another image"),
    ("signed, but materials are not the source's", resealed(P, commit), "provenance", "materials are not those of its source"),
    ("signed, but another base", resealed(P, base), "provenance", "materials are not those of its source"),
    ("signed, but another source than the image's record", resealed(P, both_commits), "provenance", "another source than the record"),
    ("signed, without components", resealed(S, lambda value: value["predicate"].update(components=[])), "sbom", "no components"),
    ("signed, no CycloneDX", resealed(S, lambda value: value["predicate"].update(bomFormat="SPDX")), "sbom", "no CycloneDX"),
    ("signed, without a base", resealed(P, lambda value: value["predicate"]["buildDefinition"]["resolvedDependencies"].pop(0)), "provenance", "base image"),
    ("signed, without an end", resealed(P, lambda value: value["predicate"]["runDetails"].pop("metadata")), "provenance", "of another shape"),
    ("signed, without a time zone", resealed(P, lambda value: value["predicate"]["runDetails"]["metadata"].update(finishedOn="2026-11-30T10:00:00")), "provenance", "finishedOn"),
    ("statement missing", without(P), "provenance", "there is none"), ("sbom missing", without(S), "sbom", "there is none"),
    ("statement missing, sbom there", without(P), "sbom", "the build's statement is not believed"),
    ("signature missing", without(SIGNATURE), "signatures", "there is none"),
    ("nothing signed", unsigned, "provenance", "it is not signed"), ("nothing signed: sbom", unsigned, "sbom", "it is not signed"),
    ("no JSON", lambda made, _place: {**made, P: b"\xff"}, "provenance", "no signed in-toto statement"),
    ("no envelope", lambda made, _place: {**made, P: b"[]"}, "provenance", "no signed in-toto statement"),
    ("no signature in the envelope", envelope(P, signatures=[]), "provenance", "no signed in-toto statement"),
    ("another type of payload", envelope(P, payloadType="text/plain"), "provenance", "no signed in-toto statement"),
    ("a signature that is none", lambda made, _place: {**made, SIGNATURE: b"\xff\x00"}, "signatures", "not signed by a key"),
]


@pytest.mark.parametrize(("forge", "about", "said"), [case[1:] for case in FORGERIES], ids=[case[0] for case in FORGERIES])
def test_forgery(place: Path, made: Documents, forge: Callable[[Documents, Path], Documents], about: str, said: str) -> None:
    found = looked(place, forge(copy.deepcopy(made), place))
    assert said in found["attached"][about], found["attached"]
    assert not {"provenance": found["provenance"], "sbom": found["sbom"], "signatures": found["image_signatures"]}[about]


@pytest.mark.parametrize("bounds", [',valid-before="20261129Z"', ',valid-after="20261201Z"'], ids=["over", "not yet"])
def test_a_key_counts_while_it_is_valid(place: Path, made: Documents, bounds: str) -> None:
    found = looked(place, made, bounds=bounds)
    assert all("not signed by a key" in why for why in found["attached"].values() if "statement" not in why) and not found["provenance"] and not found["image_signatures"]


def test_a_name_that_is_none_signs_no_image(place: Path, made: Documents) -> None:
    assert "nobody is named" in looked(place, made, by="")["attached"]["signatures"]
    assert "not signed by a key" in looked(place, made, by="mallory@example.com")["attached"]["signatures"]


def test_without_the_record_the_rest_is_still_looked_at(place: Path, made: Documents) -> None:
    assert looked(place, made, source=None)["attached"]["provenance"] == ""
    assert "another source" in looked(place, made, source={**RECORD["source"], "name": "r2"})["attached"]["provenance"]


# -- cosign: its format, signed by openssl --------------------------------------------------------

def pair(place: Path, name: str, *kind: str) -> tuple[Path, str]:
    key = place / name
    subprocess.run(["openssl", "genpkey", *kind, "-out", str(key)], check=True, capture_output=True)
    return key, subprocess.run(["openssl", "pkey", "-in", str(key), "-pubout"], check=True, capture_output=True, text=True).stdout


def simple(image: str = IMAGE.digest, **critical: Any) -> bytes:
    return json.dumps({"critical": {"identity": {"docker-reference": "registry.example.com:5000/odoo"}, "image": {"docker-manifest-digest": image},
                                    "type": "cosign container image signature", **critical}, "optional": None}).encode()


def cosigned(key: Path, content: bytes) -> tuple[bytes, str]:
    return content, base64.b64encode(subprocess.run(["openssl", "dgst", "-sha256", "-sign", str(key)], input=content, check=True, capture_output=True).stdout).decode()


@pytest.mark.parametrize("kind", [("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"), ("-algorithm", "RSA")], ids=["ecdsa", "rsa"])
def test_cosign(place: Path, kind: tuple[str, ...]) -> None:
    key, public = pair(place, "factory", *kind)
    stranger, _public = pair(place, "stranger", *kind)
    believed = cosigned(key, simple())
    cases: list[tuple[tuple[bytes, str], bool]] = [
        (believed, True), (cosigned(stranger, simple()), False), (cosigned(key, simple(OTHER_IMAGE.digest)), False), ((simple(OTHER_IMAGE.digest), believed[1]), False),
        ((simple(x="y"), believed[1]), False), (cosigned(key, simple(type="atomic container signature")), False), ((simple(), "!"), False), ((simple(), ""), False),
        (cosigned(key, b"[]"), False), (cosigned(key, b"{"), False)]
    for signature, good in cases:
        found = looked(place, {}, signatures=[signature], keys={"factory": public})
        assert found["image_signatures"] == ([{"by": "factory", "how": "cosign"}] if good else []), signature
    assert looked(place, {}, signatures=[believed], keys={})["attached"]["signatures"] == "there is none"


def test_a_machine_without_openssl_believes_nothing(place: Path, made: Documents, monkeypatch: pytest.MonkeyPatch) -> None:
    key, public = pair(place, "factory", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
    signature = cosigned(key, simple())
    tools = place / "tools"
    tools.mkdir(exist_ok=True)
    monkeypatch.setenv("PATH", str(tools))
    assert "could not be checked" in looked(place, {}, signatures=[signature], keys={"factory": public})["attached"]["signatures"]
