# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A build's documents about its image: SBOM and provenance, signed where the builder has a key."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from typing import Any

from .._documents.signing import Signer
from .._governance.moments import utc_now, written
from .._governance.signers import PRINCIPAL, ROLES
from .._governance.statements import sealed
from .._kernel.errors import bad_input
from .._kernel.plan import canonical_json
from . import digests, provenance, sbom
from .record import Reference


class Describing:
    """:param params: of ``odoo_image``. :raises DomainError: ``bad_input``."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        self.key, self.by = str(params.get("key") or ""), str(params.get("by") or "")
        self.materials: Mapping[str, Any] = params.get("materials") or {}
        self.began = written(utc_now())
        if bool(self.key) != bool(self.by):
            raise bad_input("by" if self.key else "key", None, "a value, since key and by are given together")
        if self.by and not PRINCIPAL.fullmatch(self.by):
            raise bad_input("by", self.by, "a name as in the list of signers, such as build@example.com")
        for name, one in self.materials.items():
            if not isinstance(one, Mapping):
                raise bad_input(f"materials.{name}", one, "what odoo_source returned of it")

    @property
    def line(self) -> str:
        """The builder's line for the list of signers; empty where it has no key."""
        public = self._signer("build").public if self.key else ""
        return f'{self.by} namespaces="{ROLES["build"]},{ROLES["image"]}" {public}' if public else ""

    def documents(self, image: Reference, record: Mapping[str, Any], contents: Mapping[str, Any], docker: str, afterwards: bool = False) -> dict[str, bytes]:
        """By name, as ``attached.KINDS`` has them.

        :param contents: what ``contents.py`` said in the image. :param docker: version of the daemon. :param afterwards: as ``provenance.Build`` has it.
        :raises DomainError: ``not_signed``, ``no_key``.
        """
        now = written(utc_now())
        build = provenance.Build(platform.node(), {"python": platform.python_version(), "docker": docker, "rules": str(digests.VERSION)}, self.materials,
                                 self.began, now, afterwards)
        found = provenance.statements(image, record["source"], sbom.bill(image, record, contents, now), build)
        if not self.key:
            return {f"{name}.json": canonical_json(value).encode() for name, value in found.items()}
        os.makedirs(os.path.dirname(self.key) or ".", mode=0o700, exist_ok=True)
        signer = self._signer("build")
        signer.make_key()
        signed = {f"{name}.dsse.json": canonical_json(sealed(value, signer.sign, self.by)).encode() for name, value in found.items()}
        return {**signed, "image.sig": self._signer("image").sign(image.digest).encode()}

    def _signer(self, role: str) -> Signer:
        return Signer(self.key, signs="builds", namespace=ROLES[role])
