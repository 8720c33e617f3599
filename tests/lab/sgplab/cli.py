# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's verbs."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from . import certificates, images, machines, stock, template, tools
from .base import LabError
from .cluster import verbs as cluster


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lab", description="Machines, images, certificates and databases for demo and tests.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verb = verbs.add_parser("images", help="make base images that do not exist yet; print their references")
    verb.add_argument("names", nargs="*", metavar="IMAGE", help=f"of {', '.join(images.RECIPES)}; default: {' '.join(images.DEFAULT)}")
    verb = verbs.add_parser("up", help="bring machines up; reuse those that exist")
    verb.add_argument("names", nargs="+", metavar="NAME")
    verb.add_argument("--image", default="debian13", help="image of a new machine (default: %(default)s)")
    verb = verbs.add_parser("down", help="drop machines with all that is in them")
    verb.add_argument("names", nargs="+", metavar="NAME")
    verb = verbs.add_parser("reboot", help="restart machines; /run starts empty")
    verb.add_argument("names", nargs="+", metavar="NAME")
    verb.add_argument("--hard", action="store_true", help="as a power loss does")
    verb = verbs.add_parser("ssh", help="run a command on a machine: lab ssh NAME -- command")
    verb.add_argument("name", metavar="NAME")
    verb.add_argument("command", nargs=argparse.REMAINDER)
    verb = verbs.add_parser("load", help="bring images of this host into a machine's Docker")
    verb.add_argument("name", metavar="NAME")
    verb.add_argument("images", nargs="+", metavar="IMAGE")
    verb = verbs.add_parser("stock", help="have a machine's registry hold an image of this host; print its digest")
    verb.add_argument("name", metavar="NAME")
    verb.add_argument("image", metavar="IMAGE")
    verb.add_argument("--repository", default="odoo-base", help="(default: %(default)s)")
    verbs.add_parser("list", help="print the machines")
    verb = verbs.add_parser("inventory", help="print name to address as JSON")
    verb.add_argument("--ansible", action="store_true", help="a whole Ansible inventory with how to log in")
    verb = verbs.add_parser("cert", help="issue a certificate for names by the lab's authority; print its paths as JSON")
    verb.add_argument("names", nargs="+", metavar="NAME")
    verb.add_argument("--days", type=int, default=825, help="validity; 0 for one that has ended")
    verb = verbs.add_parser("template", help="make a database with modules and demo data once; print its directory")
    verb.add_argument("--series", default="19.0", choices=("19.0", "14.0"))
    verb.add_argument("--modules", default=template.MODULES, help="comma-separated (default: %(default)s)")
    verb = verbs.add_parser("tool", help="build a program that Debian has no package of, once; print its path")
    verb.add_argument("name", choices=sorted(tools.TOOLS))
    cluster.add(verbs.add_parser("cluster", help="a real Kubernetes on this host"))
    return parser


def main(arguments: Sequence[str]) -> int:
    """Run one verb and return the exit code."""
    args = _parser().parse_args(arguments)
    try:
        return _run(args)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1


def _run(args: argparse.Namespace) -> int:
    if args.verb == "images":
        for name in args.names or images.DEFAULT:
            print(f"{name} {images.ensure(name)}")
    elif args.verb == "up":
        machines.up(args.names, args.image)
    elif args.verb == "down":
        machines.down(args.names)
    elif args.verb == "reboot":
        machines.reboot(args.names, hard=args.hard)
    elif args.verb == "ssh":
        return machines.ssh(args.name, args.command[1:] if args.command[:1] == ["--"] else args.command)
    elif args.verb == "load":
        machines.load(args.name, args.images)
    elif args.verb == "stock":
        print(stock.put(args.name, args.image, args.repository))
    elif args.verb == "list":
        for name, machine in machines.inspect().items():
            print(f"{name:20} {machine['address']:15} {machine['image']:15} {'running' if machine['running'] else 'stopped'}")
    elif args.verb == "inventory":
        addresses = {name: machine["address"] for name, machine in machines.inspect().items()}
        print(json.dumps(machines.ansible_inventory() if args.ansible else addresses, indent=2))
    elif args.verb == "cert":
        print(json.dumps(certificates.issue(args.names, args.days), indent=2))
    elif args.verb == "template":
        print(template.ensure(args.series, args.modules.split(",")))
    elif args.verb == "tool":
        print(tools.ensure(args.name))
    elif args.verb == "cluster":
        return cluster.run(args)
    return 0
