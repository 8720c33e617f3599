# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m bench``: prints the figures side by side and writes them as JSON."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[1] / "integration" / "release"), str(Path(__file__).parents[1] / "lab")]

from estate import Estate  # noqa: E402
from sgplab import base  # noqa: E402

from . import converged, kubernetes, recovery, releases, today  # noqa: E402

MACHINE = "bench-1"


def main() -> int:
    """Measure; 0 unless something of ours failed a request or lost a write."""
    parser = argparse.ArgumentParser(prog="bench", description="Our figures, beside what a user would do today.")
    parser.add_argument("what", nargs="*", default=["releases", "recovery"], help="releases, recovery (default: both), kubernetes")
    parser.add_argument("--requests", type=int, default=10_000, help="requests to serve for each kind of release (%(default)s)")
    parser.add_argument("--rounds", type=int, default=2, help="how often to and fro, where no load is on (%(default)s)")
    parser.add_argument("--tenants", type=int, default=1000, help="of a cluster, that of KUBECONFIG (%(default)s)")
    arguments = parser.parse_args()
    if set(arguments.what) - {"releases", "recovery", "kubernetes"}:
        parser.error(f"what is {' '.join(arguments.what)}, expected any of releases, recovery, kubernetes")
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - began:6.0f}s  {text}", flush=True)

    held = [_kubernetes(say, arguments.tenants)] if "kubernetes" in arguments.what else []
    if arguments.what == ["kubernetes"]:
        return 0 if all(held) else 1
    say("the machine, its instance and its releases")
    estate = Estate.open(MACHINE, demo=True)
    try:
        held += [_releases(estate, say, arguments.requests, arguments.rounds)] if "releases" in arguments.what else []
        held += [_recovery(estate, say)] if "recovery" in arguments.what else []
    finally:
        estate.close()
    return 0 if all(held) else 1


def _kubernetes(say: Callable[[str], None], tenants: int) -> bool:
    directory = base.cache() / "bench-kubernetes"
    bench = kubernetes.KubernetesBench(say, directory, tenants)
    bench.measure()
    print("\n" + "\n".join(bench.show()))
    _keep(directory / "figures.json", {"seconds": bench.rows, **bench.facts})
    return True


def _recovery(estate: Estate, say: Callable[[str], None]) -> bool:
    bench = recovery.RecoveryBench(estate, say)
    bench.measure()
    print("\n" + "\n".join(bench.show()))
    _keep(estate.state / "bench-recovery.json", {"seconds": bench.seconds, **bench.facts})
    return not bench.facts["load"]["failed"]


def _releases(estate: Estate, say: Callable[[str], None], requests: int, rounds: int) -> bool:
    place = today.Today(estate)
    work = estate.state / "bench"
    try:
        say("every release once, so that its image is there")
        for name in ("one-b", "two", "one-a"):
            estate.runs(name)
        say("a converged release beside an unchanged container")
        unchanged = converged.measure(estate)
        say("converged odoo_release {release:.2f} s, unchanged docker_container {container:.2f} s; "
            "playbook release {playbook:.2f} s, plain tasks {plain:.2f} s".format(**unchanged))
        say("today's way: a copy of the instance in one container")
        place.make()
        rows: dict[str, releases.Seen] = {}
        say("code, today: docker rm, docker run")
        rows["code: docker rm, docker run"] = releases.theirs(estate, work / "today-code", place, False, 4)
        say("update, today: stop, odoo -u, start")
        rows["update: stop, odoo -u, start"] = releases.theirs(estate, work / "today-update", place, True, 2)
        say("bare stop, odoo -u, start, without load")
        bare = releases.bare(place, rounds)
        place.drop()
        say("our update, without load")
        quiet = releases.quiet(estate, rounds)
        for name, names, fails in (
            ("code", ("one-a", "one-b"), ""), ("update", ("one-a", "two"), ""), ("update that is undone", ("one-a", "blank"), "not_ready"),
        ):
            say(f"{name}: odoo_release")
            rows[f"{name}: odoo_release"] = releases.ours(estate, work / name.replace(" ", "-"), names, requests, fails)
    finally:
        place.drop()
    _show(rows, unchanged, bare, quiet)
    _keep(estate.state / "bench-releases.json", {"rows": {name: vars(seen) for name, seen in rows.items()}, "unchanged": unchanged,
                                                 "bare": bare, "quiet": quiet})
    own = [seen for name, seen in rows.items() if name.endswith("odoo_release")]
    return not any(seen.failed or seen.unkept for seen in own)


def _keep(path: Path, figures: dict[str, Any]) -> None:
    path.write_text(json.dumps(figures, indent=1), encoding="utf-8")
    print(f"figures: {os.fspath(path)}")


def _show(rows: dict[str, releases.Seen], unchanged: dict[str, float], bare: list[float], quiet: list[float]) -> None:
    table = [releases.HEADER, *(seen.row(name) for name, seen in rows.items())]
    widths = [max(len(line[column]) for line in table) for column in range(len(releases.HEADER))]
    print()
    for line in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
    for name, seen in rows.items():
        for reason, count in seen.reasons.items():
            print(f"  {name}: {count} x {reason}")
    print(f"\npause of an update without load: {_several(quiet)} s; bare stop, odoo -u, start: {_several(bare)} s; "
          f"ratio {statistics.median(quiet) / statistics.median(bare):.2f}")
    print(f"converged odoo_release {unchanged['release']:.2f} s, unchanged docker_container {unchanged['container']:.2f} s, "
          f"ratio {unchanged['release'] / unchanged['container']:.2f}")
    print(f"converged playbook release {unchanged['playbook']:.2f} s, one with plain tasks (network, web, cron) {unchanged['plain']:.2f} s, "
          f"ratio {unchanged['playbook'] / unchanged['plain']:.2f}")


def _several(values: list[float]) -> str:
    return f"{statistics.median(values):.1f} ({min(values):.1f} to {max(values):.1f})"


if __name__ == "__main__":
    sys.exit(main())
