# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verbs of ``lab cluster``."""

from __future__ import annotations

import argparse
import json

from . import end, images, life, programs, services, where
from .place import DEFAULT, SECOND


def add(parser: argparse.ArgumentParser) -> None:
    """Add the verbs to the parser of ``lab cluster``."""
    verbs = parser.add_subparsers(dest="cluster_verb", required=True)
    verb = verbs.add_parser("up", help="bring the cluster up, or start what of it does not run")
    verb.add_argument("--name", default=DEFAULT, help="(default: %(default)s)")
    verb.add_argument("--second-node", action="store_true", help=f"with a node {SECOND.name} beside the host")
    verb.add_argument("--edge", action="store_true", help="with two pods of Traefik in the namespace edge")
    verbs.add_parser("down", help="drop the cluster with all that is in it")
    verbs.add_parser("kubeconfig", help="print the path of the administrator's kubeconfig")
    verb = verbs.add_parser("kubectl", help="run kubectl as the administrator: lab cluster kubectl -- get pods")
    verb.add_argument("command", nargs=argparse.REMAINDER)
    verbs.add_parser("programs", help="build the cluster's programs that do not exist yet; print their directory")
    verb = verbs.add_parser("load", help="bring images of this host's Docker into the nodes")
    verb.add_argument("images", nargs="+", metavar="IMAGE", help=f"any, or made by the lab: {', '.join(images.FROM_DEBIAN)}")
    verb = verbs.add_parser("stock", help="have the cluster's registry hold an image; print its reference by digest")
    verb.add_argument("image", metavar="IMAGE", help="of the lab, such as odoo-19.0, or any of this host's Docker")
    verb.add_argument("--repository", default="odoo-base", help="(default: %(default)s)")
    verbs.add_parser("services", help="have a PostgreSQL and a Redis run in the cluster; print where they are as JSON")
    verbs.add_parser("where", help="print where everything of it is as JSON; an inventory asks that")
    verb = verbs.add_parser("cut", help="pull a node's cable out")
    verb.add_argument("node", metavar="NODE")
    verb = verbs.add_parser("join", help="plug a node's cable in again")
    verb.add_argument("node", metavar="NODE")
    verb = verbs.add_parser("stop", help="end one of the cluster's programs, such as kube-apiserver, until the next up")
    verb.add_argument("program", metavar="PROGRAM")
    verbs.add_parser("list", help="print the cluster, its nodes and its programs")


def run(args: argparse.Namespace) -> int:
    """Run one verb and return the exit code."""
    if args.cluster_verb == "up":
        life.up(args.name, second=args.second_node, edge=args.edge)
    elif args.cluster_verb == "down":
        end.down()
    elif args.cluster_verb == "kubeconfig":
        print(life.the().admin)
    elif args.cluster_verb == "kubectl":
        return life.kubectl(args.command[1:] if args.command[:1] == ["--"] else args.command)
    elif args.cluster_verb == "programs":
        print(programs.ensure())
    elif args.cluster_verb == "load":
        life.load(args.images)
    elif args.cluster_verb == "stock":
        print(life.stock(args.image, args.repository))
    elif args.cluster_verb == "services":
        print(json.dumps(services.ensure(life.the()), indent=2))
    elif args.cluster_verb == "where":
        print(json.dumps(where.facts(life.the()), indent=2))
    elif args.cluster_verb in ("cut", "join"):
        life.cut(args.node, on=args.cluster_verb == "join")
    elif args.cluster_verb == "stop":
        life.stop(args.program)
    elif args.cluster_verb == "list":
        print("\n".join(life.listing()))
    return 0
