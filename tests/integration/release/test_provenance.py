# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release is built with a key, asked for how it came to be, released; and refused when its SBOM, its statement or its image is another. Registry, keys and Odoo are real."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from estate import Estate, sound
from estate.place import INSTANCE

pytestmark = [pytest.mark.slow, pytest.mark.dear]

BY = "build@example.com"
REGISTRY = "/var/lib/docker-registry/docker/registry/v2"
KEY = "/etc/sysgenpro/build/key"
GATES = [{"gate": name} for name in ("provenance", "sbom", "image_signature", "commit_signatures")]
# On the registry's own disk, as whoever owns it could: other documents beside an image, each whole and with its right digest.
HARM = """
import base64, hashlib, json, os, sys
root, image, what = sys.argv[1:4]
blobs, repository = root + "/blobs/sha256", root + "/repositories/odoo"
path = lambda digest: f"{blobs}/{digest[7:9]}/{digest[7:]}/data"
tag = f"{repository}/_manifests/tags/{image.replace(':', '-')}.build/current/link"

def write(name, content):
    os.makedirs(os.path.dirname(name), exist_ok=True)
    open(name, "wb").write(content)

def put(content, kind):
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    write(path(digest), content)
    write(f"{repository}/{kind}/sha256/{digest[7:]}/link", digest.encode())
    return digest

if what == "paste":
    write(tag, open(f"{repository}/_manifests/tags/{sys.argv[4].replace(':', '-')}.build/current/link", "rb").read())
    raise SystemExit
manifest = json.load(open(path(open(tag).read())))
layer = next(each for each in manifest["layers"] if each["annotations"]["org.opencontainers.image.title"] == what)
envelope = json.load(open(path(layer["digest"])))
text = json.loads(base64.b64decode(envelope["payload"]))
if what == "sbom.dsse.json":
    text["predicate"]["components"] = [one for one in text["predicate"]["components"] if one["name"] != "openssl"][:-1]
else:
    text["predicate"]["runDetails"]["builder"]["id"] = "urn:sysgenpro:builder:another"
envelope["payload"] = base64.b64encode(json.dumps(text, sort_keys=True, separators=(",", ":")).encode()).decode()
content = json.dumps(envelope).encode()
layer.update(digest=put(content, "_layers"), size=len(content))
write(tag, put(json.dumps(manifest).encode(), "_manifests/revisions").encode())
"""


@pytest.fixture
def signed(estate: Estate, tmp_path: Path) -> Iterator[str]:
    """A release that was built with the builder's key, on a machine that asks for all of it. Its name is new each time, so it is built each time."""
    estate.runs("one-a")
    name = "signed-" + tmp_path.name.replace("_", "-")[-12:]
    source = estate.state / "sources" / f"{name}.yml"
    source.write_text(yaml.safe_dump({**yaml.safe_load((estate.state / "sources" / "one-b.yml").read_text()), "name": name}))
    estate.machine.sh(f"rm -rf {Path(KEY).parent}")
    said = estate.play("build", odoo_image_sources=[str(source)], odoo_image_signed_by=BY).output
    line = f'{BY} namespaces="release-build@sysgenpro,release-image@sysgenpro" ' + " ".join(estate.machine.sh(f"cat {KEY}.pub").split()[:2])
    assert line in " ".join(said.split()), "build shows the builder's line"
    govern(estate, line)
    estate.releases.update(yaml.safe_load((estate.state / "releases.yml").read_text()))
    yield name
    estate.play("governance", governance_state="absent")
    estate.machine.sh("rm -rf /var/lib/sysgenpro/ledger /var/lib/sysgenpro/governance")
    source.unlink()


def govern(estate: Estate, *lines: str) -> None:
    policy = {"default": "test", "instances": {INSTANCE: {"class": "test", "environment": "test"}}, "classes": {"test": {"gates": GATES}}}
    estate.play("governance", governance_policy=policy, governance_signers=list(lines))


def closed(estate: Estate, name: str) -> dict[str, str]:
    gates = estate.release(name, state="planned").ok().result["plan"]["gates"]["gates"]
    return {gate["gate"]: gate["reason"] for gate in gates if not gate["passed"]}


def harm(estate: Estate, name: str, what: str, *more: str) -> None:
    """Change what lies beside a release's image, and have it as it was at the end."""
    estate.machine.sh(f"python3 - {REGISTRY} {digest(estate, name)} {what} {' '.join(more)}", data=HARM)


def link(estate: Estate, name: str) -> str:
    """Where the registry keeps which documents lie beside a release's image."""
    return f"{REGISTRY}/repositories/odoo/_manifests/tags/{digest(estate, name).replace(':', '-')}.build/current/link"


def digest(estate: Estate, name: str) -> str:
    return estate.releases[name].rpartition("@")[2]


def test_built_signed_released_and_found_out(estate: Estate, signed: str) -> None:
    assert closed(estate, "one-b")["provenance"].endswith("it is not signed"), "what was built without a key is not released"
    assert closed(estate, signed) == {}

    tag = link(estate, signed)
    estate.machine.sh(f"cp {tag} /root/tag; cp {link(estate, 'one-b')} /root/other")
    for what, shut in (("sbom.dsse.json", {"sbom"}), ("provenance.dsse.json", {"provenance", "sbom", "commit_signatures"})):
        harm(estate, signed, what)
        found = closed(estate, signed)
        assert set(found) == shut and all("not signed by a key that build@example.com has" in why or "is not believed" in why for why in found.values()), found
        refused = estate.release(signed)
        assert refused.error == "gates_closed" and "Nothing was pulled or changed" in json.dumps(refused.result)
        sound(estate, "one-a")
        estate.machine.sh(f"cp /root/tag {tag}")
    # Another image, beside which the documents of this one are put.
    harm(estate, "one-b", "paste", digest(estate, signed))
    found = closed(estate, "one-b")
    assert set(found) == {gate["gate"] for gate in GATES} and "it is about another image" in found["provenance"]
    assert estate.release("one-b").error == "gates_closed"
    sound(estate, "one-a")
    estate.machine.sh(f"cp /root/other {link(estate, 'one-b')}")

    estate.play("release", instance_release=signed, release_reason="as it was signed")
    assert estate.release(signed, state="planned").ok().result["plan"]["steps"] == []
    facts = json.loads(estate.machine.sh("cd /var/lib/sysgenpro/ledger/ledger/*/ && for each in *.json; do python3 -c 'import base64, json, sys; "
                                         "print(base64.b64decode(json.load(open(sys.argv[1]))[\"payload\"]).decode())' $each; done | grep '\"outcome\":\"passed\"' | tail -n 1"))
    believed = facts["predicate"]["body"]["facts"]
    assert believed["provenance"]["by"] == BY and believed["sbom"]["components"] > 100 and believed["image_signatures"] == [{"by": BY, "how": "ssh"}]


def test_what_was_there_before_is_described_afterwards(estate: Estate, signed: str) -> None:
    estate.play("build", odoo_image_sources=[str(estate.state / "sources" / "one-b.yml")], odoo_image_signed_by=BY)
    found = closed(estate, "one-b")
    assert set(found) == {"provenance"} and "did not see it made" in found["provenance"]
    assert "changed=0" in estate.play("build", odoo_image_sources=[str(estate.state / "sources" / "one-b.yml")], odoo_image_signed_by=BY).output


def test_a_commit_that_nobody_signed_is_not_built(estate: Estate, tmp_path: Path) -> None:
    work = tmp_path / "shop"
    work.mkdir()
    for words in (["init", "-q"], ["-c", "user.name=x", "-c", "user.email=x@example.com", "commit", "-q", "--allow-empty", "-m", "x"]):
        subprocess.run(["git", *words], cwd=work, check=True)
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=work, check=True, capture_output=True, text=True).stdout.strip()
    key = tmp_path / "anna"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    (tmp_path / "signers").write_text(f'anna@example.com namespaces="git" {key.with_suffix(".pub").read_text()}')
    value = yaml.safe_load((estate.state / "sources" / "one-b.yml").read_text())
    source = estate.state / "sources" / "unsigned.yml"
    source.write_text(yaml.safe_dump({**value, "name": "unsigned", "addons": [*value["addons"], {"name": "shop", "url": f"file://{work}", "commit": commit}]}))
    try:
        said = estate.play("build", True, odoo_image_sources=[str(source)], odoo_image_commit_signers=str(tmp_path / "signers")).output
    finally:
        source.unlink()
    assert "commit_not_signed" in said or "it has no signature" in said
    assert "unsigned" not in yaml.safe_load((estate.state / "releases.yml").read_text())
