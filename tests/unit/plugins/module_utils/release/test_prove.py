# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a colour says of itself, in halves and of images of before, over real HTTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._instance.series import series_of
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.wait import Deadline
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release import prove

COMMON = ["add-ons", "registry"]
HALVES = {"login": [*COMMON, "login page", "documents"], "pages": [*COMMON, "web client"]}


class Colour:
    """Answers ``/sysgenpro/ready`` as ``says`` has it, by part, and the login page."""

    def __init__(self, says: Callable[[str], tuple[int, Any]]) -> None:
        asked: list[str] = []
        together = threading.Barrier(2, timeout=5)

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                part = self.headers["X-Sysgenpro-Part"]
                asked.append(part)
                together.wait()  # both are under way before either is answered
                self._answer(*says(part))

            def do_GET(self) -> None:
                self._answer(200, '<script src="/web/assets/1/x.js"></script>')

            def _answer(self, status: int, body: Any) -> None:
                data = (body if isinstance(body, str) else json.dumps(body)).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_arguments: Any) -> None:
                pass

        self.asked = asked
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def inside(self) -> dict[str, Any]:
        return prove._inside("127.0.0.1", "word", "shop.test", series_of("19.0"), "acme", Deadline(10))


@pytest.fixture
def colour(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Callable[[str], tuple[int, Any]]], Colour]]:
    made: list[Colour] = []

    def make(says: Callable[[str], tuple[int, Any]]) -> Colour:
        made.append(Colour(says))
        monkeypatch.setattr(prove, "HTTP", made[-1].server.server_port)
        return made[-1]

    yield make
    for each in made:
        each.server.shutdown()
        each.server.server_close()


def answer(names: list[str], bad: str = "", database: str = "acme") -> tuple[int, Any]:
    checks = [{"name": name, "ok": name != bad, "detail": "white" if name == bad else "", "seconds": 0.1} for name in names]
    return (503 if bad else 200), {"ok": not bad, "database": database, "checks": checks, "assets": ["/web/assets/" + name for name in names[2:]]}


def test_halves_are_asked_at_the_same_time(colour: Any) -> None:
    made = colour(lambda part: answer(HALVES[part]))
    found = made.inside()
    assert sorted(made.asked) == ["login", "pages"]
    assert [check["name"] for check in found["checks"]] == [*COMMON, "login page", "documents", "web client"]
    assert found["assets"] == ["/web/assets/login page", "/web/assets/documents", "/web/assets/web client"]


def test_an_image_of_before_gives_all_of_it_twice(colour: Any) -> None:
    every = [*COMMON, "login page", "web client", "documents"]
    found = colour(lambda part: answer(every)).inside()
    assert [check["name"] for check in found["checks"]] == every and len(found["assets"]) == 3


def test_an_image_without_the_add_on_has_its_login_page(colour: Any) -> None:
    assert colour(lambda part: (404, "Not Found")).inside() == {"assets": ["/web/assets/1/x.js"]}


@pytest.mark.parametrize("part", ["login", "pages"])
@pytest.mark.parametrize(("says", "said"), [
    (lambda names: answer(names, names[-1]), "white"), (lambda names: answer(names, database="another"), "it serves the database 'another'"),
    (lambda names: (500, "<html>"), "answers 500"), (lambda names: (200, {"ok": False}), "answers 200")])
def test_either_half_is_enough_to_refuse(colour: Any, part: str, says: Any, said: str) -> None:
    made = colour(lambda asked: says(HALVES[asked]) if asked == part else answer(HALVES[asked]))
    with pytest.raises(prove.NotReady, match=said):
        made.inside()
