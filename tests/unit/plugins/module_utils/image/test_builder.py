# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a builder's own settings become in a build container."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._image.builder import BUNDLE, PLACE, TRUST, settings

INSIDE = f"{PLACE}/authorities.crt"


def lay(root: Path, **files: str) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_a_machine_without_any(tmp_path: Path) -> None:
    found = settings(str(tmp_path), {"PATH": "/bin", "HOME": "/root"})
    assert (found.files, dict(found.environment), found.apt) == ((), {}, ())


def test_the_authorities_that_the_machine_trusts(tmp_path: Path) -> None:
    lay(tmp_path, **{BUNDLE: "x"})
    found = settings(str(tmp_path), {})
    assert found.files == ((str(tmp_path / BUNDLE), INSIDE),)
    assert dict(found.environment) == dict.fromkeys(TRUST, INSIDE)
    assert found.apt == ("-o", f"Acquire::https::CAInfo={INSIDE}")


def test_pip_conf_in_pips_own_order(tmp_path: Path) -> None:
    lay(tmp_path, **{
        "etc/pip.conf": "[global]\nindex-url = https://one.test/simple\ntrusted-host =\n    one.test\n    two.test\nfind-links = /srv/wheels\n",
        "root/.config/pip/pip.conf": "[install]\nindex-url = https://two.test/simple\n[global]\nproxy = http://proxy.test:3128\n",
    })  # fmt: skip
    assert dict(settings(str(tmp_path), {}).environment) == {
        "PIP_INDEX_URL": "https://two.test/simple", "PIP_TRUSTED_HOST": "one.test two.test", "PIP_PROXY": "http://proxy.test:3128"}


def test_the_environment_goes_before_files(tmp_path: Path) -> None:
    lay(tmp_path, **{"etc/pip.conf": "[global]\nindex-url = https://one.test/simple\n", "further.conf": "[global]\nretries = 9\n"})
    given = {"PIP_INDEX_URL": "https://three.test", "PIP_CONFIG_FILE": str(tmp_path / "further.conf"), "https_proxy": "http://p:1", "NO_PROXY": "a,b", "TOKEN": "x"}
    assert dict(settings(str(tmp_path), given).environment) == {
        "PIP_INDEX_URL": "https://three.test", "PIP_RETRIES": "9", "https_proxy": "http://p:1", "NO_PROXY": "a,b"}


@pytest.mark.parametrize("by", ["file", "environment"])
def test_files_that_are_named_are_brought_along(tmp_path: Path, by: str) -> None:
    own = str(tmp_path / "own.pem")
    lay(tmp_path, **{"own.pem": "x", BUNDLE: "y"})
    if by == "file":
        lay(tmp_path, **{"etc/pip.conf": f"[global]\ncert = {own}\nclient-cert = {own}\n"})
    found = settings(str(tmp_path), {"PIP_CERT": own, "PIP_CLIENT_CERT": own} if by == "environment" else {})
    assert found.files == ((own, f"{PLACE}/PIP_CERT"), (own, f"{PLACE}/PIP_CLIENT_CERT"), (str(tmp_path / BUNDLE), INSIDE))
    assert (found.environment["PIP_CERT"], found.environment["SSL_CERT_FILE"]) == (f"{PLACE}/PIP_CERT", INSIDE)


@pytest.mark.parametrize("text", ["no section = 1\n", "[global\n", "[global]\nindex-url\n"])
def test_a_pip_conf_that_is_none_keeps_nobody(tmp_path: Path, text: str) -> None:
    lay(tmp_path, **{"etc/pip.conf": text})
    assert not settings(str(tmp_path), {}).environment


def test_what_the_source_of_a_build_names_goes_before_the_builders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ansible_collections.sysgenpro.odoo.plugins.module_utils._image import container

    monkeypatch.setenv("PIP_INDEX_URL", "https://machine.test")
    monkeypatch.setenv("PIP_RETRIES", "9")
    client: Any = None
    made = container.BuildContainer(client, "i", "n", "bridge", [], {"PIP_INDEX_URL": "https://named.test"})
    assert (made._environment["PIP_INDEX_URL"], made._environment["PIP_RETRIES"]) == ("https://named.test", "9")
    assert container.BuildContainer(client, "i", "n", "none", [], {"A": "b"})._environment == {"A": "b"}, "without a network nothing is reached"
