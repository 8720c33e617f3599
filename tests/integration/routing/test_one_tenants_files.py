# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One tenant's files, in every state they may be in, before a real Traefik: they harm that tenant alone, and it keeps what it had."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .conftest import Edge, Server
from .test_routes import shown

Route = Callable[..., dict[str, Any]]
Make = Callable[..., tuple[str, str]]
HOST = "acme.example.test"


def openssl(*arguments: str, data: bytes = b"") -> bytes:
    return subprocess.run(["openssl", *arguments], input=data, capture_output=True, check=True).stdout


def remove(path: Path) -> None:
    path.unlink()


def empty(path: Path) -> None:
    path.write_bytes(b"")


def dangling(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.with_name("elsewhere"))


def directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def device(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def huge(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"#" * (2 << 20))


def garbage(path: Path) -> None:
    path.write_bytes(bytes(range(256)))


def der(path: Path) -> None:
    what = "x509" if b"CERTIFICATE" in path.read_bytes() else "pkey"
    path.write_bytes(openssl(what, "-outform", "der", data=path.read_bytes()))


def torn(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-60])


def nonsense_inside(path: Path) -> None:
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], "AAAA" + lines[1][4:], *lines[2:]]) + "\n")


def wide(path: Path) -> None:
    path.write_bytes(path.read_text().encode("utf-16"))


def encrypted(path: Path) -> None:
    path.write_bytes(openssl("pkey", "-aes256", "-passout", "pass:secret", data=path.read_bytes()))


def as_request(path: Path) -> None:
    path.write_text(path.read_text().replace("CERTIFICATE", "CERTIFICATE REQUEST"))


STATES: dict[str, tuple[str, Callable[[Path], None]]] = {
    **{f"{kind} {what.__name__}": (kind, what) for kind in ("crt", "key") for what in (
        remove, empty, dangling, directory, pipe, device, huge, garbage, der, torn, nonsense_inside, wide)},
    "key encrypted": ("key", encrypted), "crt as_request": ("crt", as_request),
}


def given(root: Path, pair: tuple[str, str]) -> dict[str, Path]:
    found = {"crt": root / "given.crt", "key": root / "given.key"}
    for path, text in zip(found.values(), pair):
        path.write_text(text)
    return found


def by_path(files: dict[str, Path]) -> dict[str, str]:
    return {"certificate_path": str(files["crt"]), "private_key_path": str(files["key"])}


@pytest.mark.parametrize("state", STATES)
def test_a_state_of_a_file_harms_its_tenant_alone(
    edge: Edge, route: Route, make_certificate: Make, serve: Callable[..., Server], state: str
) -> None:
    serve(1), serve(2), serve(3)
    files = given(edge.root, make_certificate(HOST))
    asked = {**route(), "tls": by_path(files)}
    assert edge.run([asked, route("bodega", 2)])["changed"]
    before, fingerprint = (edge.directory / "acme.yml").read_text(), shown(edge, HOST)
    kind, damage = STATES[state]
    damage(files[kind])
    # One that had a route keeps it, one that had none gets none, and those after it in the call get theirs; purging changes nothing of that.
    fresh = {**route("fresh", 4), "tls": by_path(files)}
    result = edge.run([{**asked, "hsts": 7}, fresh, route("bodega", 2, hsts=5), route("cantina", 3)], purge=True)
    assert result["failed"] and result["code"] == "certificate_unreadable", result
    assert (result["details"]["routes"] == ["acme", "fresh"] and "route acme" in result["msg"] and "given." + kind in result["msg"]) or "key" in result["msg"]
    assert "PRIVATE KEY" not in str(result) and "others" not in result["advice"]
    assert (edge.directory / "acme.yml").read_text() == before and not (edge.directory / "fresh.yml").exists()
    assert '"stsSeconds": 5' in (edge.directory / "bodega.yml").read_text()
    assert [edge.request(name + ".example.test")[0] for name in ("acme", "bodega", "cantina", "fresh")] == [200, 200, 200, 404]
    assert shown(edge, HOST) == fingerprint
    # Again, and in check mode: it is said each time, and nothing moves.
    for check in (False, True):
        again = edge.run([{**asked, "hsts": 7}, route("bodega", 2, hsts=5), route("cantina", 3)], purge=True, check=check)
        assert again["code"] == "certificate_unreadable" and again["unchanged"] == "Nothing was changed"


def test_text_around_the_blocks_is_left_out(edge: Edge, route: Route, make_certificate: Make) -> None:
    """As ``openssl x509 -text`` and ``openssl pkcs12`` write it, in another encoding, with the parameters of a curve, or all in one file."""
    chain, key = make_certificate(HOST)
    files = given(edge.root, (chain, key))
    asked = {**route(), "tls": by_path(files)}
    assert edge.run([asked])["changed"]
    for text in (openssl("x509", "-text", data=chain.encode()), b"\xe9t\xe9: Soci\xe9t\xe9 G\xe9n\xe9rale\r\n" + chain.replace("\n", "\r\n").encode(),
                 b"\xef\xbb\xbf" + chain.encode(), key.encode() + chain.encode()):
        files["crt"].write_bytes(text)
        files["key"].write_bytes(b"Bag Attributes\n    friendlyName: \xe9\n" + openssl("ecparam", "-name", "prime256v1") + key.encode() + b"\nend\n")
        result = edge.run([asked])
        # What Traefik is given is the same each time, so nothing is to be done.
        assert result.get("changed") is False, result
    assert "friendlyName" not in next(edge.certificates.glob("*.key")).read_text()
    assert "PRIVATE" not in next(edge.certificates.glob("*.crt")).read_text()


def test_a_chain_in_the_wrong_order_is_refused_for_its_tenant(edge: Edge, route: Route, make_certificate: Make) -> None:
    chain, key = make_certificate(HOST)
    authority = openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "/dev/null", "-subj", "/CN=authority")
    wrong = {**route(), "tls": {"certificate": authority.decode() + chain, "private_key": key}}
    result = edge.run([wrong, route("bodega", 2)])
    assert result["code"] == "certificate_unreadable" and result["details"]["routes"] == ["acme"]
    assert [path.name for path in edge.directory.iterdir()] == ["bodega.yml"]


@pytest.mark.parametrize("kind", ["ed448", "secp256k1", "brainpoolP256r1"])
def test_a_certificate_that_only_traefik_refuses_is_undone_alone(
    edge: Edge, route: Route, serve: Callable[..., Server], make_certificate: Make, kind: str
) -> None:
    """Python reads them, Go does not: its route comes back as it was, the others' stay."""
    serve(1), serve(2), serve(3)
    edge.run([route()])
    before, fingerprint = (edge.directory / "acme.yml").read_text(), shown(edge, HOST)
    algorithm = ["-newkey", kind] if kind == "ed448" else ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:" + kind]
    files = {name: edge.root / name for name in ("key", "crt")}
    openssl("req", "-x509", *algorithm, "-nodes", "-keyout", str(files["key"]), "-out", str(files["crt"]), "-days", "9", "-subj", "/CN=x",
            "-addext", "subjectAltName=DNS:" + HOST)
    result = edge.run([{**route(), "tls": by_path(files)}, route("bodega", 2), route("cantina", 3)], api={"url": edge.api, "timeout": 6})
    assert result["failed"] and result["code"] == "not_served" and result["details"]["routes"] == ["acme"], result
    assert (edge.directory / "acme.yml").read_text() == before and shown(edge, HOST) == fingerprint
    assert [edge.request(name + ".example.test")[0] for name in ("acme", "bodega", "cantina")] == [200, 200, 200]
    assert len(list(edge.certificates.glob("acme.*"))) == 2


def test_an_entry_point_or_resolver_that_is_none_is_its_routes_trouble(edge: Edge, route: Route, serve: Callable[..., Server]) -> None:
    serve(1), serve(2)
    result = edge.run([route(entry_point="nowhere"), route("bodega", 2)])
    assert result["failed"] and result["code"] == "not_served" and result["details"]["routes"] == ["acme"] and "nowhere" in result["msg"]
    assert [path.name for path in edge.directory.iterdir()] == ["bodega.yml"] and edge.request("bodega.example.test")[0] == 200


def test_somebody_elses_file_under_a_routes_name_is_that_routes_trouble(edge: Edge, route: Route, serve: Callable[..., Server]) -> None:
    serve(2)
    content = b"tls: {options: {mine: {minVersion: VersionTLS12}}}\n"
    (edge.directory / "acme.yml").write_bytes(content)
    result = edge.run([route(), route("bodega", 2)], purge=True)
    assert result["code"] == "foreign_file" and result["details"]["routes"] == ["acme"], result
    assert (edge.directory / "acme.yml").read_bytes() == content and edge.request("bodega.example.test")[0] == 200
    gone = edge.run([{"name": "acme"}, {"name": "bodega"}], state="absent")
    assert gone["code"] == "foreign_file" and not (edge.directory / "bodega.yml").exists() and (edge.directory / "acme.yml").exists()


def test_a_host_that_another_has_is_the_takers_trouble(edge: Edge, route: Route, make_certificate: Make, serve: Callable[..., Server]) -> None:
    """Also where the other would have given it up and was refused itself, and where that leaves a third without the name it was to take."""
    serve(1), serve(2), serve(3), serve(4)
    edge.run([route(), route("bodega", 2)])
    expired = {**route(hosts=["new.example.test"]), "tls": {"certificate": "", "private_key": ""}}
    result = edge.run([expired, route("bodega", 2, hosts=[HOST]), route("cantina", 3, hosts=["bodega.example.test"]), route("dulce", 4)])
    assert result["failed"] and result["details"]["routes"] == ["acme", "bodega", "cantina"], result
    assert [edge.request(name)[0] for name in (HOST, "bodega.example.test", "dulce.example.test")] == [200, 200, 200]
    assert sorted(found["name"] for found in edge.info()["routes"]) == ["acme", "bodega", "dulce"]


@pytest.mark.parametrize("damage", [b"", b'{"http": {"routers": {"acme": {"rul', b"\xff\xfe\x00", b"http: {routers: {x: {nonsense: 1}}}\n"])
def test_a_file_of_ours_that_is_damaged_is_written_anew(edge: Edge, route: Route, serve: Callable[..., Server], damage: bytes) -> None:
    """As a crash of the machine or a hand may leave it. Traefik reads nothing at all until then."""
    serve(1), serve(2)
    edge.run([route(), route("bodega", 2)])
    path = edge.directory / "acme.yml"
    path.write_bytes(path.read_bytes().split(b"\n")[0] + b"\n" + damage)
    [found] = [found for found in edge.info()["routes"] if found["name"] == "acme"]
    assert found["served"] is False and found["differences"]
    result = edge.run([route(), route("bodega", 2, hsts=9)])
    assert "failed" not in result and result["changed"], result
    assert [edge.request(name + ".example.test")[0] for name in ("acme", "bodega")] == [200, 200]
    # One that nobody asked about keeps all from being served, so it is named before anything is changed.
    path.write_bytes(path.read_bytes().split(b"\n")[0] + b"\n" + damage)
    other = edge.run([route("bodega", 2, hsts=10)])
    assert other["code"] == "damaged_file" and "acme" in other["msg"] and other["unchanged"]


def test_what_the_controller_could_not_read_is_its_tenants_trouble(edge: Edge, route: Route, serve: Callable[..., Server]) -> None:
    serve(1), serve(2)
    edge.run([route()])
    result = edge.run([{**route(), "tls": {"unavailable": "The lookup plugin 'ansible.builtin.file' failed"}}, route("bodega", 2)], purge=True)
    assert result["code"] == "certificate_unreadable" and result["details"]["routes"] == ["acme"] and "lookup" in result["msg"]
    assert [edge.request(name + ".example.test")[0] for name in ("acme", "bodega")] == [200, 200]
