# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import sys
import unicodedata
from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._routing import arguments, model, names

# What browsers ask for (WHATWG's URL standard: UTS 46, not transitional).
KNOWN = {
    "Bücher.example.test": "xn--bcher-kva.example.test",
    "straße.example": "xn--strae-oqa.example",
    "STRASSE.example": "strasse.example",
    "faß.de": "xn--fa-hia.de",
    "βόλος.com": "xn--nxasmm1c.com",
    "ΒΌΛΟΣ.com": "xn--nxasmq6b.com",
    "ශ්‍රී.com": "xn--10cl1a0b660p.com",
    "نامه‌ای.com": "xn--mgba3gch31f060k.com",
    "bücher.straße.example": "xn--bcher-kva.xn--strae-oqa.example",
    "xn--strae-oqa.example": "xn--strae-oqa.example",
    "XN--STRAE-OQA.Example.": "xn--strae-oqa.example",
    "xn--strae-oqa.bücher.example": "xn--strae-oqa.xn--bcher-kva.example",
    "日本語。jp": "xn--wgv71a119e.jp",
    "日本語．jp．": "xn--wgv71a119e.jp",
    "ｓｈｏｐ．example": "shop.example",
    "ﬁsch.example": "fisch.example",
    "u\u0308ber.example": "xn--ber-goa.example",
    "ÜBER.example": "xn--ber-goa.example",
    "sho\u00adp.example": "shop.example",
    "İstanbul.example": "xn--istanbul-o0e.example",
    " shop.example.test. ": "shop.example.test",
    "пример.испытание": "xn--e1afmkfd.xn--80akhbyknj4f",
    "مثال.إختبار": "xn--mgbh0fb.xn--kgbechtv",
}


@pytest.mark.parametrize("given", KNOWN)
def test_a_name_is_what_a_browser_asks_for(given: str) -> None:
    assert names.host_name("acme", given) == KNOWN[given]


@pytest.mark.parametrize(
    "given,instead",
    [
        # Browsers go there, IDNA 2008 has no such name: the operator says so in ASCII.
        ("i❤.ws", "xn--i-7iq.ws"), ("😀.example", "xn--e28h.example"), ("Ⓐ☃.example", "xn--a-1xp.example"),
        # A joiner where no script joins; a capital that programs take for two domains.
        ("a\u200db.example", "xn--ab-m1t.example"), ("a\u200cb.example", "xn--ab-j1t.example"), ("GROẞ.example", "xn--gro-7ka.example or gross.example"),
        # Writing from right to left, mixed.
        ("אa.example", ""), ("-ü.example", ""), ("ü..example", ""), ("a..test", ""), ("test..", ""), (".", ""), ("", ""), ("..", ""), ("ü_x.example", ""),
        ("ü" * 70 + ".example", ""), ("ü" * 300, ""), ("a.\u2488.example", ""), ("\u200b", ""), ("ü\x00.example", ""), ("shop.ex ample", ""),
        ("a\u2260b.example", ""), ("\ud800.example", ""), ("ü/x.example", ""), ("ü`) || Host(`b.example", ""),
    ],
)
def test_a_name_that_is_none_is_refused_and_what_may_be_meant_is_named(given: str, instead: str) -> None:
    with pytest.raises(DomainError) as caught:
        names.host_name("acme", given)
    assert (caught.value.code, caught.value.details["field"], caught.value.unchanged) == ("bad_input", "hosts", "Nothing was changed")
    assert instead in caught.value.advice if instead else "acme" in caught.value.message
    if instead:
        for name in instead.split(" or "):
            assert names.host_name("acme", name) == name


def test_wherever_the_two_standards_differ_the_newer_one_is_meant() -> None:
    """Over all letters: Python's own codec is IDNA 2003. Where that gives another domain, this is not it."""
    differ = []
    for char in map(chr, range(0x80, sys.maxunicode)):
        if unicodedata.category(char)[0] not in "LMN":
            continue
        try:
            older = f"a{char}b.test".encode("idna").decode()
            newer = names.host_name("acme", f"a{char}b.test")
        except (UnicodeError, DomainError):
            continue
        if older != newer:
            differ.append(char)
    assert {"ß", "ς"} <= set(differ) and len(differ) > 100
    assert all(names.host_name("acme", f"a{char}b.test") != f"a{char}b.test".encode("idna").decode() for char in differ)


def value(*hosts: str, name: str = "acme") -> dict[str, Any]:
    return {"name": name, "hosts": list(hosts), "front": "172.28.1.2", "tls": {"resolver": "le"}}


def test_without_the_library_a_name_is_refused_for_its_route_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "HAS_IDNA", False)
    assert names.host_name("acme", "XN--strae-oqa.example.") == "xn--strae-oqa.example"
    refused: list[DomainError] = []
    found = model.parse_routes([value("straße.example"), value("shop.example", name="bodega")], refused)
    assert [route.name for route in found] == ["bodega"] and [error.code for error in refused] == ["missing_library"]
    assert "xn--strae-oqa.example" in refused[0].advice and "python3-idna" in refused[0].advice
    # What a library alone could tell is not guessed.
    with pytest.raises(DomainError) as caught:
        names.host_name("acme", "Straße.example")
    assert caught.value.code == "missing_library" and "xn--" not in caught.value.advice


def test_check_mode_before_the_library_is_there_takes_the_likely_name(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (names, arguments):
        monkeypatch.setattr(module, "HAS_IDNA", False)
    found = arguments.read_routes({"routes": [value("straße.example", "bücher.example")]}, check_mode=True, refused=[])
    assert found[0].hosts == ("xn--strae-oqa.example", "xn--bcher-kva.example")


def test_one_name_by_two_writings_is_one_name() -> None:
    with pytest.raises(DomainError, match="already serves"):
        model.parse_routes([value("straße.example"), value("xn--STRAE-oqa.example", name="bodega")])
    assert model.parse_routes([value("straße.example"), value("strasse.example", name="bodega")])
