# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a dump is cut into statements, whatever the pieces in which it is read."""

from __future__ import annotations

import io

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._instance import script
from ansible_collections.sysgenpro.odoo.plugins.module_utils._instance.script import Script, Statement
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from hypothesis import given
from hypothesis import strategies as st


def cut(text: bytes, piece: int = 1 << 20, size: int = 1 << 16) -> list[bytes | tuple[bytes, bytes]]:
    """Statements; those with rows together with them."""
    stream = io.BytesIO(text)
    found: list[bytes | tuple[bytes, bytes]] = []
    reader = Script(lambda wanted: stream.read(min(piece, wanted)))
    for statement in reader.statements():
        if not statement.copy:
            found.append(statement.text)
            continue
        rows, read = reader.rows(), b""
        while True:
            data = rows.read(size)
            if not data:
                break
            assert len(data) <= size
            read += data
        found.append((statement.text, read))
    return found


PIECES: list[tuple[str, bytes, list[bytes | tuple[bytes, bytes]]]] = [
    ("none", b"", []), ("blanks", b" \n;\n ; -- a; comment\n", []), ("two", b"select 1;select 2;\n", [b"select 1;", b"select 2;"]),
    ("a string", b"select 'a;''b\\';select 2;", [b"select 'a;''b\\';", b"select 2;"]),
    ("an escaped string", b"select E'a\\';''\\\\';select 2;", [b"select E'a\\';''\\\\';", b"select 2;"]),
    ("a name that ends in e", b"select type'a\\';select 2;", [b"select type'a\\';", b"select 2;"]),
    ("a quoted name", b'create table "a;b\'" ();select 2;', [b'create table "a;b\'" ();', b"select 2;"]),
    ("a dollar string", b"do $$ begin; 'x end $$;do $a$ ; $$ ; $a$;", [b"do $$ begin; 'x end $$;", b"do $a$ ; $$ ; $a$;"]),
    ("a dollar in a name", b"select a$b$ from x;select 2;", [b"select a$b$ from x;", b"select 2;"]),
    ("a parameter", b"prepare p as select $1;select 2;", [b"prepare p as select $1;", b"select 2;"]),
    ("comments", b"-- it's\n/* ; /* ' */ ; */ select /* ; */ 1; -- x\n", [b"select /* ; */ 1;"]),
    ("a rule", b"create rule r as on insert to x do (select 1; select 2);select 3;", [b"create rule r as on insert to x do (select 1; select 2);", b"select 3;"]),
    ("a body", b"create or replace function f() returns int begin atomic select case when true then 1 end; select 2; end;select 3;",
     [b"create or replace function f() returns int begin atomic select case when true then 1 end; select 2; end;", b"select 3;"]),
    ("begin elsewhere", b"begin;select 1;end;", [b"begin;", b"select 1;", b"end;"]),
    ("restrict", b"\\restrict a1\n\nselect 1;\n\\unrestrict a1\n", [b"select 1;"]),
    ("rows", b"COPY public.x (a, b) FROM stdin;\n1\ta;'b\n2\t\\\\.\n\\.\n\n\nselect 2;", [(b"COPY public.x (a, b) FROM stdin;", b"1\ta;'b\n2\t\\\\.\n"), b"select 2;"]),
    ("no rows", b"copy x from stdin;\n\\.\nselect 2;", [(b"copy x from stdin;", b""), b"select 2;"]),
    ("rows to the end", b"copy x from stdin;\n1\n\\.", [(b"copy x from stdin;", b"1\n")]),
    ("rows of Windows", b"copy x from stdin;\r\n1\r\n\\.\r\n", [(b"copy x from stdin;", b"1\r\n")]),
    ("a long row", b"copy x from stdin;\n" + b"y" * 70000 + b"\n\\.\nselect 1;", [(b"copy x from stdin;", b"y" * 70000 + b"\n"), b"select 1;"]),
]


@pytest.mark.parametrize("piece", [1, 2, 7, 1 << 20])
@pytest.mark.parametrize(("text", "expected"), [row[1:] for row in PIECES], ids=[row[0] for row in PIECES])
def test_cut(text: bytes, expected: list[bytes | tuple[bytes, bytes]], piece: int) -> None:
    if len(text) > 10000 and piece < 7:
        piece = 4099
    for size in (1, 3, 1 << 16) if len(text) < 10000 else (1 << 16,):
        assert cut(text, piece, size) == expected


@given(st.lists(st.sampled_from([row[1:] for row in PIECES if row[0] not in ("rows to the end", "none")]), max_size=6), st.integers(1, 300))
def test_one_after_the_other(parts: list[tuple[bytes, list[bytes]]], piece: int) -> None:
    text = b"\n".join(part[0] for part in parts)
    if len(text) > 10000:
        piece *= 1000
    assert cut(text, piece) == [statement for part in parts for statement in part[1]]


@pytest.mark.parametrize("line", [b"1\n", b"\\\\.\n", b"a\\\\.\n", b"\\N\t\\N\n", b"\n", b"x\\n\\.y\n"])
@given(piece=st.integers(1, 9), size=st.integers(1, 9), count=st.integers(0, 9))
def test_rows_come_whole(line: bytes, piece: int, size: int, count: int) -> None:
    assert cut(b"copy x from stdin;\n" + line * count + b"\\.\nselect 1;", piece, size) == [(b"copy x from stdin;", line * count), b"select 1;"]


@pytest.mark.parametrize(("text", "words"), [
    (b"select 1", "within a statement"), (b"select 'a", "within a string"), (b"select E'a\\'", "within a string"), (b"do $a$ x $$", "within a string"),
    (b'select "a', "within a string"), (b"/* /* */", "within a comment"), (b"copy x from stdin;", "before the rows"),
    (b"copy x from stdin;\n1\n", "within the rows"), (b"copy x from stdin;\n1\n\\", "within the rows"), (b"copy x from stdin; select 1;\n", "same line"),
    (b"\\! touch /tmp/x\n", "command of psql"), (b"select 1 \\gexec\n", "command of psql"), (b"select 1\n\\restrict x\n;", "command of psql"),
    (b"\\restrict x; \\! id\n\\! id\n", "command of psql"), (b"\\connect other\n", "command of psql"), (b"\\unrestrictx\n", "command of psql"),
    (b"SET standard_conforming_strings = off;\n", "backslashes of old")])
def test_malformed(text: bytes, words: str) -> None:
    for piece in (1, 1 << 20):
        with pytest.raises(DomainError, match=words) as caught:
            cut(text, piece)
        assert caught.value.code == "dump_malformed"


def test_a_statement_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script, "LONGEST", 1 << 20)
    with pytest.raises(DomainError, match="more than 1 MiB"):
        list(Script(lambda size: b"x" * size).statements())


@pytest.mark.parametrize(("text", "kind"), [
    (b"ALTER TABLE public.res_users OWNER TO odoo;", "owners"), (b'ALTER FUNCTION public.f(a integer) OWNER TO "p shop";', "owners"),
    (b"ALTER TABLE ONLY public.x ALTER COLUMN id SET DEFAULT nextval('public.x_id_seq'::regclass);", ""),
    (b"GRANT ALL ON TABLE x TO y;", "privileges"), (b"revoke all on schema public from public;", "privileges"),
    (b"ALTER DEFAULT PRIVILEGES FOR ROLE a GRANT SELECT ON TABLES TO b;", "privileges"),
    (b"COMMENT ON EXTENSION unaccent IS 'x';", "comments"), (b"COMMENT ON SCHEMA public IS 'x';", "comments"), (b"COMMENT ON TABLE x IS 'y';", ""),
    (b"CREATE SCHEMA public;", "databases"), (b"CREATE SCHEMA mine;", ""), (b"CREATE DATABASE x;", "databases"), (b"CREATE TABLE databases ();", ""),
    (b"SET SESSION AUTHORIZATION 'x';", "sessions"), (b"RESET ROLE;", "sessions"), (b"SET search_path = x;", ""),
    (b"SET transaction_timeout = 0;", "timeouts"), (b"SET default_tablespace = '';", ""),
    (b"CREATE EXTENSION IF NOT EXISTS pg_stat_statements WITH SCHEMA public;", "monitoring"), (b"CREATE EXTENSION IF NOT EXISTS pg_trgm;", ""),
    (b"CREATE TABLE public.grants (id integer);", ""), (b"SELECT pg_catalog.set_config('search_path', '', false);", "")])
def test_what_is_left_out(text: bytes, kind: str) -> None:
    assert Statement(text).left_out == kind


def test_a_title_shows_no_value() -> None:
    assert Statement(b"INSERT INTO res_users VALUES ('secret');").title == "INSERT INTO res_users VALUES"
    assert Statement(b"SELECT 'secret';").title == "SELECT"
