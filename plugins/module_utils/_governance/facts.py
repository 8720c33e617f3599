# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The facts that gates judge, and what each means. An expression of a policy may name these and no others."""

from __future__ import annotations

from typing import Any

ANYTHING = "anything"

# Each leaf says what it means. A list has the shape of its elements.
FACTS: dict[str, Any] = {
    "now": "the moment, ISO 8601 in UTC",
    "instance": {
        "name": "the instance", "tenant": "whose it is", "environment": "which environment", "class": "its class in the policy", "region": "its region",
        "data_class": "what data it holds",
    },
    "request": {"by": "who asks for it: who signed a request, or whom the caller names", "said": "whom the caller names",
                "signed": "whether who asks signed a request for this plan", "reason": "why", "state": "what is to be brought about, such as released"},
    "plan": {
        "digest": "the plan's digest", "class": "code, update, create, adopt, restore or remove", "strategy": "switch, hold or maintenance",
        "from": "id of the release that runs", "to": "id of the release that is to run", "image": "digest of its image",
        "updates": "how many modules are updated", "steps": ["names of steps"],
    },
    "lower": {
        "instance": "the instance in the lower environment", "image": "digest of the image that it runs by its ledger", "since": "since when",
        "hours": "for how many hours this very image ran there, by the ledger; null where it never did",
        "unread": "why its ledger could not be read, where the policy goes on without the store; otherwise empty",
        "incidents": [{"id": "an incident that is open about this very image", "made": "since when", "title": "a line", "instance": "on which instance"}],
    },
    "recovery_point": {"id": "the newest verified point", "hours": "how old it is", "count": "how many verified points there are",
                       "problem": "why it cannot be read"},
    "rehearsal": {"ok": "whether it succeeded", "hours": "how long ago it was", "pause": "seconds that it predicts", "max_pause": "seconds that are allowed"},
    "calendar": {
        "time_zone": "of the region", "freezes": [{"summary": "its name", "until": "its end", "category": "its category"}],
        "window": {"summary": "the change window that is open", "until": "its end"}, "windows": "how many change windows there are for the instance at all",
        "next_window": "when the next one opens", "shop_open": "whether shops of the region are open", "shop_until": "when they close, or open",
        "next_moment": "the next moment in a window, in no freeze and with shops closed",
    },
    "decisions": [{
        "by": "who decided", "role": "as what", "verdict": "approved, rejected or withdrawn", "at": "when", "until": "when an approval ends",
        "reason": "why", "counts": "whether it counts as an approval", "why_not": "why it does not", "instance": "of which instance", "plan": "of which plan",
        "sequence": "its entry in the ledger", "security_key": "verified, touched, or none where it was signed by no security key",
        "via": {"awx": "the AWX it was given in; null where a person signed", "approval": "id of the approval there", "workflow_job": "of the workflow's job",
                "plan_job": "of the job that planned", "user": "id of who decided there", "signer": "whose key signed it"},
    }],
    "signers": {"request": ["who may ask"], "app": ["who may approve the application"], "schema": ["who may approve a change of the schema"],
                "emergency": ["who may break a gate"], "review": ["who may review that"], "evidence": ["who may sign evidence"],
                "build": ["who may sign builds"], "image": ["who may sign images"]},
    "pos": {"open": "how many point of sale sessions are open; null where the point of sale is not installed", "problem": "why it cannot be read"},
    "room": {"bounds": [{"what": "memory, disk, or a request of the cluster's quota", "unit": "MB or cores", "free": "how much is free",
                         "needs": "how much a second colour takes"}], "problem": "why it cannot be read"},
    "imports": {"running": ["imports of files that run now"], "problem": "why it cannot be read"},
    "closings": {"open": ["closings of tills that are not in the books"], "problem": "why it cannot be read"},
    "incidents": [{"id": "an incident that is open about this very image", "made": "since when", "title": "a line", "instance": "on which instance"}],
    "scan": {
        "by": "who signed it", "made": "when", "hours": "how old it is", "tool": "the scanner", "counts": ANYTHING,
        "findings": [{"id": "the finding", "package": "in what", "severity": "critical or high; others are counted",
                      "published": "when it became known, where the report tells"}],
    },
    "sbom": {"by": "who signed it", "made": "when", "hours": "how old it is", "components": "how many components it names"},
    "provenance": {
        "by": "who signed it", "builder": "the builder", "base": "digest of the base image", "finished": "when it was built", "hours": "how long ago",
        "afterwards": "whether it was made of an image that was there already", "sha256": "digest of the signed statement",
    },
    "sources": [{
        "name": "add-ons of the image's source", "url": "their Git repository; empty for a folder", "commit": "their commit; empty for a folder",
        "signed_by": "whose signature of the commit the builder saw", "reviewed": "whether others had signed all that it merges",
    }],
    "image_signatures": [{"by": "who signed the image, or which key of the policy", "how": "ssh or cosign"}],
    "attached": {"provenance": "why the build's provenance is not believed; empty where it is", "sbom": "the same of its SBOM",
                 "signatures": "the same of the image's signatures"},
    "waves": {"wave": "the instance's wave", "before": [{
        "instance": "an instance of an earlier wave", "wave": "its wave", "hours": "for how long it runs this image by its ledger; null where it does not",
        "failed": "whether the last release of this image failed there",
    }]},
    "differences": [{
        "what": "what differs from the baseline", "owner": "who answers for it", "reason": "why", "until": "when it ends", "over": "whether it has ended",
        "declared": "whether the policy declares it", "said": "how it differs, where nobody declared it",
    }],
}


def described(facts: Any = None, path: str = "") -> list[tuple[str, str]]:
    """Every fact with what it means, for the documentation."""
    value = FACTS if facts is None else facts
    if isinstance(value, dict):
        return [line for key, inner in value.items() for line in described(inner, f"{path}.{key}".lstrip("."))]
    if isinstance(value, list):
        return described(value[0], path + "[]")
    return [(path, str(value))]
