# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release and its record: what an image says about itself (docs/reference/release-record.md)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .._kernel.errors import DomainError
from .._kernel.plan import digest_of

FORMAT = 1

# The name part of Docker's reference grammar (distribution/reference, reference.go), in lower case, with a host that
# is always written out; a tag is refused on purpose, since what a tag names can change.
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_HOST = r"(?:localhost|[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+|\[[0-9A-Fa-f:]+\]|[A-Za-z0-9-]+(?=:[0-9]))(?::[0-9]{1,5})?"
_REFERENCE = re.compile(
    rf"(?P<registry>{_HOST})/(?P<repository>{_COMPONENT}(?:/{_COMPONENT})*)@(?P<digest>sha256:[0-9a-f]{{64}})"
)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_SERIES = re.compile(r"[0-9]+\.[0-9]+")


@dataclass(frozen=True)
class Reference:
    """An image by digest: ``registry/repository@digest``."""

    registry: str
    repository: str
    digest: str

    def __str__(self) -> str:
        return f"{self.registry}/{self.repository}@{self.digest}"


def parse_reference(text: str) -> Reference:
    """Read ``host:5000/odoo@sha256:…``.

    :raises DomainError: ``not_a_digest`` for a tag, a short digest or anything else.
    """
    found = _REFERENCE.fullmatch(text) if isinstance(text, str) else None
    if not found:
        raise DomainError(
            "not_a_digest",
            f"{text!r} names no image by digest: expected <registry>/<repository>@sha256:<64 hex digits>",
            unchanged="Nothing was changed",
            advice="Take the reference that build wrote to the releases file; a tag can move and is not accepted",
        )
    return Reference(found["registry"], found["repository"], found["digest"])


@dataclass(frozen=True)
class Module:
    """One Odoo module in the image.

    :param schema: digest of what an update (``-u``) would carry into the database, 32 hex digits.
    :param code: digest of all else, 32 hex digits.
    :param parts: short digests of the pieces of ``schema`` by name (``manifest``, ``data`` …); only to give reasons.
    :param triggers: of one that installs itself, which of its dependencies have to be installed for that, where these are not all of them.
    :param countries: lower-case codes of the countries that one which installs itself is for; empty for all.
    :param lacks: Python packages and programs that its manifest asks for and the image has not.
    :param i18n: digest of the translations by language as the file is called (``fr``, ``pt_BR``), 16 hex digits.
    """

    version: str
    depends: tuple[str, ...]
    installable: bool
    auto_install: bool
    schema: str
    code: str
    parts: Mapping[str, str] = field(default_factory=dict)
    i18n: Mapping[str, str] = field(default_factory=dict)
    triggers: tuple[str, ...] | None = None
    countries: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Record:
    """What ``usr/share/sysgenpro/release.json`` says.

    :param series: ``19.0``.
    :param digests: version of the rules by which module digests were taken; digests of two versions do not compare.
    :param addons_path: directories in the image, in the order Odoo searches them.
    :param command: how Odoo is started in the image.
    :param wkhtmltopdf: its version, or None where the image has none.
    :param raw: the mapping as read. Only it goes into digests, so keys of later formats keep the id stable.
    """

    series: str
    digests: int
    source: Mapping[str, Any]
    addons_path: tuple[str, ...]
    command: tuple[str, ...]
    wkhtmltopdf: str | None
    modules: Mapping[str, Module]
    raw: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The short name its source gave it, such as ``r3``; empty where it gave none."""
        return str(self.source.get("name", ""))

    @property
    def languages(self) -> tuple[str, ...]:
        """Codes of the languages that its Odoo knows; empty where the record is of before that was noted."""
        return tuple(self.raw.get("languages") or ())

    @classmethod
    def parse(cls, value: Any) -> Record:
        """Check a mapping and type it.

        :raises DomainError: ``malformed_record``, naming the field and what was expected.
        """
        record = _mapping(value, "the record")
        if record.get("format") != FORMAT or isinstance(record.get("format"), bool):
            raise _malformed("format", f"{FORMAT}", record.get("format"))
        series = _text(record, "series", "")
        if not _SERIES.fullmatch(series):
            raise _malformed("series", "a series such as 19.0", series)
        digests = record.get("digests")
        if not isinstance(digests, int) or isinstance(digests, bool) or digests < 1:
            raise _malformed("digests", "a whole number from 1", digests)
        wkhtmltopdf = record.get("wkhtmltopdf")
        if wkhtmltopdf is not None and not isinstance(wkhtmltopdf, str):
            raise _malformed("wkhtmltopdf", "a version or null", wkhtmltopdf)
        command = _texts(record, "command", "")
        if not command:
            raise _malformed("command", "at least one word", record.get("command"))
        if "languages" in record:
            _texts(record, "languages", "")
        modules = _mapping(record.get("modules"), "modules")
        if "base" not in modules:
            raise _malformed("modules", "at least the module base", sorted(modules)[:3])
        return cls(
            series=series,
            digests=digests,
            source=_mapping(record.get("source"), "source"),
            addons_path=_texts(record, "addons_path", ""),
            command=command,
            wkhtmltopdf=wkhtmltopdf,
            modules={name: _module(name, entry) for name, entry in modules.items()},
            raw=record,
        )


@dataclass(frozen=True)
class Release:
    """An image digest and the record inside that image.

    :param reference: ``registry/repository@digest`` it was or would be pulled by; not part of the id, since the same
        image may lie in several registries.
    """

    image_digest: str
    reference: str
    record: Record

    def __post_init__(self) -> None:
        if not _DIGEST.fullmatch(self.image_digest):
            raise _malformed("image", "sha256:<64 hex digits>", self.image_digest)

    @property
    def id(self) -> str:
        """``sha256:`` of the canonical JSON of both."""
        return digest_of({"image": self.image_digest, "record": self.record.raw})


def parse_record(content: bytes) -> Record:
    """Read the record from its file's bytes.

    :raises DomainError: ``malformed_record``.
    """
    try:
        value = json.loads(content.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        message = f"the release record is no JSON: {error}"
        raise DomainError("malformed_record", message, unchanged="Nothing was changed", advice=_ADVICE) from error
    return Record.parse(value)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


def _module(name: str, value: Any) -> Module:
    where = f"modules.{name}"
    entry = _mapping(value, where)
    for key in ("installable", "auto_install"):
        if not isinstance(entry.get(key), bool):
            raise _malformed(f"{where}.{key}", "true or false", entry.get(key))
    return Module(
        version=_text(entry, "version", where),
        depends=_texts(entry, "depends", where),
        installable=entry["installable"],
        auto_install=entry["auto_install"],
        schema=_hex(entry.get("schema"), 32, where + ".schema"),
        code=_hex(entry.get("code"), 32, where + ".code"),
        parts=_digests(entry.get("parts", {}), 8, where + ".parts"),
        i18n=_digests(entry.get("i18n", {}), 16, where + ".i18n"),
        triggers=_texts(entry, "triggers", where) if "triggers" in entry else None,
        countries=_texts(entry, "countries", where) if "countries" in entry else (),
        lacks=_texts(entry, "lacks", where) if "lacks" in entry else (),
    )


def _mapping(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise _malformed(name, "a mapping", value)
    return dict(value)


def _text(entry: Mapping[str, Any], key: str, where: str) -> str:
    value = entry.get(key)
    if not isinstance(value, str) or not value:
        raise _malformed(".".join(filter(None, (where, key))), "a text", value)
    return value


def _texts(entry: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    value = entry.get(key)
    if not isinstance(value, (list, tuple)) or not all(isinstance(item, str) and item for item in value):
        raise _malformed(".".join(filter(None, (where, key))), "a list of texts", value)
    return tuple(value)


def _hex(value: Any, length: int, name: str) -> str:
    if not isinstance(value, str) or not re.fullmatch(f"[0-9a-f]{{{length}}}", value):
        raise _malformed(name, f"{length} hex digits", value)
    return value


def _digests(value: Any, length: int, name: str) -> dict[str, str]:
    return {key: _hex(item, length, f"{name}.{key}") for key, item in _mapping(value, name).items()}


_ADVICE = "Build the release again with the role odoo_image, and name its new digest"


def _malformed(name: str, expected: str, found: Any) -> DomainError:
    shown = repr(found)
    return DomainError(
        "malformed_record",
        "the release record's field {} should be {}, not {}".format(
            name, expected, shown if len(shown) <= 60 else shown[:57] + "..."
        ),
        unchanged="Nothing was changed",
        advice=_ADVICE,
        field=name,
    )
