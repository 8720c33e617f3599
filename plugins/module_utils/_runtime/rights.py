# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the toolbox's account may do in its namespace, asked before anything is touched: a right that is found missing in a hold is a pause for nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .._kernel.errors import DomainError
from .._kernel.text import joined
from .._kubernetes.api import Api

NEEDED: tuple[tuple[str, str, str], ...] = (
    ("apps", "deployments", "get list create patch delete"), ("apps", "deployments/scale", "get patch"), ("batch", "jobs", "get list create patch delete"),
    ("", "pods", "get list delete"), ("", "pods/log", "get"), ("", "services", "get list create patch delete"),
    ("autoscaling", "horizontalpodautoscalers", "create patch delete"), ("policy", "poddisruptionbudgets", "create patch delete"),
    ("coordination.k8s.io", "leases", "get create patch"),
    ("", "configmaps", "get list create patch delete"), ("", "secrets", "create"), ("", "events", "list"))
"""API group, resource and verbs; the role ``toolbox`` gives them."""
NAMED = "get patch delete"
"""Of the secrets of its places, each by its name."""


def check(api: Api, namespace: str, secrets: Sequence[str]) -> None:
    """One call. :raises DomainError: ``rights_missing``."""
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview", "spec": {"namespace": namespace}}
    status = api.call("POST", "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", None, review).get("status") or {}
    lacks = [] if status.get("incomplete") else missing(status.get("resourceRules") or [], secrets)
    if lacks:
        raise DomainError("rights_missing", f"the account that releases may not do all of it in the namespace {namespace}; it lacks {joined(lacks)}",
                          unchanged="Nothing was changed", advice="Run the site playbook for this instance, which gives its toolbox the role; where the role "
                          "was changed by hand, with toolbox_force")


def missing(rules: Iterable[Mapping[str, Any]], secrets: Sequence[str]) -> list[str]:
    """Pure. Verb, resource and group of what no rule gives."""
    known = list(rules)
    asked = [(group, resource, verb, "") for group, resource, verbs in NEEDED for verb in verbs.split()]
    asked += [("", "secrets", verb, name) for verb in NAMED.split() for name in secrets]
    return list(dict.fromkeys(
        "{} of {}{}{}".format(verb, resource, f" ({group})" if group else "", f" {name}" if name else "") for group, resource, verb, name in asked
        if not any(_gives(rule, group, resource, verb, name) for rule in known)))


def _gives(rule: Mapping[str, Any], group: str, resource: str, verb: str, name: str) -> bool:
    named = rule.get("resourceNames") or []
    return all(wanted in (given := rule.get(key) or []) or "*" in given for key, wanted in (
        ("apiGroups", group), ("resources", resource), ("verbs", verb))) and (not named or name in named)
