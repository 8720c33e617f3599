# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ready gates over how an image came to be: provenance, SBOM, signatures of image and commits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .._kernel.text import joined
from .result import Facts, Result, people, short

BUILDS = "who builds"
AGAIN = "build it with odoo_image_signed_by, and have the builder's line on the list of signers"


def provenance(facts: Facts, options: Facts) -> Result:
    found, image = facts.get("provenance"), short(facts["plan"]["image"])
    if not found:
        return Result(False, f"there is no provenance of {image} that can be believed: {_why(facts, 'provenance')}", AGAIN, people(facts, "build"))
    if found["afterwards"] and not options["afterwards"]:
        return Result(False, f"{found['by']} signed the provenance of {image} after it was built, and did not see it made",
                      "build it again from a changed source, or afterwards: true in the policy", BUILDS)
    return Result(True, f"built on {found['base'][:19]} by {found['builder'].rpartition(':')[2]}, signed by {found['by']}")


def sbom(facts: Facts, _options: Facts) -> Result:
    found = facts["sbom"]
    if not found:
        why = _why(facts, "sbom")
        beside = f"; of the one beside the image: {why}" if why != "there is none" else ""
        return Result(False, f"there is no SBOM of {short(facts['plan']['image'])}{beside}", f"{AGAIN}; or make one and sign it (playbook evidence)",
                      people(facts, "evidence"))
    return Result(True, f"an SBOM with {found['components']} components, signed by {found['by']}")


def image_signature(facts: Facts, options: Facts) -> Result:
    found, count = facts.get("image_signatures") or [], options["count"]
    by = sorted({f"{one['by']} ({one['how']})" for one in found})
    if len(by) >= count:
        return Result(True, f"the image is signed by {joined(by)}")
    why = f": {_why(facts, 'signatures')}" if not by else f": {joined(by)}"
    return Result(False, f"{len(by)} of {count} signed {short(facts['plan']['image'])}{why}", f"{AGAIN}; or cosign sign --key with a key of the policy",
                  people(facts, "image"))


def commit_signatures(facts: Facts, options: Facts) -> Result:
    if not facts.get("provenance"):
        return Result(False, f"without provenance nobody knows who signed its commits: {_why(facts, 'provenance')}", AGAIN, people(facts, "build"))
    sources = [one for one in facts["sources"] if one["commit"]]
    folders = [one["name"] for one in facts["sources"] if not one["commit"] and one["name"] != "sysgenpro"]
    over = [f"{one['name']} at {one['commit'][:12]}: {why}" for one in sources if (why := _lacks(one, options))]
    if not options["folders"]:
        over += [f"{name}: it is from a folder and no commit" for name in folders]
    if over:
        return Result(False, "add-ons without what is asked for: " + "; ".join(over),
                      "commits signed by somebody on the list, merged by another person; build with odoo_image_commit_signers", BUILDS)
    beside = f", and {joined(folders)} from folders" if folders else ""
    return Result(True, (f"commits of {joined(sorted(one['name'] for one in sources))} are signed" if sources else "no add-on is from Git") + beside)


def _lacks(one: Mapping[str, Any], options: Facts) -> str:
    if not one["signed_by"]:
        return "nobody's signature was seen when it was built"
    if options["by"] and one["signed_by"] not in options["by"]:
        return f"signed by {one['signed_by']}, who is none of {joined(options['by'])}"
    return "" if one["reviewed"] or not options["reviewed"] else f"signed by {one['signed_by']} alone, and nobody else reviewed it"


def _why(facts: Facts, name: str) -> str:
    return str((facts.get("attached") or {}).get(name) or "there is none")


GATES: dict[str, tuple[Callable[[Facts, Facts], Result], dict[str, Any]]] = {
    "provenance": (provenance, {"afterwards": False}),
    "sbom": (sbom, {}),
    "image_signature": (image_signature, {"count": 1, "keys": {}}),
    "commit_signatures": (commit_signatures, {"reviewed": True, "by": [], "folders": True}),
}
"""As ``gates.READY``."""
