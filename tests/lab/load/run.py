# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run: all tenants at once, until it is told to stop."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import secrets
import threading
from typing import Any

from .config import Config
from .realtime import Realtime
from .records import Records, Summary, summarise
from .verify import Kept, verify
from .work import Work

RECORDS = "requests.jsonl"
RESULT = "result.json"


async def run(
    config: Config, directory: str, stopping: asyncio.Event, records: Records, started: threading.Event | None = None
) -> dict[str, Kept]:
    """Work until ``stopping``, then see what the writes left. Requests under way are waited for.

    :param directory: gets ``result.json``, and holds the stream of ``records``.
    :param started: set once everyone is logged in and at work.
    :raises RuntimeError: when a tenant cannot be worked on at all.
    """
    name = f"load-{secrets.token_hex(4)}"
    works = [Work(config, tenant, records, name, stopping) for tenant in config.tenants]
    try:
        await asyncio.gather(*(work.open() for work in works))
        realtimes = [
            Realtime(work, stopping) for work in works for _ in range(work.tenant.pace.realtime_users)
        ]
        jobs = [asyncio.ensure_future(person) for work in works for person in work.people()]
        jobs += [asyncio.ensure_future(realtime.run()) for realtime in realtimes]
        if started:
            started.set()
        stop = asyncio.ensure_future(stopping.wait())
        await asyncio.wait([stop, *jobs], return_when=asyncio.FIRST_COMPLETED)  # a job ends early only by an error
        stopping.set()
        for realtime in realtimes:
            await realtime.stop()
        await asyncio.gather(*jobs)
        seen = records.all()
        kept = {work.tenant.name: await verify(work, seen) for work in works}
    finally:
        for work in works:
            await work.browser.close()
    _write(os.path.join(directory, RESULT), {
        "tenants": {
            tenant.name: {
                **summarise(seen, tenant.name).as_dict(), "kept": dataclasses.asdict(kept[tenant.name]),
            }
            for tenant in config.tenants
        },
    })
    return kept


class BackgroundLoad:
    """A run beside the test that uses it, in a thread of its own."""

    def __init__(self, config: Config, directory: str) -> None:
        self._config = config
        self._directory = directory
        self._stream = open(os.path.join(directory, RECORDS), "w", encoding="utf-8")  # noqa: SIM115
        self._thread = threading.Thread(target=self._main, name="load")
        self._started = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._error: BaseException | None = None
        self.records = Records(self._stream)
        self.kept: dict[str, Kept] = {}

    def __enter__(self) -> BackgroundLoad:
        self._thread.start()
        self._started.wait()
        if self._error:
            self._thread.join()
            raise self._error
        return self

    def __exit__(self, *_exc: Any) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop working, wait for what is under way, and count what the writes left in ``kept``.

        :raises RuntimeError: what ended the run early.
        """
        if self._thread.is_alive() and self._loop and self._stopping:
            self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()
        self._stream.close()
        if self._error:
            error, self._error = self._error, None
            raise error

    def summary(self, tenant: str | None = None, since: float | None = None, until: float | None = None) -> Summary:
        """What the requests so far come to."""
        return summarise(self.records.all(), tenant, since, until)

    def _main(self) -> None:
        async def main() -> None:
            self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
            self.kept = await run(self._config, self._directory, self._stopping, self.records, self._started)

        try:
            asyncio.run(main())
        except BaseException as error:  # handed to whoever waits in the other thread
            self._error = error
        finally:
            self._started.set()


def _write(path: str, value: dict[str, Any]) -> None:
    with open(path + ".tmp", "w", encoding="utf-8") as stream:
        json.dump(value, stream, indent=2, ensure_ascii=False)
    os.replace(path + ".tmp", path)
