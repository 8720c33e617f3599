# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a dump is left out. That PostgreSQL then loads the rest is in tests/integration/recovery/test_import_cluster.py."""

from __future__ import annotations

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._instance.left_out import (
    FOREIGN,
    LANGUAGES,
    MONITORING,
    Gone,
    by_words,
    without_leakproof,
)


@pytest.mark.parametrize(("text", "kind"), [
    (b"CREATE PUBLICATION p FOR ALL TABLES WITH (publish = 'insert');", "replication"), (b"ALTER PUBLICATION p ADD TABLE ONLY public.x;", "replication"),
    (b"CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p WITH (connect = false);", "replication"),
    (b"CREATE EVENT TRIGGER e ON sql_drop EXECUTE FUNCTION public.f();", "event_triggers"), (b"ALTER EVENT TRIGGER e ENABLE ALWAYS;", "event_triggers"),
    (b"CREATE FOREIGN DATA WRAPPER w;", "foreign"), (b"CREATE SERVER s FOREIGN DATA WRAPPER w;", "foreign"), (b"CREATE USER MAPPING FOR a SERVER s;", "foreign"),
    (b"CREATE FOREIGN TABLE public.x (id integer)\nSERVER s;", "foreign"), (b"ALTER FOREIGN TABLE ONLY public.x ALTER COLUMN id OPTIONS (a 'b');", "foreign"),
    (b"IMPORT FOREIGN SCHEMA a FROM SERVER s INTO b;", "foreign"), (b"CREATE EXTENSION IF NOT EXISTS dblink WITH SCHEMA public;", "foreign"),
    (b"CREATE EXTENSION IF NOT EXISTS plpython3u WITH SCHEMA pg_catalog;", "languages"), (b"CREATE OR REPLACE PROCEDURAL LANGUAGE plperlu;", "languages"),
    (b"CREATE EXTENSION IF NOT EXISTS pgaudit WITH SCHEMA public;", "monitoring"), (b"CREATE EXTENSION IF NOT EXISTS pg_cron WITH SCHEMA pg_catalog;", "monitoring"),
    (b"CREATE EXTENSION IF NOT EXISTS unaccent WITH SCHEMA public;", ""), (b"CREATE EXTENSION IF NOT EXISTS vector WITH SCHEMA public;", ""),
    (b"SET default_tablespace = fast;", "tablespaces"), (b"SET default_tablespace = 'fast';", "tablespaces"), (b"SET default_tablespace = '';", ""),
    (b"ALTER INDEX ALL IN TABLESPACE a SET TABLESPACE b;", "tablespaces"), (b"ALTER TABLE public.x SET TABLESPACE fast;", "tablespaces"),
    (b"SET default_table_access_method = heap;", ""), (b"SET default_table_access_method = columnar;", "access_methods"),
    (b"ALTER TABLE public.x SET ACCESS METHOD columnar;", "access_methods"), (b"CREATE ACCESS METHOD m TYPE TABLE HANDLER h;", "access_methods"),
    (b"CREATE ROLE a;", "roles"), (b"ALTER USER a SET x = 1;", "roles"), (b"ALTER SYSTEM SET x = 1;", "databases"), (b"ALTER DATABASE d SET x = 1;", "databases"),
    (b"SELECT * FROM pg_catalog.pg_restore_relation_stats('version', '180000'::integer);", "statistics"),
    (b"ALTER TABLE public.x FORCE ROW LEVEL SECURITY;", "policies"), (b"ALTER TABLE public.x ENABLE ROW LEVEL SECURITY;", ""),
    (b"COMMENT ON EVENT TRIGGER e IS 'x';", "comments"), (b"COMMENT ON LARGE OBJECT 1 IS 'x';", "comments"), (b"COMMENT ON TABLE public.publication IS 'x';", ""),
    (b"CREATE TABLE public.server (id integer);", ""), (b"CREATE TABLE public.publication (name text DEFAULT 'CREATE SUBSCRIPTION x');", ""),
    (b"ALTER TABLE ONLY public.x REPLICA IDENTITY FULL;", ""), (b"CREATE STATISTICS public.s ON a, b FROM public.x;", ""),
    (b"SELECT pg_catalog.lo_create('4711');", ""), (b"INSERT INTO public.x VALUES ('ALTER TABLE x SET TABLESPACE y;');", ""),
])
def test_by_its_words(text: bytes, kind: str) -> None:
    assert by_words(text) == kind


@pytest.mark.parametrize("name", [*MONITORING, *FOREIGN, *LANGUAGES])
def test_every_extension_is_left_out_whole(name: str) -> None:
    text = f'CREATE EXTENSION IF NOT EXISTS "{name}" WITH SCHEMA ext;'.encode()
    assert by_words(text) in ("monitoring", "foreign", "languages")


GONE = (b"CREATE EXTENSION IF NOT EXISTS pg_cron WITH SCHEMA pg_catalog;", b"CREATE FOREIGN TABLE public.remote (id integer) SERVER s;", b"CREATE SCHEMA public;",
        b'CREATE OPERATOR CLASS public."Mine" FOR TYPE integer USING btree AS OPERATOR 1 <;')


@pytest.mark.parametrize(("text", "state", "kind"), [
    (b"COPY cron.job (jobid) FROM stdin;", "3F000", "hanging"), (b"SELECT pg_catalog.setval('cron.jobid_seq', 5, true);", "42P01", "hanging"),
    (b"INSERT INTO cron.job VALUES (1);", "3F000", "hanging"), (b"ALTER TABLE cron.job ENABLE ROW LEVEL SECURITY;", "3F000", "hanging"),
    (b"COMMENT ON COLUMN public.remote.id IS 'x';", "42P01", "hanging"), (b"CREATE INDEX i ON public.x USING btree (id public.\"Mine\");", "42704", "hanging"),
    (b"CREATE TABLE cron.more (id integer);", "3F000", "hanging"),
    # Odoo's own: whatever it names, whatever the answer.
    (b"COPY public.job (remote) FROM stdin;", "42P01", ""), (b"CREATE TABLE public.sale (id integer DEFAULT public.remote());", "42883", ""),
    (b"INSERT INTO public.sale VALUES ('remote');", "42P01", ""), (b"COPY public.sale (id) FROM stdin;", "42501", ""),
    # Another failure than that something is not here.
    (b"CREATE INDEX i ON public.x USING btree (remote);", "23505", ""), (b"CREATE VIEW public.v AS SELECT 1 FROM public.other;", "42P01", ""),
    # Not what pg_dump writes.
    (b"COPY public.remote TO PROGRAM 'x';", "42501", ""), (b"DO $$ BEGIN PERFORM remote(); END $$;", "42883", ""), (b"SELECT public.remote();", "42883", ""),
    # Only for a superuser.
    (b"CREATE CAST (integer AS text) WITH INOUT AS IMPLICIT;", "42501", "casts"), (b"CREATE OPERATOR FAMILY public.f USING btree;", "42501", "operator_classes"),
    (b"CREATE TEXT SEARCH PARSER public.p (start = a);", "42501", "text_search"), (b"CREATE TEXT SEARCH DICTIONARY public.d (template = x);", "F0000", "text_search"),
    (b"CREATE FUNCTION public.f() RETURNS integer\n    LANGUAGE plpython3u\n    AS 'x';", "42704", "languages"),
    (b"CREATE FUNCTION public.f() RETURNS integer\n    LANGUAGE c\n    AS '$libdir/x', 'f';", "42501", "languages"),
    (b"CREATE FUNCTION public.f() RETURNS integer\n    LANGUAGE plpgsql\n    AS 'x';", "42501", ""), (b"CREATE POLICY p ON public.x TO a USING (true);", "42704", "policies"),
    (b"CREATE TRANSFORM FOR jsonb LANGUAGE plpython3u (FROM SQL WITH FUNCTION a(internal));", "42704", "languages"), (b"CREATE DEFAULT CONVERSION c FOR 'a' TO 'b' FROM f;", "42501", "encodings"),
    (b"CREATE EXTENSION IF NOT EXISTS postgis WITH SCHEMA public;", "0A000", ""), (b"CREATE EXTENSION IF NOT EXISTS postgis WITH SCHEMA public;", "42501", ""),
    (b"SET default_with_oids = false;", "42704", "settings"), (b"SET client_encoding = 'NONE';", "22023", ""), (b"SET search_path = x;", "42501", ""),
    (b"DROP TABLE public.x;", "42P01", "drops"), (b"ALTER TABLE ONLY public.x DROP CONSTRAINT y;", "42P01", "drops"),
])
def test_by_what_postgresql_answers(text: bytes, state: str, kind: str) -> None:
    gone = Gone()
    for each in GONE:
        gone.add(each)
    assert gone.by_answer(text, state) == kind


def test_what_hangs_on_a_cast_names_it_nowhere() -> None:
    view = b"CREATE VIEW public.v AS SELECT 1 FROM x WHERE id = name;"
    gone = Gone()
    assert gone.by_answer(view, "42883") == ""
    gone.add(b"CREATE CAST (integer AS text) WITH INOUT AS IMPLICIT;")
    assert gone.by_answer(view, "42883") == "hanging" and gone.by_answer(b"CREATE TABLE public.t (id integer CHECK (id = 'x'));", "42883") == ""


@pytest.mark.parametrize(("text", "expected"), [
    (b"CREATE FUNCTION public.f(text) RETURNS text\n    LANGUAGE sql IMMUTABLE LEAKPROOF\n    AS $_$select 'leakproof'$_$;",
     b"CREATE FUNCTION public.f(text) RETURNS text\n    LANGUAGE sql IMMUTABLE\n    AS $_$select 'leakproof'$_$;"),
    (b"CREATE FUNCTION public.f(text) RETURNS text\n    LANGUAGE sql\n    AS $_$select 'leakproof'$_$;", None), (b"CREATE TABLE leakproof ();", None)])
def test_leakproof(text: bytes, expected: bytes | None) -> None:
    assert without_leakproof(text) == expected
