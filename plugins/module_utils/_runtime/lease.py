# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nobody on another node works on the same instance.

On one node the lock of the instance's state (``_kernel.journal.locked``) tells. A node that is cut off may work on while somebody gave its toolbox up and
another node began a new one, and the lock that it holds may be forgotten with it. So whoever works holds a Lease beside, keeps it young, and ends where it no
longer can.

Protocol: https://kubernetes.io/docs/concepts/architecture/leases/, optimistic by ``resourceVersion``.
"""

from __future__ import annotations

import copy
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import datetime, timezone
from typing import Any, NoReturn

from .._kernel.errors import DomainError
from .._kernel.wait import clock
from .._kubernetes.api import Api, ApiError
from .._kubernetes.kinds import KINDS
from .._kubernetes.labels import MANAGED_BY

NAME = "operation"
SECONDS = 180
"""For which a Lease holds after it was last renewed: longer than an API server that restarts is waited for (``api.PATIENCE``)."""
RENEW = 10
"""Seconds between two renewals."""
STOP = SECONDS - 15
"""Seconds without a renewal after which its holder ends, before anybody may take it."""
SKEW = 15
"""Seconds by which the clocks of two nodes may differ."""
LOOK = 2
# RFC 3339 with microseconds, as the API's MicroTime.
_MOMENT = "%Y-%m-%dT%H:%M:%S.%fZ"


def ended_by_force(sentence: str) -> NoReturn:
    """End this process as a kill would: what is written down lets the next run go on. Nothing is undone, since somebody else may be at work."""
    sys.stderr.write(sentence + "\n")
    sys.stderr.flush()
    os._exit(1)


class Lease:
    """One instance's.

    :param node: on which this runs. :param process: which of those of all times on that node this is, such as its pod's uid.
    :param lost: what is done, with a sentence, when it can no longer be held; it does not return.
    """

    def __init__(self, api: Api, namespace: str, node: str, process: str, lost: Callable[[str], NoReturn] = ended_by_force) -> None:
        self.api, self.namespace, self.node, self.lost = api, namespace, node, lost
        self.holder = f"{node}/{process}"
        self._version = ""
        self._renewed = 0.0

    @contextmanager
    def held(self, lock: AbstractContextManager[None]) -> Iterator[None]:
        """Take it with the instance's lock, keep it young meanwhile, and let go of it.

        A holder on this node is no more where the lock is free, which the node's kernel keeps. One on another node is waited for until its Lease ends, and
        the lock is asked for only then: a network's file system keeps that of a node that is gone for a while.

        :raises DomainError: ``locked``, where somebody on another node keeps it young, or by the lock.
        """
        self._wait()
        with lock:
            while not self._taken():
                self._wait()
            before, self.api.unauthorized = self.api.unauthorized, self._no_more
            done = threading.Event()
            keeper = threading.Thread(target=self._keep, args=(done,), daemon=True)
            keeper.start()
            try:
                yield
            finally:
                self.api.unauthorized = before
                done.set()
                keeper.join(RENEW)
                with suppress(DomainError):  # it ends by itself
                    self._write("")

    def _wait(self) -> None:
        """Until nobody on another node holds it."""
        young = ""
        while True:
            spec = (self.api.get("Lease", self.namespace, NAME) or {}).get("spec") or {}
            holder, renewed = str(spec.get("holderIdentity") or ""), str(spec.get("renewTime") or "")
            left = _left(renewed) if holder and holder.partition("/")[0] != self.node else 0
            if left <= 0:
                return
            if young and renewed != young:
                raise DomainError("locked", "another toolbox works on this instance, on the node {}".format(holder.partition("/")[0]),
                                  unchanged="Nothing was changed", advice="Wait for it to end. Where that node is lost, its Lease ends by itself")
            young = renewed
            clock.sleep(min(max(left, 0.2), RENEW + LOOK))

    def _taken(self) -> bool:
        found = self.api.get("Lease", self.namespace, NAME) or self._made()
        self._version = str(((found or {}).get("metadata") or {}).get("resourceVersion") or "")
        return found is not None and self._write(self.holder)

    def _made(self) -> dict[str, Any] | None:
        """None where somebody else has just made it."""
        try:
            return self.api.create({"apiVersion": KINDS["Lease"].api, "kind": "Lease",
                                    "metadata": {"name": NAME, "namespace": self.namespace, "labels": dict(MANAGED_BY)},
                                    "spec": {"leaseDurationSeconds": SECONDS}})
        except ApiError as error:
            if error.status != 409:
                raise
            return None

    def _write(self, holder: str, api: Api | None = None) -> bool:
        """Have it say who holds it from now on; false where somebody else wrote to it meanwhile."""
        began, now = clock.monotonic(), datetime.fromtimestamp(clock.time(), timezone.utc)
        try:
            found = (api or self.api).merge("Lease", self.namespace, NAME, {
                "metadata": {"resourceVersion": self._version}, "spec": {"holderIdentity": holder, "renewTime": now.strftime(_MOMENT)}})
        except ApiError as error:
            if error.status not in (404, 409):
                raise
            return False
        self._version, self._renewed = str(found["metadata"]["resourceVersion"]), began
        return True

    def _keep(self, done: threading.Event) -> None:
        api = copy.copy(self.api)
        api.patience = RENEW / 2  # it asks again by itself
        while not done.wait(RENEW):
            try:
                held = self._write(self.holder, api) or self._is_ours(api)
            except DomainError:
                held = clock.monotonic() - self._renewed < STOP
            if not held and not done.is_set():
                self._no_more()

    def _no_more(self) -> NoReturn:
        """Also where the API knows this account no more: its token ends with its pod, so somebody gave that up."""
        self.lost("this toolbox no longer holds the Lease {}/{}: it was given up, or cut off from the cluster's API for {} s. "
                  "Run the same command again: it finishes or undoes what was begun".format(self.namespace, NAME, STOP))

    def _is_ours(self, api: Api) -> bool:
        """Whether only somebody wrote to it who does not work here, such as by hand."""
        found = api.get("Lease", self.namespace, NAME)
        if found is None or (found.get("spec") or {}).get("holderIdentity") != self.holder:
            return False
        self._version = str(found["metadata"]["resourceVersion"])
        return self._write(self.holder, api)


def _left(renewed: str) -> float:
    """Seconds until a Lease that was last renewed then has ended for certain."""
    try:
        moment = datetime.strptime(renewed, _MOMENT).replace(tzinfo=timezone.utc)
    except ValueError:
        return 0
    return moment.timestamp() + SECONDS + SKEW - clock.time()
