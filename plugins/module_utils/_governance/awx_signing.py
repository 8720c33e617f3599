# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operation behind ``awx_decisions``, and its way to AWX' API."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.parse
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.urls import open_url

from .._documents.signing import Signer
from .._kernel.errors import DomainError, bad_input
from .._kernel.plan import Plan, Step, digest_of
from .awx import Get, Workflow
from .place import check_instance
from .signers import AWX, PRINCIPAL
from .statements import sealed

SECONDS = 30
# An answer longer than that is none that is asked for here.
MOST = 8 * 1024 * 1024


class AwxApi:
    """Reads AWX' API (``/api/v2/``) with a token.

    :param ca_path: file with the certificate authority to trust; None for the system's.
    """

    def __init__(self, host: str, token: str, ca_path: str | None = None) -> None:
        self.host, self._token, self._ca_path = host.rstrip("/"), token, ca_path
        if urllib.parse.urlsplit(self.host).scheme not in ("http", "https"):
            raise bad_input("controller_host", host, "an address such as https://awx.example.com")
        try:
            ssl.create_default_context(cafile=ca_path)
        except OSError as error:
            raise bad_input("ca_path", ca_path, f"a file with a certificate authority ({error.strerror or error})") from None

    def get(self, path: str) -> Mapping[str, Any]:
        """:raises DomainError: ``awx_unreachable``."""
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/json"}
        try:
            with open_url(f"{self.host}/api/v2/{path}", headers=headers, timeout=SECONDS, ca_path=self._ca_path) as answer:
                value = json.loads(answer.read(MOST))
        except (OSError, ValueError) as error:
            said = f"{error.code} {error.reason}" if isinstance(error, urllib.error.HTTPError) else str(error)
            raise DomainError("awx_unreachable", f"{self.host} does not answer for /api/v2/{path}: {said}", unchanged="Nothing was signed",
                              advice="Look at the address and the token of the AWX credential, then run the same again") from None
        if not isinstance(value, dict):
            raise DomainError("awx_unreachable", f"{self.host} answers for /api/v2/{path} with something else than an object", unchanged="Nothing was signed",
                              advice="Look at the address of the AWX credential, then run the same again")
        return value


class AwxSigning:
    """Signs what was decided in the workflow that a job of AWX belongs to. Its plan has a step for each decision, since a signature is made each time."""

    writes = True

    def __init__(self, params: Mapping[str, Any], get: Get | None = None) -> None:
        instance = check_instance(str(params["instance"] or ""))
        if not PRINCIPAL.fullmatch(str(params["signer"])):
            raise bad_input("signer", params["signer"], "the name that AWX' key has in the list of signers, such as awx@example.com")
        if not str(params["job"]).isdigit():
            raise bad_input("job", params["job"], "the number of this job, which AWX puts into its environment as JOB_ID")
        if params["hours"] < 1:
            raise bad_input("hours", params["hours"], "1 or more")
        self.key = params["key"]
        ask = get or AwxApi(params["controller_host"], params["controller_oauthtoken"], params["ca_path"]).get
        self.decisions = Workflow(params["job"], ask, params["controller_host"].rstrip("/"), params["signer"]).decided(instance, params["hours"])

    def plan(self) -> Plan:
        steps = tuple(Step("sign", f"Sign that {one.by} {one.verdict} as {one.role}") for one in self.decisions)
        shown = [one.statement()["predicate"] for one in self.decisions]
        return Plan(steps, {}, {"decisions": shown}, {"statements": digest_of(shown)})

    def perform(self, plan: Plan, timings: dict[str, float]) -> Mapping[str, Any]:
        del plan, timings
        signer = Signer(self.key, signs="decisions of AWX", namespace=AWX)
        return {"envelopes": [sealed(one.statement(), signer.sign) for one in self.decisions]}

    def facts(self) -> Mapping[str, Any]:
        return {"decisions": [one.as_dict() for one in self.decisions]}
