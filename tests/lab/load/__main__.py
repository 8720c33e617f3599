# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m load``: exits with 1 when a request failed or a write was lost, doubled or damaged."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys

from .config import Config
from .records import Records, summarise
from .run import RECORDS, run


async def _main(config: Config, directory: str, duration: float | None) -> int:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stopping.set)
    if duration:
        loop.call_later(duration, stopping.set)
    with open(os.path.join(directory, RECORDS), "w", encoding="utf-8") as stream:
        records = Records(stream)
        kept = await run(config, directory, stopping, records)
    good = True
    for tenant in config.tenants:
        total, found = summarise(records.all(), tenant.name), kept[tenant.name]
        print(f"{tenant.name}: {total.requests} requests, {total.failed} failed, p50 {total.p50} s, p99 {total.p99} s, "
              f"longest wait {total.longest} s ({total.longest_kind}), {total.together} waited together at most, closes {total.closes}")
        for reason, count in total.reasons.items():
            print(f"  {count} x {reason}")
        print(f"  {found.written} writes: {len(found.lost)} lost, {len(found.duplicated)} doubled, "
              f"{len(found.damaged)} damaged {found.unknown}".rstrip())
        good = good and not total.failed and found.whole
    return 0 if good else 1


def main() -> None:
    """Parse the arguments and run."""
    parser = argparse.ArgumentParser(prog="load", description=__doc__)
    parser.add_argument("--config", required=True, help="JSON file; see config.py")
    parser.add_argument("--out", required=True, help="directory for requests.jsonl and result.json")
    ending = parser.add_mutually_exclusive_group(required=True)
    ending.add_argument("--duration", type=float, help="seconds")
    ending.add_argument("--until-stopped", action="store_true", help="until SIGTERM or SIGINT")
    arguments = parser.parse_args()
    os.makedirs(arguments.out, exist_ok=True)
    try:
        config = Config.read(arguments.config)
    except (OSError, ValueError) as error:
        sys.exit(f"{arguments.config}: {error}")
    try:
        code = asyncio.run(_main(config, arguments.out, arguments.duration))
    except RuntimeError as error:
        sys.exit(str(error))
    sys.exit(code)


if __name__ == "__main__":
    main()
