# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gates over how an image came to be, by a table of facts: the gate, the fact's path, its value, whether it passes, what is said."""

from __future__ import annotations

from typing import Any

PROVENANCE = {"by": "build@example.com", "builder": "urn:sysgenpro:builder:b1", "base": "sha256:" + "d4" * 32, "finished": "x", "hours": 1.0, "afterwards": False,
              "sha256": "sha256:" + "e5" * 32}
SHOP = {"name": "shop", "url": "https://git.example.com/shop.git", "commit": "ab" * 20, "signed_by": "vera@example.com", "reviewed": True}
FOLDER = {"name": "local", "url": "", "commit": "", "signed_by": "", "reviewed": False}
SSH, COSIGN = {"by": "build@example.com", "how": "ssh"}, {"by": "factory", "how": "cosign"}
UNSIGNED: dict[str, Any] = {"provenance": "it is not signed", "sbom": "it is about another image", "signatures": "there is none"}


def sources(*found: dict[str, Any], provenance: Any = PROVENANCE) -> dict[str, Any]:
    return {"provenance": provenance, "sources": list(found), "attached": UNSIGNED}


BUILD_TABLE: list[tuple[dict[str, Any], str, Any, bool, str]] = [
    ({"gate": "provenance"}, "provenance", None, False, "no provenance"),
    ({"gate": "provenance"}, "attached", UNSIGNED, False, "it is not signed"),
    ({"gate": "provenance"}, "provenance", PROVENANCE, True, "by b1, signed by build@example.com"),
    ({"gate": "provenance"}, "provenance", {**PROVENANCE, "afterwards": True}, False, "did not see it made"),
    ({"gate": "provenance", "afterwards": True}, "provenance", {**PROVENANCE, "afterwards": True}, True, "signed by"),
    ({"gate": "sbom"}, "attached", UNSIGNED, False, "of the one beside the image: it is about another image"),
    ({"gate": "image_signature"}, "image_signatures", [], False, "0 of 1 signed"),
    ({"gate": "image_signature"}, "image_signatures", [SSH], True, "build@example.com (ssh)"),
    ({"gate": "image_signature", "count": 2}, "image_signatures", [SSH, SSH], False, "1 of 2 signed"),
    ({"gate": "image_signature", "count": 2}, "image_signatures", [SSH, COSIGN], True, "factory (cosign)"),
    ({"gate": "commit_signatures"}, "", sources(provenance=None), False, "without provenance"),
    ({"gate": "commit_signatures"}, "", sources(SHOP), True, "commits of shop are signed"),
    ({"gate": "commit_signatures"}, "", sources({**FOLDER, "name": "sysgenpro"}), True, "no add-on is from Git"),
    ({"gate": "commit_signatures"}, "", sources(SHOP, FOLDER), True, "and local from folders"),
    ({"gate": "commit_signatures", "folders": False}, "", sources(SHOP, FOLDER), False, "local: it is from a folder"),
    ({"gate": "commit_signatures", "folders": False}, "", sources({**FOLDER, "name": "sysgenpro"}), True, "no add-on"),
    ({"gate": "commit_signatures"}, "", sources({**SHOP, "signed_by": ""}), False, "nobody's signature was seen"),
    ({"gate": "commit_signatures"}, "", sources({**SHOP, "reviewed": False}), False, "nobody else reviewed it"),
    ({"gate": "commit_signatures", "reviewed": False}, "", sources({**SHOP, "reviewed": False}), True, "are signed"),
    ({"gate": "commit_signatures", "by": ["anna@example.com"]}, "", sources(SHOP), False, "who is none of anna@example.com"),
]
