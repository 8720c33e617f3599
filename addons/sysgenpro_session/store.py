# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The session store: the whole interface of the series' own file store, kept in Redis.

It derives from that file store, so whatever it does not override (keys, rotation, sessions' class) is Odoo's own.

Keys: ``sgp:session:<sid>`` (string, JSON, expires) and, where a sid has a part that stays over rotations (Odoo 18 and
later: its first 42 characters), ``sgp:session:index:<part>`` (set of sids).

No MULTI: Redis replays an append-only file with the rights of the user ``default``, and where that user has none it drops
every transaction in it, so that a restart would lose all sessions (tried with 8.0.2; single commands are not checked).
"""

from __future__ import annotations

import functools
import logging
import os
import time
from typing import Any, Iterable, Iterator

from . import codec
from .client import Client

_logger = logging.getLogger(__name__)

PREFIX = "sgp:session:"
INDEX = PREFIX + "index:"
#: Length of a sid whose first half stays over soft rotations, and of that half (odoo.http.STORED_SESSION_BYTES).
LONG_SID, STORED_PART = 84, 42
#: How many keys one SCAN, MGET or DEL handles.
BATCH = 500


def _scan_once(cursor: int, redis: Any) -> Any:
    return redis.scan(cursor, match=PREFIX + "*", count=BATCH)


def make_store_class(file_store: type, lifetime: Any, deletion_timer: float) -> type:
    """The store's class for a series.

    :param file_store: the series' ``FilesystemSessionStore``.
    :param lifetime: function without arguments: seconds a session lives after its last save.
    :param deletion_timer: seconds the old sid of a soft rotation still works (``SESSION_DELETION_TIMER``).
    """

    class RedisSessionStore(file_store):  # type: ignore[misc, valid-type]
        def __init__(self, client: Client, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.client = client

        # --- one session -------------------------------------------------------------------------------------------

        def save(self, session: Any) -> None:
            """:raises SessionsUnavailable: Redis is away longer than the bound."""
            self._write(session.sid, codec.dumps(session, time.time()), lifetime())

        def _write(self, sid: str, text: bytes, seconds: float, only_new: bool = False) -> None:
            ttl = max(1, int(seconds))

            def command(redis: Any) -> None:
                # The index first: one that knows too much does no harm.
                with redis.pipeline(transaction=False) as pipe:
                    if len(sid) == LONG_SID:
                        pipe.sadd(INDEX + sid[:STORED_PART], sid)
                        pipe.expire(INDEX + sid[:STORED_PART], max(ttl, int(lifetime())))
                    pipe.set(PREFIX + sid, text, ex=ttl, nx=only_new)
                    pipe.execute()

            self.client.run(command)

        def get(self, sid: str) -> Any:
            """The session, or a new one with a new sid if there is none (as the file store does).

            :raises SessionsUnavailable: Redis is away longer than the bound: never an empty session instead.
            """
            if not self.is_valid_key(sid):
                return self.new()
            text = self.client.run(lambda redis: redis.get(PREFIX + sid))
            if text is None:
                return self._adopt(sid) or self.new()
            try:
                return self.session_class(codec.loads(text)["data"], sid, False)
            except ValueError:
                _logger.exception("the session in Redis cannot be read; a new one takes its place")
                return self.new()

        def delete(self, session: Any) -> None:
            self._drop([session.sid])

        def _drop(self, sids: Iterable[str]) -> None:
            """Remove sessions from Redis, and the files they were adopted from, which would bring them back."""
            sids = [sid for sid in sids if self.is_valid_key(sid)]

            def command(redis: Any) -> None:
                with redis.pipeline(transaction=False) as pipe:
                    pipe.delete(*(PREFIX + sid for sid in sids))
                    for sid in sids:
                        if len(sid) == LONG_SID:
                            pipe.srem(INDEX + sid[:STORED_PART], sid)
                    pipe.execute()

            if not sids:
                return
            self.client.run(command)
            for sid in sids:
                try:
                    os.unlink(self.get_session_filename(sid))
                except OSError:
                    pass

        def _adopt(self, sid: str) -> Any:
            """A session that still lies in a file, taken over; None if there is none or it is too old.

            The file stays: a colour that still works with files goes on with it, and vacuum removes it in time.
            """
            path = self.get_session_filename(sid)
            try:
                left = os.path.getmtime(path) + lifetime() - time.time()
            except OSError:
                return None
            if left <= 0:
                return None
            session = super().get(sid)
            if session.sid != sid or not dict(session):
                return None
            self._write(sid, codec.dumps(session, time.time()), left, only_new=True)
            _logger.info("took a session over from its file")
            return session

        # --- many sessions -----------------------------------------------------------------------------------------

        def _scan(self) -> Iterator[list]:
            """All sids, in batches. Needs no lock: SCAN may give one twice and that does no harm."""
            cursor = 0
            while True:
                command = functools.partial(_scan_once, cursor)
                cursor, keys = self.client.run(command)
                names = [key.decode("ascii", "replace") for key in keys]
                yield [name[len(PREFIX) :] for name in names if not name.startswith(INDEX)]
                if not cursor:
                    return

        def list(self) -> list:
            return sorted({sid for batch in self._scan() for sid in batch})

        def vacuum(self, max_lifetime: float = 7 * 24 * 3600) -> None:
            """Remove what was not saved for ``max_lifetime`` seconds: Redis expires by the lifetime at the time of the
            save, which may have been shortened since."""
            if hasattr(super(), "vacuum"):
                super().vacuum(max_lifetime=max_lifetime)
            threshold = time.time() - max_lifetime
            for batch in self._scan():
                self._drop(sid for sid, read in self._read(batch) if read["saved"] < threshold)

        def _read(self, sids: Any) -> list:
            """Pairs of sid and what ``codec.loads`` gives, for those that exist."""
            if not sids:
                return []
            texts = self.client.run(lambda redis: redis.mget([PREFIX + sid for sid in sids]))
            pairs = []
            for sid, text in zip(sids, texts):
                if text is not None:
                    try:
                        pairs.append((sid, codec.loads(text)))
                    except ValueError:
                        _logger.warning("a session in Redis cannot be read")
            return pairs

        def _siblings(self, identifier: str) -> list:
            found = self.client.run(lambda redis: redis.smembers(INDEX + identifier))
            return [sid.decode("ascii") for sid in found]

        # --- sids with a part that stays (Odoo 18 and later) -------------------------------------------------------

        def get_missing_session_identifiers(self, identifiers: Iterable[str]) -> set:
            """Those of ``identifiers`` (first 42 characters of a sid) that no session has."""
            missing: set = set()
            identifiers = [*set(identifiers)]
            for start in range(0, len(identifiers), BATCH):
                batch = identifiers[start : start + BATCH]

                def command(redis: Any, batch: list = batch) -> list:
                    with redis.pipeline(transaction=False) as pipe:
                        for identifier in batch:
                            pipe.exists(INDEX + identifier)
                        return pipe.execute()

                missing.update(i for i, exists in zip(batch, self.client.run(command)) if not exists)
            return super().get_missing_session_identifiers(missing) if missing else missing

        def delete_from_identifiers(self, identifiers: list) -> None:
            """Remove every session of these identifiers (logs a device out).

            :raises ValueError: an identifier has not the right form (raised before anything is removed).
            """
            super().delete_from_identifiers(identifiers)
            for identifier in identifiers:
                self._drop(self._siblings(identifier))

        def delete_old_sessions(self, session: Any) -> None:
            """After a soft rotation: remove the sids before this one, once their grace is over.

            Odoo removes all of them, this one included, and saves this one again; another request could see it
            missing in between and log the user out. Here it is never away, and younger ones stay.
            """
            if "gc_previous_sessions" not in session or session["create_time"] + deletion_timer >= time.time():
                return
            del session["gc_previous_sessions"]
            known = dict(self._read(self._siblings(session.sid[:STORED_PART])))
            stored = known.pop(session.sid, {"data": {}})["data"]
            if "gc_previous_sessions" not in stored:
                return  # somebody else did it, and may have gone on from there
            old = [sid for sid, read in known.items() if read["data"].get("create_time", 0) < session["create_time"]]
            if "next_sid" not in stored:
                self.save(session)
            self._drop(old)

    return RedisSessionStore
