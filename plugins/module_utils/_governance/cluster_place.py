# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where governance lies in a cluster: in the Secret ``governance`` of the instance's namespace, mounted in its toolbox.

Whoever runs something in the namespace could mount something else there, or nothing. So the namespace itself, which nobody in it can write, bears the
fingerprint of what counts, and the API is asked for that each time.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable
from pathlib import Path

from .._kernel.errors import DomainError
from .._kernel.files import read_text
from .._kubernetes.api import Api, ApiError
from .._kubernetes.labels import GOVERNED
from .moments import utc_now
from .place import FILES, KEPT, PLACE, Governance, assembled, fingerprint, found, json_of

# Well-known: https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/
OWN_NAMESPACE = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"


def here() -> Governance | None:
    """What governs the machine, or the toolbox, that runs this. :raises DomainError: those of ``found`` and of ``found_in``."""
    namespace = read_text(OWN_NAMESPACE) if os.environ.get("KUBERNETES_SERVICE_HOST") else None
    return found_in(Api.open(), namespace.strip()) if namespace else found()


def found_in(api: Api, namespace: str, directory: str = PLACE, kept: str = KEPT, clock: Callable[[], datetime.datetime] = utc_now) -> Governance | None:
    """What is there; None where the namespace is not governed.

    :param api: by which the release itself is carried out, so that there is one cluster which both speak of.
    :raises DomainError: ``governance_unsafe``, ``governance_incomplete``, ``bad_input``; ``governance_unknown`` where the namespace cannot be asked.
    """
    mark = _mark(api, namespace)
    texts = {name: text for name in _names(directory) if (text := _text(os.path.join(directory, name))) is not None}
    if not mark and "policy.json" not in texts:
        return None
    lacks = [name for name in FILES if name not in texts]
    if lacks:
        raise _incomplete(f"{directory} of this pod has no {lacks[0]}, and the namespace {namespace} is governed")
    if not mark:
        raise _incomplete(f"{directory} of this pod has a policy, and the namespace {namespace} does not say that it is governed")
    shown = fingerprint(texts)
    if shown != mark:
        raise DomainError("governance_unsafe", f"{directory} of this pod cannot be believed: it has {shown}, and the namespace {namespace} says {mark}",
                          unchanged="Nothing was changed",
                          advice="Where the playbook governance ran just now, wait two minutes, until the pod sees it, and run "
                          "the same command again; otherwise run that playbook for this instance, and find out who changed it")
    keys = json_of("keys.json", _text(os.path.join(directory, "keys.json")) or "{}")
    calendars = {name: text for name, text in texts.items() if name.endswith(".ics")}
    return assembled(texts, calendars, keys, os.path.join(directory, "ledger_key"), kept, clock)


def _names(directory: str) -> list[str]:
    """The files that count. Keys are not among them: they may be changed without anything else being."""
    try:
        return [*FILES, *sorted(path.name for path in Path(directory).iterdir() if path.name.endswith((".ics", ".crt")))]
    except FileNotFoundError:
        return []


def _text(path: str) -> str | None:
    """As it is, letter by letter: calendars end their lines with two."""
    try:
        with open(path, encoding="utf-8", newline="") as stream:
            return stream.read()
    except FileNotFoundError:
        return None


def _mark(api: Api, namespace: str) -> str:
    try:
        told = api.get("Namespace", None, namespace) or {}
    except ApiError as error:
        raise DomainError("governance_unknown", f"whether the namespace {namespace} is governed cannot be asked: {error.message}",
                          unchanged="Nothing was changed", advice="Run the site playbook for this instance, which lets its toolbox look at its own namespace") \
            from error
    return str((told.get("metadata") or {}).get("annotations", {}).get(GOVERNED) or "")


def _incomplete(what: str) -> DomainError:
    return DomainError("governance_incomplete", what, unchanged="Nothing was changed",
                       advice="Run the playbook site and then governance for this instance, and release from its toolbox")
