# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""In what order a dump is loaded, what of it never, and what a statement that fails says of the dump or of the machine."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._recovery import schema
from ansible_collections.sysgenpro.odoo.plugins.module_utils._recovery.engines import dump, load

LISTED = """;
; Archive created at 2026-11-29
;
3430; 0 0 ENCODING - ENCODING
7; 2615 16385 SCHEMA - ext postgres
2; 3079 16386 EXTENSION - unaccent
3431; 0 0 COMMENT - EXTENSION unaccent
{cron}215; 1259 16390 TABLE public SCHEMA - x
3420; 0 16390 TABLE DATA public work owner
"""
CRON = """3; 3079 16400 EXTENSION - pg_cron
3440; 0 0 COMMENT - EXTENSION pg_cron
3421; 0 16402 TABLE DATA cron job postgres
3422; 0 0 SEQUENCE SET cron jobid_seq postgres
"""
OWN = "300; 1259 16500 TABLE cron job owner\n"


@pytest.mark.parametrize(("more", "left_out"), [("", 0), (CRON, 4), (OWN, 0)])
def test_what_comes_first_and_what_never(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: str, left_out: int) -> None:
    monkeypatch.setattr(dump, "listed", lambda *_arguments: LISTED.format(cron=more))
    stages = load.Stages(None, "/dump", str(tmp_path), 17, 60)  # type: ignore[arg-type]
    stages.split()
    assert [line.split(" - ")[1] for line in Path(stages.first).read_text().splitlines()] == ["ext postgres", "unaccent"]
    rest = Path(stages.rest).read_text()
    assert "TABLE public SCHEMA - x" in rest and "EXTENSION unaccent" in rest and stages.left_out == left_out
    assert ("cron" in rest) is (more == OWN), "a schema of that name which is not pg_cron's is the shop's"


class Server:
    """Takes an alteration from the stage on that it needs."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.ready: set[str] = set()

    @contextmanager
    def session(self) -> Any:
        yield self

    def execute(self, text: str, *_values: Any) -> None:
        self.said.append(text)


def test_what_cannot_be_done_yet_is_tried_before_each_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    server, tried = Server(), []

    def alter(_cursor: Any, alterations: Any) -> list[Any]:
        tried.append([each["statements"][0] for each in alterations])
        return [each for each in alterations if each["statements"][0] not in server.ready]

    monkeypatch.setattr(load.extensions, "alter", alter)
    left = load.staged(server.session, [{"statements": ["one"]}, {"statements": ["two"]}, {"statements": []}], False,
                       lambda: server.ready.add("one"), lambda: server.ready.add("two"), lambda: None)
    assert left == [] and tried == [["one", "two"], ["two"]]


@pytest.mark.parametrize(("statement", "code", "said", "machine"), [
    ("CREATE INDEX x ON public.y USING btree", "42P17", "functions in index expression must be marked IMMUTABLE", False),
    ("CREATE TABLE public.x", "42P17", "generation expression is not immutable", False), ("CREATE VIEW x AS", "42P01", "relation x does not exist", False),
    ("CREATE FUNCTION x", "42710", "function x already exists", False), ("CREATE POLICY x ON y TO z USING", "42704", 'role "z" does not exist', True),
    ("CREATE EXTENSION IF NOT EXISTS unaccent WITH SCHEMA public", "0A000", 'extension "unaccent" is not available', True),
    ("CREATE COLLATION public.x", "42704", "no such locale", True), ("CREATE TABLE x", "53100", "No space left on device", True),
    ("CREATE FUNCTION x", "58P01", 'could not access file "$libdir/x"', True), ("CREATE TABLE x", "57P01", "terminating connection", True),
    ("CREATE TRUSTED LANGUAGE plperl", "42704", "could not open", True), ("SECURITY LABEL FOR anon ON", "22023", "provider is not loaded", True),
    ("CREATE TABLE x", "XX000", "cache lookup failed", True), ("CREATE TABLE x", "53300", "too many connections", True),
])
def test_whether_a_failure_is_the_machines(statement: str, code: str, said: str, machine: bool) -> None:
    assert schema._of_machine(statement, code, said) is machine


def test_a_scratch_database_is_no_instances() -> None:
    from ansible_collections.sysgenpro.odoo.plugins.module_utils._instance.names import DATABASE

    longest = schema.name_of("a" * 40)
    assert len(longest) <= 63 and not DATABASE.fullmatch(longest) and schema.name_of("acme") != schema.name_of("acme-a")


@pytest.mark.parametrize(("available", "expected"), [(["plpgsql", "unaccent"], []), (["plpgsql"], ["unaccent"])])
def test_extensions_that_a_machine_lacks(available: list[str], expected: list[str]) -> None:
    manifest = {"postgresql": {"extensions": {"plpgsql": "1.0", "unaccent": "1.1", "pg_cron": "1.6"}}}
    assert schema.missing_extensions(manifest, available) == expected and schema.missing_extensions({"postgresql": {}}, available) == []


@pytest.mark.parametrize(("code", "said", "expected"), [
    ("load_failed", "functions in index expression must be marked IMMUTABLE", True), ("load_failed", "generation expression is not immutable", True),
    ("load_failed", "relation x does not exist", False), ("program_killed", "immutable", False)])
def test_what_is_tried_of_a_point_without_notes(code: str, said: str, expected: bool) -> None:
    assert load.lacks_immutable(DomainError(code, said)) is expected
