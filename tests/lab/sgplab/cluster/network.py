# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster's networks on this host: the nodes' bridge, a node's network namespace, and rules that let pods talk and keep them inside."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Iterable, Sequence

from ..base import LabError, output, run
from .place import BRIDGE, HOST, NODES, PODS, SERVICES, Node

#: What a rule of this lab bears, so that it is found again. kube-proxy's own chains are taken back by ``kube-proxy --cleanup``.
COMMENT = "sgp-cluster"
POLICY_CHAIN = "SGP-CLUSTER-POLICY"
QUEUE = 100
#: What the kubelet leaves behind: https://kubernetes.io/blog/2022/09/07/iptables-chains-not-api/.
_KUBELET_CHAINS = ("KUBE-FIREWALL", "KUBE-KUBELET-CANARY", "KUBE-IPTABLES-HINT", "KUBE-PROXY-CANARY")

Rule = tuple[str, str, tuple[str, ...]]


def rules(outside: str) -> list[Rule]:
    """Return table, chain and match of every rule, in the order in which packets are to meet them.

    :param outside: device of the default route (``""``: none). A Service's address that no Service has, or a call of a pod to elsewhere, would leave by it.
        kube-proxy's DNAT comes before all of them.
    """
    found: list[Rule] = [("filter", "OUTPUT", ("-d", SERVICES, "-j", "REJECT")), ("filter", "FORWARD", ("-d", SERVICES, "-j", "REJECT"))]
    if outside:
        found.append(("filter", "FORWARD", ("-s", PODS, "-o", outside, "-j", "REJECT")))
    # dockerd lets nothing through that is not Docker's.
    return [*found, *(("filter", "FORWARD", (way, network, "-j", "ACCEPT")) for network in (PODS, NODES) for way in ("-s", "-d"))]


def policy_rules() -> list[Rule]:
    """Return the rules that hand the first packets of pods' connections to the network policies' program.

    Not its own nftables rules, for which a kernel needs nft's queue expression. What the node's own root processes send, such as a kubelet's
    probes, is exempt. Without the program everything stops: it fails closed.
    """
    return [
        ("mangle", POLICY_CHAIN, ("-m", "conntrack", "--ctstate", "ESTABLISHED,RELATED", "-j", "RETURN")),
        ("mangle", POLICY_CHAIN, ("-m", "owner", "--uid-owner", "0", "-j", "RETURN")),
        *(("mangle", POLICY_CHAIN, (way, PODS, "-j", "NFQUEUE", "--queue-num", str(QUEUE))) for way in ("-s", "-d")),
        ("mangle", "POSTROUTING", ("-j", POLICY_CHAIN)),
    ]  # fmt: skip


def missing(wanted: Sequence[Rule], listing: dict[str, str]) -> list[Rule]:
    """Return those of the rules that no line of the tables' listings (``iptables -S``) bears."""
    return [rule for number, rule in enumerate(wanted) if f"{COMMENT}:{_mark(rule, number)}" not in listing[rule[0]]]


def _mark(rule: Rule, number: int) -> str:
    return f"{rule[1]}-{number}"


def _listing(node: Node) -> dict[str, str]:
    return {table: output([*node.enter(), "iptables", "-w", "-t", table, "-S"]) for table in ("filter", "mangle")}


def _put(node: Node, wanted: Sequence[Rule]) -> None:
    """Put rules that are not there on top of their chain, in their order; all of a chain anew if one is missing, so that the order holds."""
    if not missing(wanted, _listing(node)):
        return
    _take(node, {chain for _table, chain, _match in wanted})
    for table in {rule[0] for rule in wanted}:
        for chain in {rule[1] for rule in wanted if rule[0] == table} - {"INPUT", "OUTPUT", "FORWARD", "POSTROUTING"}:
            run([*node.enter(), "iptables", "-w", "-t", table, "-N", chain], check=False)
    for number, (table, chain, match) in reversed(list(enumerate(wanted))):
        comment = ("-m", "comment", "--comment", f"{COMMENT}:{_mark((table, chain, match), number)}")
        run([*node.enter(), "iptables", "-w", "-t", table, "-I", chain, *match, *comment])


def _take(node: Node, chains: Iterable[str] | None = None) -> None:
    for table, listing in _listing(node).items():
        for line in listing.splitlines():
            words = line.split()
            if words[0] == "-A" and COMMENT in line and (chains is None or words[1] in chains):
                run([*node.enter(), "iptables", "-w", "-t", table, "-D", *(word.strip('"') for word in words[1:])], check=False)


def _links() -> set[str]:
    return {link["ifname"] for link in json.loads(output(["ip", "-j", "link"]))}


def _outside() -> str:
    routes = json.loads(output(["ip", "-j", "-4", "route", "show", "default"]) or "[]")
    return str(routes[0]["dev"]) if routes else ""


def clashes(routes: Sequence[dict[str, str]]) -> list[str]:
    """Return routes of this host (``ip -j route``), not the cluster's own, that lie in one of the cluster's networks."""
    own = [ipaddress.ip_network(network) for network in (NODES, SERVICES, PODS)]
    found = []
    for route in routes:
        if route["dst"] == "default" or route.get("dev") == BRIDGE or route.get("type") == "unreachable" or re.match(r"veth|cni", route.get("dev", "")):
            continue
        if any(ipaddress.ip_network(route["dst"]).overlaps(network) for network in own):
            found.append(route["dst"])
    return found


def ensure_bridge() -> None:
    """Have the nodes' bridge with the host's address. Raises LabError where the host routes one of the cluster's networks elsewhere."""
    if BRIDGE in _links():
        return
    taken = clashes(json.loads(output(["ip", "-j", "-4", "route", "show"])))
    if taken:
        raise LabError(f"the cluster needs {NODES}, {SERVICES} and {PODS}, and this host has routes to {', '.join(taken)}")
    run(["ip", "link", "add", BRIDGE, "type", "bridge"])
    run(["ip", "addr", "add", f"{HOST}/{NODES.partition('/')[2]}", "dev", BRIDGE])
    run(["ip", "link", "set", BRIDGE, "up"])


def ensure_rules(node: Node) -> None:
    """Have the rules on a node. A pod range that no pod has leads nowhere."""
    run([*node.enter(), "sysctl", "-q", "-w", "net.ipv4.ip_forward=1"])
    run([*node.enter(), "ip", "route", "replace", "unreachable", PODS])
    _put(node, rules("" if node.namespace else _outside()))


def ensure_policies(node: Node) -> None:
    """Have a node's network policies asked."""
    _put(node, policy_rules())


def drop(node: Node) -> None:
    """Take back what the cluster put on a node; the bridge too where the node is the host."""
    _take(node)
    for command in (("-t", "mangle", "-F", POLICY_CHAIN), ("-t", "mangle", "-X", POLICY_CHAIN)):
        run([*node.enter(), "iptables", "-w", *command], check=False)
    for table in ("filter", "mangle", "nat"):
        for family in ("iptables", "ip6tables"):
            _drop_chains(node, family, table)
    run([*node.enter(), "ip", "route", "del", "unreachable", PODS], check=False)
    if not node.namespace and BRIDGE in _links():
        run(["ip", "link", "del", BRIDGE])


def _drop_chains(node: Node, family: str, table: str) -> None:
    listing = run([*node.enter(), family, "-w", "-t", table, "-S"], check=False).stdout
    chains = [chain for chain in _KUBELET_CHAINS if f"-N {chain}\n" in listing + "\n"]
    for line in listing.splitlines():
        words = line.split()
        if words[0] == "-A" and any(f"-j {chain}" in line for chain in chains):
            run([*node.enter(), family, "-w", "-t", table, "-D", *words[1:]], check=False)
    for chain in chains:
        run([*node.enter(), family, "-w", "-t", table, "-F", chain], check=False)
        run([*node.enter(), family, "-w", "-t", table, "-X", chain], check=False)
