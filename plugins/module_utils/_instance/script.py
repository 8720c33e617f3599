# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A dump in plain SQL, as a stream of statements. Pure.

No psql reads it: in a file whose maker is not believed, psql's backslash commands would be a shell as whoever runs it. So the script is cut into
statements by PostgreSQL's lexical rules (its manual, "Lexical Structure") as psql does, and what belongs to another cluster is left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from .._kernel.errors import DomainError
from .left_out import by_words

CHUNK = 1 << 20
# Longest statement that is taken, in bytes; PostgreSQL itself takes 1 GiB.
LONGEST = 256 << 20

_WORD = rb"A-Za-z0-9_$\x80-\xff"
# What matters outside of strings and comments.
_TOKEN = re.compile(
    rb"(?P<comment>--[^\n]*)|(?P<block>/\*)|(?P<escape>(?<![" + _WORD + rb"])[eE]')|(?P<string>')|(?P<quoted>\")"
    rb"|(?P<dollar>(?<![" + _WORD + rb"])\$(?:[A-Za-z_\x80-\xff][A-Za-z0-9_\x80-\xff]*)?\$)|(?P<end>;)|(?P<open>\()|(?P<close>\))|(?P<command>\\)"
    rb"|(?P<word>(?<![" + _WORD + rb"])(?:begin|case|end)(?![" + _WORD + rb"]))", re.IGNORECASE)
_IN_BLOCK = re.compile(rb"/\*|\*/")
_IN_ESCAPE = re.compile(rb"\\.|''|'", re.DOTALL)
_ROUTINE = re.compile(rb"create\s+(or\s+replace\s+)?(function|procedure)\b", re.IGNORECASE)
_COPY = re.compile(rb"copy\s.*\bfrom\s+stdin\b", re.IGNORECASE | re.DOTALL)
_END = re.compile(rb"\\\.\r?(?:\n|\Z)")
# psql's commands that pg_dump writes since its 17.6.
_HARMLESS = re.compile(rb"\\(un)?restrict\b[^\n]*")

_OFF = re.compile(rb"set\s+standard_conforming_strings\s*(=|to)\s*'?off\b", re.IGNORECASE)


@dataclass
class Statement:
    """One statement, with its semicolon.

    :param copy: whether rows follow, which ``Script.rows`` reads.
    """

    text: bytes
    copy: bool = False

    @property
    def left_out(self) -> str:
        """Why it is not carried out; empty where it is."""
        return by_words(self.text)

    @property
    def title(self) -> str:
        """Its beginning without any value, for an error."""
        return " ".join(re.split(rb"['(\n;]", self.text, maxsplit=1)[0][:120].decode(errors="replace").split())


class Script:
    """Cuts a stream into statements.

    :param read: gives at most so many bytes, none at the end.
    """

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._source = read
        self._buffer = b""
        self._start = 0
        self._ended = False
        # Whether rows that are read next are at the start of a line.
        self._fresh = False

    def _more(self) -> bool:
        """Read on; what was used is forgotten. False at the end."""
        chunk = b"" if self._ended else self._source(CHUNK)
        self._ended = not chunk
        self._buffer = self._buffer[self._start:] + chunk
        self._start = 0
        if len(self._buffer) > LONGEST + CHUNK:
            raise malformed(f"it has a statement of more than {LONGEST >> 20} MiB")
        return bool(chunk)

    def statements(self) -> Iterator[Statement]:
        """In order. The rows of a COPY must be read before the next one is asked for.

        :raises DomainError: ``dump_malformed``.
        """
        while True:
            text = self._statement()
            if text is None:
                return
            if _OFF.match(text):
                raise malformed("it has strings with backslashes of old (standard_conforming_strings = off)")
            copy = bool(_COPY.match(text))
            if copy:
                self._to_next_line()
            yield Statement(text, copy)

    # -- one statement --------------------------------------------------------------------------

    def _statement(self) -> bytes | None:
        # Positions count from the statement's start, since reading on moves the buffer.
        at, depth, blocks, routine = 0, 0, 0, None
        while True:
            kind, begin, at = self._token(at)
            before = self._buffer[self._start:self._start + begin]
            if not kind:
                if before.strip():
                    raise malformed("it ends within a statement")
                return None
            if kind in ("comment", "block", "command") and not before.strip():
                if kind == "command":
                    at = self._command(begin)
                self._start, at = self._start + at, 0
            elif kind == "command":
                self._command(begin, harmless=False)
            elif kind in ("open", "close"):
                depth = max(0, depth + (1 if kind == "open" else -1))
            elif kind == "word":
                if routine is None:
                    routine = bool(_ROUTINE.match(before[:200].lstrip()))
                if routine:
                    word = self._buffer[self._start + begin:self._start + at].lower()
                    blocks = max(0, blocks + (-1 if word == b"end" else 1 if blocks or word == b"begin" else 0))
            elif kind == "end" and not depth and not blocks:
                self._start, at = self._start + at, 0
                if before.strip():
                    return before.strip() + b";"

    def _token(self, at: int) -> tuple[str, int, int]:
        """The next thing that matters, where it begins and ends; no kind at the stream's end.

        Only strings and comments go over a line's end, so nothing is looked for in a line that is not read to its end.
        """
        while True:
            limit = len(self._buffer) if self._ended else self._buffer.rfind(b"\n") + 1
            found = _TOKEN.search(self._buffer, min(self._start + at, limit), limit)
            if found is None:
                at = max(at, limit - self._start)
                if not self._more() and at >= len(self._buffer) - self._start:
                    return "", at, at
                continue
            kind, begin, end = str(found.lastgroup), found.start() - self._start, found.end() - self._start
            if kind == "block":
                end = self._block(end)
            elif kind in ("string", "quoted", "dollar"):
                end = self._find(found.group(), end)
            elif kind == "escape":
                end = self._escaped(end)
            return kind, begin, end

    def _find(self, what: bytes, at: int) -> int:
        while True:
            found = self._buffer.find(what, self._start + at)
            if found >= 0:
                return found - self._start + len(what)
            at = max(at, len(self._buffer) - self._start - len(what) + 1)
            if not self._more():
                raise malformed("it ends within a string")

    def _escaped(self, at: int) -> int:
        while True:
            found = _IN_ESCAPE.search(self._buffer, self._start + at)
            if found is None or (found.end() == len(self._buffer) and not self._ended):
                at = found.start() - self._start if found else max(at, len(self._buffer) - self._start - 1)
                if not self._more() and found is None:
                    raise malformed("it ends within a string")
                continue
            at = found.end() - self._start
            if found.group() == b"'":
                return at

    def _block(self, at: int) -> int:
        depth = 1
        while depth:
            found = _IN_BLOCK.search(self._buffer, self._start + at)
            if found is None:
                at = max(at, len(self._buffer) - self._start - 1)
                if not self._more():
                    raise malformed("it ends within a comment")
                continue
            at = found.end() - self._start
            depth += 1 if found.group() == b"/*" else -1
        return at

    def _command(self, at: int, harmless: bool = True) -> int:
        """A backslash outside of everything is for psql, which does not read this. Returns where its line ends."""
        line = self._buffer[self._start + at:].split(b"\n", 1)[0]
        if not harmless or not _HARMLESS.fullmatch(line.rstrip()):
            raise malformed("it has a command of psql, {!r}, and nothing but SQL is carried out".format(line[:60].decode(errors="replace")))
        return at + len(line)

    # -- rows -----------------------------------------------------------------------------------

    def _to_next_line(self) -> None:
        while b"\n" not in self._buffer[self._start:self._start + 1000]:
            if not self._more():
                raise malformed("it ends before the rows of a table")
        end = self._buffer.index(b"\n", self._start)
        if self._buffer[self._start:end].strip():
            raise malformed("something stands behind a COPY on the same line")
        self._start, self._fresh = end + 1, True

    def rows(self) -> Rows:
        """The rows of the COPY that was given last, as psycopg2 wants them."""
        return Rows(self)

    def take_rows(self, size: int) -> tuple[bytes, bool]:
        """At most ``size`` bytes of rows, and whether no more follow.

        A line ``\\.`` ends them; as data its backslash would be doubled.
        """
        while True:
            if self._fresh:
                end = _END.match(self._buffer, self._start)
                if end and (end.group().endswith(b"\n") or self._ended):
                    self._start = end.end()
                    return b"", True
            if len(self._buffer) - self._start < 4 and not self._ended:
                self._more()
                continue
            if self._start >= len(self._buffer):
                raise malformed("it ends within the rows of a table")
            stop = self._start + size
            line = self._buffer.find(b"\n\\.", self._start, stop + 2) + 1 or self._buffer.rfind(b"\n", self._start, stop) + 1
            self._fresh = bool(line)
            data = self._buffer[self._start:line or stop]
            self._start += len(data)
            return data, False


class Rows:
    """Rows as a file.

    :ivar failure: why they could not be read; psycopg2 makes another error of it.
    """

    def __init__(self, script: Script) -> None:
        self._script = script
        self._ended = False
        self.failure: DomainError | None = None

    def read(self, size: int = CHUNK) -> bytes:
        if self._ended:
            return b""
        try:
            data, self._ended = self._script.take_rows(size)
        except DomainError as error:
            self.failure = error
            raise
        return data


def malformed(why: str) -> DomainError:
    return DomainError("dump_malformed", f"the dump is not what pg_dump writes: {why}", advice="Take another backup")
