# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The connection to Redis: where it is, how long to wait for it, what happens when it does not come back."""

from __future__ import annotations

import logging
import os
import threading
import time
from dataclasses import dataclass
from typing import Any, Callable, Optional
from urllib.parse import parse_qs, unquote, urlsplit

import redis
from werkzeug.exceptions import ServiceUnavailable

_logger = logging.getLogger(__name__)

#: Seconds a single answer may take before the attempt counts as failed and is made again.
ANSWER_TIMEOUT = 2.0
#: Pauses between attempts in seconds; the last one repeats.
PAUSES = (0.02, 0.05, 0.1, 0.2, 0.4)


class SessionsUnavailable(ServiceUnavailable):
    """HTTP 503: the session store did not answer within the bound. The user stays logged in and may try again."""

    description = "Sessions cannot be read at the moment. You are still logged in: please try again in a few seconds."

    def get_headers(self, *args, **kwargs):
        return [*super().get_headers(*args, **kwargs), ("Retry-After", "5")]


@dataclass(frozen=True)
class Settings:
    """Where Redis is and how patient to be.

    :param url: ``unix:///path?db=0``, ``redis://host:port/db`` or ``rediss://…``, without user and password.
    :param user: ACL user; empty for the default user.
    :param password_file: path of a file that holds the password, read at each new client; empty for none.
    :param wait: seconds to wait for Redis before a request ends with 503.
    """

    url: str
    user: str = ""
    password_file: str = ""
    wait: float = 10.0

    @property
    def shown_url(self) -> str:
        """The address for logs: a password that somebody put there against the rules is not shown."""
        parts = urlsplit(self.url)
        return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()

    def password(self) -> Optional[str]:
        """:raises OSError: the file cannot be read."""
        if not self.password_file:
            return None
        with open(self.password_file, encoding="utf-8") as file:
            return file.read().rstrip("\r\n")


def settings_from_environment(environ: Any = os.environ) -> Optional[Settings]:
    """Settings from ``SYSGENPRO_SESSION_*``; None if the add-on is not to be used.

    :raises ValueError: a variable has a value that cannot be used; the message names it.
    :raises OSError: the password file cannot be read.
    """
    url = environ.get("SYSGENPRO_SESSION_URL", "").strip()
    if not url:
        return None
    if urlsplit(url).scheme not in ("unix", "redis", "rediss"):
        raise ValueError(f"SYSGENPRO_SESSION_URL: expected unix://, redis:// or rediss://, got {url.split(':')[0]!r}")
    text = environ.get("SYSGENPRO_SESSION_WAIT", "") or "10"
    try:
        wait = float(text)
    except ValueError:
        wait = -1.0
    if not 0 <= wait <= 120:
        raise ValueError(f"SYSGENPRO_SESSION_WAIT: expected seconds between 0 and 120, got {text!r}")
    settings = Settings(
        url=url,
        user=environ.get("SYSGENPRO_SESSION_USER", ""),
        password_file=environ.get("SYSGENPRO_SESSION_PASSWORD_FILE", ""),
        wait=wait,
    )
    settings.password()
    return settings


class Client:
    """Runs Redis commands and repeats them while Redis is away. Safe in threads, greenlets and forked workers."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._lock = threading.Lock()
        self._redis: Any = None

    def _connect(self) -> Any:
        parts = urlsplit(self.settings.url)
        options = {
            "username": self.settings.user or None,
            "password": self.settings.password(),
            "socket_timeout": ANSWER_TIMEOUT,
        }
        if parts.scheme == "unix":
            database = int(parse_qs(parts.query).get("db", ["0"])[0])
            pool = redis.ConnectionPool(
                connection_class=redis.UnixDomainSocketConnection,
                path=unquote(parts.path),
                db=database,
                **options,
            )
        else:
            pool = redis.ConnectionPool.from_url(self.settings.url, **options)
        return redis.Redis(connection_pool=pool)

    def _client(self) -> Any:
        with self._lock:
            if self._redis is None:
                self._redis = self._connect()
            return self._redis

    def run(self, command: Callable[[Any], Any]) -> Any:
        """The result of ``command(redis)``, made again until it works or ``settings.wait`` is over.

        Every command given here may be made twice without harm.

        :raises SessionsUnavailable: Redis did not come back in time, or refuses (password, ACL, memory).
        """
        deadline = time.monotonic() + self.settings.wait
        attempt = 0
        while True:
            try:
                return command(self._client())
            except (redis.RedisError, OSError) as error:
                left = deadline - time.monotonic()
                if attempt == 0:
                    _logger.warning("Redis at %s does not serve: %s", self.settings.shown_url, error)
                if left <= 0:
                    _logger.error("gave up on Redis after %.1f s: %s", self.settings.wait, error)
                    raise SessionsUnavailable() from error
                if isinstance(error, (redis.AuthenticationError, redis.ResponseError)):
                    self._forget()  # the password may have been changed: read it anew
                time.sleep(min(left, PAUSES[min(attempt, len(PAUSES) - 1)]))
                attempt += 1

    def _forget(self) -> None:
        with self._lock:
            stale, self._redis = self._redis, None
        if stale is not None:
            stale.connection_pool.disconnect()
