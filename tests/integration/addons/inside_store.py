# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs in an Odoo container: the store's interface against the real Redis. Not a test module of pytest's."""

import datetime
import decimal
import os
import sys
import time

import odoo
from odoo import http

odoo.tools.config.parse_config(["-c", "/etc/odoo/odoo.conf"])
if hasattr(odoo.modules, "initialize_sys_path"):
    odoo.modules.initialize_sys_path()
else:
    odoo.modules.module.initialize_sys_path()
for name in ("base", "web", "sysgenpro_session"):
    odoo.modules.module.load_openerp_module(name)

store = http.root.session_store
assert type(store).__name__ == "RedisSessionStore", type(store)
redis = store.client
LONG = hasattr(http, "STORED_SESSION_BYTES")


def fresh(**data):
    session = store.new()
    session.update(http.get_default_session() if hasattr(http, "get_default_session") else {})
    session.update(data)
    store.save(session)
    return session


# What goes in comes out, of the same type; a missing one is a new one.
session = fresh(text='é \U0001f600 "quoted"', number=3, nested={"a": [1, {"b": None}]}, yes=True)
again = store.get(session.sid)
assert dict(again) == dict(session) and again.sid == session.sid, dict(again)
assert store.get("no such key").sid != "no such key"
absent = store.generate_key()
assert store.is_valid_key(absent) and not dict(store.get(absent)).get("text")
assert session.sid in store.list()

if not hasattr(http, "Application"):
    from werkzeug.datastructures import MultiDict

    odd = {
        1: "a",
        "when": datetime.datetime(2026, 1, 2, 3, 4, 5, 6),
        "day": datetime.date(2026, 1, 2),
        "raw": b"\x00\xff",
        "pair": (1, "b"),
        "set": {1, 2},
        "money": decimal.Decimal("1.10"),
        "form": MultiDict([("k", "v"), ("k", "w")]),
    }
    session = fresh(saved_actions={"next": 3, "actions": {1: {"id": 7}, 2: None}}, odd=odd)
    again = store.get(session.sid)
    assert again["odd"] == odd and type(again["odd"]["pair"]) is tuple, again["odd"]
    assert again.get_action(1) == {"id": 7}
    assert again["odd"]["form"].getlist("k") == ["v", "w"]
try:
    fresh(bad={"x": redis} if not hasattr(http, "Application") else {})
    assert hasattr(http, "Application"), "an object was saved"
except TypeError as error:
    assert "a session cannot hold" in str(error)

# Deleting.
store.delete(session)
assert session.sid not in store.list()
store.delete(session)

# Vacuum removes what was not saved for long.
old, new = fresh(), fresh()
from odoo.addons.sysgenpro_session import codec  # noqa: E402

store._write(old.sid, codec.dumps(dict(old), time.time() - 3600), 1000)
store.vacuum(max_lifetime=1800)
assert old.sid not in store.list() and new.sid in store.list()

# Many at once.
sids = {fresh().sid for _ in range(1200)}
assert sids <= set(store.list())

if hasattr(http.root.session_store, "get_missing_session_identifiers") and LONG:
    one, two = fresh(), fresh()
    ids = [one.sid[:42], two.sid[:42], "x" * 42]
    assert store.get_missing_session_identifiers(ids) == {"x" * 42}
    store.delete_from_identifiers([one.sid[:42]])
    assert store.get_missing_session_identifiers(ids) == {"x" * 42, one.sid[:42]}
    assert two.sid in store.list()
    try:
        store.delete_from_identifiers([two.sid[:42], "*" * 42])
        raise SystemExit("a pattern was accepted")
    except ValueError:
        pass
    assert two.sid in store.list(), "nothing is removed if one is wrong"
    # A soft rotation keeps the first half, the old id works until its time is over.
    first = fresh(uid=None)
    before = first.sid
    store.rotate(first, None, True)
    assert first.sid != before and first.sid[:42] == before[:42]
    twin = store.get(before)
    assert twin["next_sid"] == first.sid
    store.rotate(twin, None, True)
    assert twin.sid == first.sid, "two requests at once get the same new id"
    current = store.get(first.sid)
    store.delete_old_sessions(current)
    assert before in store.list(), "its time is not over"
    current["create_time"] = time.time() - 1000
    store.save(current)
    late = store.get(before)
    late["create_time"] = time.time() - 2000
    store.save(late)
    store.delete_old_sessions(store.get(first.sid))
    assert before not in store.list() and first.sid in store.list()
    assert "gc_previous_sessions" not in store.get(first.sid)
    store.rotate(current, None)
    assert current.sid[:42] != first.sid[:42]
redis.run(lambda r: r.delete(*("sgp:session:" + sid for sid in sids)))
# The directory for files is still there for what Odoo itself puts into it.
assert os.path.isdir(store.path)
print("all of it works")
sys.exit(0)
