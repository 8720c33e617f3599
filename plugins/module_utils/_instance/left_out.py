# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a dump belongs to the cluster or to the superuser that it comes from, and what hangs on that. Pure.

Three ways lead here. By its words, as owners or publications (``by_words``). By what PostgreSQL answers to somebody who is no superuser, as a cast between
built-in types (``by_answer``). And by what was left out before: what names it and finds nothing there hangs on it (``Gone``). Odoo's own data never does:
a table in a schema that is here, and its rows, are loaded or the import fails.
"""

from __future__ import annotations

import re

# Extensions that only watch a cluster, or keep what belongs to it as a whole: pg_cron's jobs are one database's for all.
MONITORING = ("pg_stat_statements", "pg_stat_kcache", "pg_stat_monitor", "pg_qualstats", "pg_buffercache", "pg_wait_sampling", "pg_cron", "hypopg", "pgaudit",
              "pgauditlogtofile", "pageinspect", "pg_visibility", "pg_freespacemap", "pgstattuple", "amcheck", "pgrowlocks", "pg_walinspect", "pg_surgery",
              "pg_prewarm", "pg_repack", "pg_squeeze", "adminpack", "old_snapshot", "pg_hint_plan", "pg_profile", "powa", "pg_track_settings", "pglogical",
              "pglogical_origin", "pg_logicalinspect", "pg_tle", "set_user", "credcheck", "login_hook", "sslinfo", "xml2", "pgagent", "pg_show_plans")
# Those that reach other servers, files or programs, and the languages that can.
FOREIGN = ("dblink", "postgres_fdw", "file_fdw", "oracle_fdw", "mysql_fdw", "tds_fdw", "mongo_fdw", "sqlite_fdw", "redis_fdw", "ogr_fdw",
           "jdbc_fdw", "parquet_s3_fdw",
           "multicorn", "wrappers", "http", "pg_net", "aws_s3", "aws_commons", "aws_lambda", "azure_storage", "google_ml_integration", "pgq", "plproxy")
LANGUAGES = ("plpython3u", "plpython2u", "plpythonu", "plperlu", "pltclu", "plsh", "pljava", "plr", "plrust", "jsonb_plpython3u", "jsonb_plperlu",
             "hstore_plpython3u", "hstore_plperlu", "ltree_plpython3u")
# Where an extension keeps its things under another name than its own.
_NAMES = {"pg_cron": ("cron",), "pg_net": ("net",), "pg_repack": ("repack",), "pg_tle": ("pgtle",), "adminpack": ("pg_file_", "pg_logdir_ls"),
          "pageinspect": ("get_raw_page", "page_header", "bt_", "heap_page"), "pg_squeeze": ("squeeze",)}


def _extension(names: tuple[str, ...]) -> str:
    return r"create\s+extension\s+(if\s+not\s+exists\s+)?\"?({})\"?[\s;].*".format("|".join(names))


_BY_WORDS = tuple((kind, re.compile(pattern.encode(), re.IGNORECASE | re.DOTALL)) for kind, pattern in (
    ("owners", r"alter\s.{1,2000}\sowner\s+to\s+[^;]{1,200};"),
    ("foreign", r"((create|alter|drop)\s+(user\s+mapping|server|foreign)|import\s+foreign\s+schema|comment\s+on\s+(server|foreign))\s.*"),
    ("roles", r"((create|alter|drop)\s+(role|user|group)|reassign\s+owned|drop\s+owned|comment\s+on\s+role)\s.*"),
    ("privileges", r"(grant|revoke|alter\s+default\s+privileges|security\s+label)\s.*"),
    ("comments", r"comment\s+on\s+(extension|database|schema\s+\"?public\"?|event\s+trigger|publication|subscription|cast|language|access\s+method"
                 r"|operator\s+(class|family)|procedural\s+language|tablespace|large\s+object|transform|conversion)\s.*"),
    ("databases", r"((create|alter|drop)\s+database|(create|drop)\s+schema\s+(if\s+(not\s+)?exists\s+)?\"?public\"?\s*;|alter\s+system)\s*.*"),
    ("sessions", r"(re)?set\s+(local\s+|session\s+)?(role|session\s+authorization)\b.*"),
    ("timeouts", r"set\s+\w+_timeout\s*(=|to)\s.*"),
    ("tablespaces", r"(set\s+default_tablespace\s*(=|to)\s*(?!\s|'')[^;]+;|(create|alter|drop)\s+tablespace\s.*"
                    r"|alter\s+(table|index|materialized\s+view)\s[^;']{1,500}\sset\s+tablespace\s[^;]+;)"),
    ("access_methods", r"(set\s+default_table_access_method\s*(=|to)\s*(?!\s|['\"]?heap\b)[^;]+;|create\s+access\s+method\s.*"
                       r"|alter\s+(table|materialized\s+view)\s[^;']{1,500}\sset\s+access\s+method\s+(?!\s|\"?heap\b)[^;]+;)"),
    ("replication", r"(create|alter|drop)\s+(publication|subscription)\s.*"),
    ("event_triggers", r"(create|alter|drop)\s+event\s+trigger\s.*"),
    ("policies", r"alter\s+table\s[^;']{1,500}\sforce\s+row\s+level\s+security\s*;"),
    ("statistics", r"select\s+(\*\s+from\s+)?(pg_catalog\.)?pg_(restore|clear)_\w+_stats\b.*"),
    ("monitoring", _extension(MONITORING)),
    ("foreign", _extension(FOREIGN)),
    ("languages", "|".join((_extension(LANGUAGES), r"create\s+(or\s+replace\s+)?(trusted\s+)?(procedural\s+)?language\s.*",
                            r"(alter|drop)\s+(procedural\s+)?language\s.*"))),
))
# What only a superuser may make, or an owner of what is built in: left out where PostgreSQL says so.
_BY_ANSWER = tuple((kind, re.compile(pattern.encode(), re.IGNORECASE)) for kind, pattern in (
    ("casts", r"create\s+cast\b"), ("operator_classes", r"(create|alter)\s+operator\s+(class|family)\b"), ("types", r"(create|alter)\s+type\b"),
    ("text_search", r"(create|alter)\s+text\s+search\b"), ("languages", r"create\s+(or\s+replace\s+)?transform\b"),
    ("encodings", r"create\s+(default\s+)?conversion\b"),
    ("policies", r"(create|alter)\s+policy\b"), ("comments", r"comment\s+on\b"),
))
_ROUTINE = re.compile(rb"(?:create|alter)\s+(?:or\s+replace\s+)?(?:function|procedure|aggregate)\b", re.IGNORECASE)
_LANGUAGE = re.compile(rb"\blanguage\s+'?\"?(\w+)", re.IGNORECASE)
_SETTING = re.compile(rb"set\s+(?!standard_conforming_strings|client_encoding|check_function_bodies|search_path)", re.IGNORECASE)
# Of a dump that first takes away what it makes (pg_dump --clean): in a new database nothing is there.
_DROPS = re.compile(rb"drop\s|alter\s+table\s[^;']{1,500}\s(drop\s+constraint|alter\s+column\s[^;']{1,200}\sdrop\s)", re.IGNORECASE)
# SQLSTATE: something is not here (undefined_*, invalid_schema_name, feature_not_supported, undefined_file, config_file_error) …
_NOT_HERE = {"42P01", "42883", "42704", "3F000", "42703", "42809", "42846", "42804", "0A000", "58P01", "F0000", "42601", "22023"}
# … or somebody may not do that (insufficient_privilege, wrong owner).
_FORBIDDEN = {"42501"}

_KINDS = (rb"extension|foreign\s+data\s+wrapper|server|foreign\s+table|function|procedure|aggregate|language|access\s+method|text\s+search\s+\w+"
          rb"|operator\s+class|operator\s+family|type|domain|materialized\s+view|view|table|sequence|schema|collation")
_MADE = re.compile(rb"create\s+(?:or\s+replace\s+)?(?:(?:recursive|trusted|procedural|unlogged)\s+)*(?:" + _KINDS
                   + rb")\s+(?:if\s+not\s+exists\s+)?((?:\"[^\"]+\"|[\w$\x80-\xff]+)(?:\.(?:\"[^\"]+\"|[\w$\x80-\xff]+))?)", re.IGNORECASE)
# A table of its own, or rows: never left out but where the table itself, or its schema, was.
_DATA = re.compile(rb"(?:create\s+(?:unlogged\s+)?table\s+(?:if\s+not\s+exists\s+)?|copy\s+|insert\s+into\s+|update\s+(?:only\s+)?"
                   rb"|delete\s+from\s+(?:only\s+)?)"
                   rb"((?:\"[^\"]+\"|[\w$\x80-\xff]+)(?:\.(?:\"[^\"]+\"|[\w$\x80-\xff]+))?)", re.IGNORECASE)
# What a dump has that makes objects or settings; anything else that fails, as a DO block or a COPY to a program, is not what pg_dump writes.
_OBJECTS = re.compile(rb"(create|alter|comment|set|refresh|copy|insert|drop)\s|select\s+(pg_catalog\.)?setval\b", re.IGNORECASE)
_VIEW = re.compile(rb"create\s+(or\s+replace\s+)?(materialized\s+)?view\b", re.IGNORECASE)
_TO_PROGRAM = re.compile(rb"copy\s.*\b(to|program)\b", re.IGNORECASE | re.DOTALL)


def by_words(text: bytes) -> str:
    """Why a statement is left out, whatever PostgreSQL would say; empty where it is not."""
    return next((kind for kind, pattern in _BY_WORDS if pattern.fullmatch(text)), "")


class Gone:
    """What was left out so far, by the names that others may call it."""

    def __init__(self) -> None:
        self._names: set[bytes] = set()
        self._casts = False

    def add(self, text: bytes) -> None:
        """A statement that was left out."""
        self._casts = self._casts or bool(re.match(rb"create\s+cast\b", text, re.IGNORECASE))
        made = _MADE.match(text)
        if not made:
            return
        name = _parts(made.group(1))[-1]
        if name in (b"public", b"pg_catalog"):
            return
        if re.match(rb"create\s+extension\b", text, re.IGNORECASE):
            for each in _NAMES.get(name.decode(errors="replace"), (name.decode(errors="replace"),)):
                self._names.add(re.escape(each.encode()) + rb"\w*" if each == name.decode(errors="replace") or each.endswith("_") else re.escape(each.encode()))
        else:
            self._names.add(re.escape(name))

    def named_in(self, text: bytes) -> bool:
        """Whether a statement names something that was left out."""
        if not self._names:
            return False
        return bool(re.search(rb"(?<![\w$])(?:" + b"|".join(sorted(self._names)) + rb")(?![\w$])", text))

    def by_answer(self, text: bytes, state: str) -> str:
        """Why a statement that PostgreSQL refused with SQLSTATE ``state`` is left out; empty where the import fails of it."""
        if state not in _NOT_HERE | _FORBIDDEN or not _OBJECTS.match(text) or _TO_PROGRAM.match(text):
            return ""
        data = _DATA.match(text)
        if data:
            return "hanging" if any(self.named_in(part) for part in _parts(data.group(1))) else ""
        if _ROUTINE.match(text):
            language = _LANGUAGE.search(text)
            if language and language.group(1).lower() not in (b"sql", b"plpgsql"):
                return "languages"
        head = text[:64 << 10]
        if state in _NOT_HERE and (self.named_in(head) or (self._casts and _VIEW.match(text))):
            return "hanging"
        if _SETTING.match(text):
            return "settings"
        if state in _NOT_HERE and _DROPS.match(text):
            return "drops"
        return next((kind for kind, pattern in _BY_ANSWER if pattern.match(text)), "")


def without_leakproof(text: bytes) -> bytes | None:
    """A function without the word that only a superuser may say; None where it does not say it."""
    if not _ROUTINE.match(text):
        return None
    head, body, rest = text.partition(b"\n    AS ")
    changed = re.sub(rb"\s(not\s+)?leakproof\b", b"", head, flags=re.IGNORECASE)
    return changed + body + rest if changed != head else None


def _parts(name: bytes) -> list[bytes]:
    """Schema, where there is one, and name, without quotes."""
    return [part.strip(b'"') for part in re.findall(rb"\"[^\"]+\"|[^.\"]+", name)]
