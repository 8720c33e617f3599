# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the cluster itself refuses in a tenant's namespace: once for all tenants, each read from its namespace's labels and annotations. Pure.

Source of the language: https://kubernetes.io/docs/reference/using-api/cel/ and
https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .._kubernetes import labels
from .profiles import PROFILES

Item = dict[str, Any]

# What the API server fills in.
_EVERYTHING: Item = {"matchPolicy": "Equivalent", "namespaceSelector": {}, "objectSelector": {}}
_TEXT = "(has(namespaceObject.metadata.{where}) && '{key}' in namespaceObject.metadata.{where} ? namespaceObject.metadata.{where}['{key}'] : '')"
# Traefik's rule that names hosts first and only narrows after that, in the form in which this collection writes it.
_ONE = "Host\\\\(`[a-z0-9.-]+`\\\\)"
_MATCHER = "!?[A-Za-z]+\\\\(`[^`]*`(, ?`[^`]*`)*\\\\)"
_GROUP = f"({_MATCHER}|!?\\\\({_MATCHER}( (\\\\|\\\\||&&) {_MATCHER})*\\\\))"
_HOSTS_FIRST = f"^({_ONE}( \\\\|\\\\| {_ONE})*|({_ONE}|\\\\({_ONE}( \\\\|\\\\| {_ONE})*\\\\))( && {_GROUP})*)$"


def cluster_objects(base: dict[str, str]) -> list[Item]:
    """Priority classes, policies and their bindings. :param base: labels of all of them."""
    classes = [{"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": f"sysgenpro-{value}", "labels": base}, "value": value,
                "globalDefault": False, "preemptionPolicy": "Never", "description": "Tenants of sysgenpro.odoo: placed first, and nobody is put out for it"}
               for value in sorted({profile.priority for profile in PROFILES.values()})]
    return [*classes, *(each for name, spec in _POLICIES.items() for each in _bound(name, spec, base))]


def _bound(name: str, spec: Item, base: dict[str, str]) -> list[Item]:
    full = f"sysgenpro-{name}"
    api = "admissionregistration.k8s.io/v1"
    return [
        {"apiVersion": api, "kind": "ValidatingAdmissionPolicy", "metadata": {"name": full, "labels": base},
         "spec": {"failurePolicy": "Fail", **spec, "matchConstraints": {**_EVERYTHING, **spec["matchConstraints"]}}},
        {"apiVersion": api, "kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": full, "labels": base}, "spec": {
            "policyName": full, "validationActions": ["Deny"],
            "matchResources": {**_EVERYTHING, "namespaceSelector": {"matchLabels": {labels.PART: "tenancy"}}}}}]


def _annotation(key: str) -> str:
    return _TEXT.format(where="annotations", key=key)


def _label(key: str) -> str:
    return _TEXT.format(where="labels", key=key)


def _on(group: str, versions: Sequence[str], resources: Sequence[str], operations: Sequence[str] = ("CREATE", "UPDATE")) -> Item:
    return {"resourceRules": [{"apiGroups": [group], "apiVersions": list(versions), "operations": list(operations), "resources": list(resources),
                               "scope": "*"}]}


def _images(of: str) -> str:
    return (f"{of}.spec.containers.map(c, c.image) + (has({of}.spec.initContainers) ? {of}.spec.initContainers.map(c, c.image) : [])"
            f" + (has({of}.spec.ephemeralContainers) ? {of}.spec.ephemeralContainers.map(c, c.image) : [])")


def _variables(**expressions: str) -> list[Item]:
    return [{"name": name, "expression": expression} for name, expression in expressions.items()]


def _deny(unless: str, message: str, shown: str = "") -> Item:
    return {"expression": unless, "message": message, **({"messageExpression": shown} if shown else {})}


_HOSTS = _variables(hosts=f"{_annotation(labels.HOSTS)}.split(',').filter(h, h != '')")
_FOREIGN = "a host name that is not this tenant's: its own are given by tenant_quota"
_OWN = "'a host name that is not this tenant\\'s; its own are: ' + variables.hosts.join(', ')"


def _unset(name: str) -> str:
    return f"!has(object.spec.{name}) || !object.spec.{name}"


# What a pod had before its tenant's rules it keeps: whoever ends it, or notes something on it, changes it as well.
_CHANGES = "request.operation == 'UPDATE' && oldObject != null"
_SAME_NODES = (f"({_CHANGES} && has(object.spec.nodeSelector) == has(oldObject.spec.nodeSelector)"
               " && (!has(object.spec.nodeSelector) || object.spec.nodeSelector == oldObject.spec.nodeSelector))")
_HAD = f"({_CHANGES} && has(oldObject.spec.tolerations) && oldObject.spec.tolerations.exists(o, o == t))"

_POLICIES: dict[str, Item] = {
    "images": {
        "matchConstraints": _on("", ["v1"], ["pods", "pods/ephemeralcontainers"]),
        # A pod that is there already may still be changed otherwise: its images were looked at, or are older than this policy.
        "variables": _variables(
            known=f"request.operation == 'UPDATE' && oldObject != null ? {_images('oldObject')} : []",
            fresh=f"({_images('object')}).filter(i, !(i in variables.known))",
            registries=f"{_annotation(labels.REGISTRIES)}.split(',').filter(r, r != '')"),
        "validations": [
            _deny("variables.fresh.all(i, i.matches('@sha256:[0-9a-f]{64}$'))", "images are named by digest (...@sha256:...)",
                  "'images are named by digest (...@sha256:...), and not so: ' + variables.fresh.filter(i, !i.matches('@sha256:[0-9a-f]{64}$')).join(', ')"),
            _deny("variables.fresh.all(i, variables.registries.exists(r, i.startsWith(r + '/') || i.startsWith(r + '@')))",
                  "an image of a registry that is not this tenant's",
                  "'images come from this tenant\\'s registries (' + variables.registries.join(', ') + ')'")]},
    "pods": {
        # Tolerations may be added to a pod that waits, and one that is held at a gate may choose nodes: so changes are looked at as well.
        "matchConstraints": _on("", ["v1"], ["pods"]),
        "variables": _variables(
            pool=_label(labels.POOL), priority=f"{_annotation(labels.PRIORITY)}",
            chosen=f"has(object.spec.nodeSelector) && '{labels.POOL}' in object.spec.nodeSelector ? object.spec.nodeSelector['{labels.POOL}'] : ''"),
        "validations": [
            _deny(f"({_unset('hostNetwork')}) && ({_unset('hostPID')}) && ({_unset('hostIPC')})", "a pod has no part in its node's network, processes or IPC"),
            _deny("!has(object.spec.volumes) || object.spec.volumes.all(v, !has(v.hostPath))", "a pod mounts nothing of its node (hostPath)"),
            _deny("request.operation != 'CREATE' || !has(object.spec.nodeName) || object.spec.nodeName == ''", "the scheduler chooses the node (nodeName)"),
            _deny(f"{_SAME_NODES} || variables.chosen == variables.pool", "a pod runs on its tenant's nodes",
                  "variables.pool == '' ? 'a pod of this tenant chooses no pool of nodes'"
                  f" : 'a pod of this tenant has the nodeSelector {labels.POOL}: ' + variables.pool"),
            _deny(f"!has(object.spec.tolerations) || object.spec.tolerations.all(t, {_HAD} || has(t.key) && t.key != '' && (t.key != '{labels.POOL}'"
                  " || (variables.pool != '' && has(t.value) && t.value == variables.pool)))", "a pod tolerates no other tenant's nodes, and not everything"),
            _deny("request.operation != 'CREATE' || !has(object.spec.priority)"
                  " || object.spec.priority <= (variables.priority == '' ? 0 : int(variables.priority))",
                  "a pod's priority is at most its tenant's")]},
    "services": {
        "matchConstraints": _on("", ["v1"], ["services"]),
        "variables": _variables(allowed=f"{_annotation(labels.SERVICES)}.split(',')"),
        "validations": [
            _deny("object.spec.type in variables.allowed", "a Service of a type that this tenant may not have",
                  "'a Service of type ' + object.spec.type + '; this tenant may have ' + variables.allowed.join(', ')"),
            _deny("!has(object.spec.externalIPs) || object.spec.externalIPs.size() == 0", "a Service has no externalIPs")]},
    "ingressroutes": {
        "matchConstraints": _on("traefik.io", ["v1alpha1"], ["ingressroutes"]), "variables": _HOSTS,
        "validations": [
            _deny(f"object.spec.routes.all(r, has(r.match) && r.match.matches('{_HOSTS_FIRST}'))",
                  "a rule names its hosts first, as in (Host(`a.example`) || Host(`b.example`)) && PathPrefix(`/x`)"),
            _deny(f"object.spec.routes.all(r, has(r.match) && r.match.findAll('{_ONE}').all(h, h.substring(6, h.size() - 2) in variables.hosts))",
                  _FOREIGN, _OWN)]},
    "httproutes": {
        "matchConstraints": _on("gateway.networking.k8s.io", ["v1"], ["httproutes", "grpcroutes"]), "variables": _HOSTS,
        "validations": [_deny("has(object.spec.hostnames) && object.spec.hostnames.size() > 0 && object.spec.hostnames.all(h, h in variables.hosts)",
                              _FOREIGN, _OWN)]},
    "ingresses": {
        "matchConstraints": _on("networking.k8s.io", ["v1"], ["ingresses"]), "variables": _HOSTS,
        "validations": [
            _deny("!has(object.spec.defaultBackend)", "an Ingress has no default backend: it would answer for every host"),
            _deny("has(object.spec.rules) && object.spec.rules.all(r, has(r.host) && r.host in variables.hosts)", _FOREIGN, _OWN),
            _deny("!has(object.spec.tls) || object.spec.tls.all(t, !has(t.hosts) || t.hosts.all(h, h in variables.hosts))", _FOREIGN, _OWN)]},
    "edge": {
        "matchConstraints": {"resourceRules": [
            *_on("traefik.io", ["v1alpha1"], ["ingressroutetcps", "ingressrouteudps"])["resourceRules"],
            *_on("gateway.networking.k8s.io", ["*"], ["gateways", "listenersets", "tlsroutes", "tcproutes", "udproutes"])["resourceRules"]]},
        "validations": [_deny("false", "entry points and routes that name no host are the cluster's, not a tenant's")]},
}
