# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random work on a real database and filestore with a model beside it: after each restore both equal the model."""

from __future__ import annotations

import json
import random

import pytest
from rig.instance import Instance, stored_name
from rig.machine import UID

ROUNDS = 3
# As Odoo does it: files first, then rows; the garbage collector under its lock.
_WORK = """
import hashlib, json, os, sys
import psycopg2
filestore, database, actions = sys.argv[1], sys.argv[2], json.load(open(sys.argv[3]))
connection = psycopg2.connect(host="/var/run/postgresql", port=5501, user="postgres", dbname=database,
                              options="-c lock_timeout=10s")
def write(content):
    name = hashlib.sha1(content).hexdigest()
    stored = name[:2] + "/" + name
    path = os.path.join(filestore, stored)
    for place in (path, os.path.join(filestore, "checklist", stored)):
        os.makedirs(os.path.dirname(place), exist_ok=True)
    if not os.path.exists(path):
        with open(path, "wb") as stream:
            stream.write(content)
    open(os.path.join(filestore, "checklist", stored), "ab").close()
    return stored
def collect(cursor):
    cursor.execute("set local lock_timeout = '10s'")
    cursor.execute("lock ir_attachment in share mode")
    place = os.path.join(filestore, "checklist")
    listed = [d + "/" + n for d in (os.listdir(place) if os.path.isdir(place) else []) for n in os.listdir(os.path.join(place, d))]
    cursor.execute("select store_fname from ir_attachment where store_fname = any(%s)", (listed,))
    used = {row[0] for row in cursor.fetchall()}
    for stored in listed:
        if stored not in used and os.path.exists(os.path.join(filestore, stored)):
            os.unlink(os.path.join(filestore, stored))
        os.unlink(os.path.join(place, stored))
for kind, key, content in actions:
    with connection, connection.cursor() as cursor:
        if kind == "collect":
            collect(cursor)
            continue
        cursor.execute("select store_fname from ir_attachment where name = %s", (key,))
        old = [row[0] for row in cursor.fetchall()]
        if kind == "delete":
            cursor.execute("delete from ir_attachment where name = %s", (key,))
        else:
            stored = write(content.encode())
            if old:
                cursor.execute("update ir_attachment set store_fname = %s, file_size = %s where name = %s", (stored, len(content), key))
            else:
                cursor.execute("insert into ir_attachment (name, store_fname, file_size) values (%s, %s, %s)", (key, stored, len(content)))
        cursor.execute("insert into work (what, amount) values (%s, 1)", (kind,))
        for stored in old:
            place = os.path.join(filestore, "checklist", stored)
            os.makedirs(os.path.dirname(place), exist_ok=True)
            open(place, "ab").close()
"""


class Model:
    """What ought to be: content by name, and how much work was done."""

    def __init__(self) -> None:
        self.content: dict[str, str] = {}
        self.work = 0

    def copy(self) -> Model:
        made = Model()
        made.content, made.work = dict(self.content), self.work
        return made

    def act(self, chance: random.Random, count: int) -> list[tuple[str, str, str]]:
        """Choose actions, and do them to the model."""
        actions = []
        for _number in range(count):
            kind = chance.choices(["write", "delete", "collect"], [6, 3, 1])[0]
            key, content = f"name {chance.randrange(30)}", f"content {chance.randrange(25)}" * chance.choice([1, 50, 5000])
            actions.append((kind, key, content))
            if kind == "write":
                self.content[key] = content
            elif kind == "delete":
                self.content.pop(key, None)
            self.work += kind != "collect"
        return actions


def perform(instance: Instance, actions: list[tuple[str, str, str]]) -> None:
    instance.machine.sh("cat > /root/actions.json", data=json.dumps(actions))
    instance.machine.python(_WORK, instance.filestore, instance.database, "/root/actions.json")
    instance.machine.sh(f"chown -R {UID}:{UID} {instance.filestore}")


def equals(instance: Instance, point: str, model: Model) -> None:
    target = instance.target("model")
    instance.run("restored", point=point, target=target).ok()
    rows = instance.machine.sql(target["database"], "select name, store_fname from ir_attachment order by name")
    assert dict(line.split("|") for line in rows.splitlines()) == {key: stored_name(content.encode()) for key, content in model.content.items()}
    assert int(instance.machine.sql(target["database"], "select count(*) from work")) == model.work
    files = instance.machine.sh(f"cd {target['filestore']} && find . -type f -exec sha1sum {{}} +").splitlines()
    found = {line.split()[1][2:] for line in files}
    assert found == {stored_name(content.encode()) for content in model.content.values()}, "no file more, no file less"
    assert all(line.split()[0] == line.rpartition("/")[2] for line in files)
    instance.drop_target("model")


@pytest.mark.parametrize("rounds", [ROUNDS, pytest.param(25, marks=pytest.mark.slow)])
def test_each_restore_equals_the_model(bodega: Instance, chance: random.Random, rounds: int) -> None:
    model, points = Model(), {}
    for _round in range(rounds):
        perform(bodega, model.act(chance, 60))
        if chance.random() < 0.5:
            bodega.run("captured", kill_after=chance.uniform(0.1, 3))
            for point in bodega.info()["points"]:
                points.setdefault(point["id"], model.copy())
        points[bodega.run("captured").ok().point["id"]] = model.copy()
        chosen = chance.choice(sorted(points))
        equals(bodega, chosen, points[chosen])
    bodega.run("verified").ok()


def test_garbage_collected_and_written_all_the_time(bodega: Instance, chance: random.Random) -> None:
    """Captures while files come and go: each one is whole, and of one moment. Whoever waited for a lock longer than Odoo does would fail."""
    model = Model()
    bodega.machine.sh("cat > /root/busy.json", data=json.dumps([
        action for _round in range(40) for action in (*model.act(chance, 60), ("collect", "", ""))]))
    bodega.machine.sh("cat > /root/busy.py", data=_WORK)
    busy = bodega.machine.background(f"while :; do python3 /root/busy.py {bodega.filestore} {bodega.database} /root/busy.json || exit 1; done")
    try:
        points = [bodega.run("captured").ok() for _number in range(3)]
        assert busy.poll() is None, busy.communicate()[0]
    finally:
        # The loop ends when its script is gone.
        bodega.machine.sh("rm /root/busy.py")
        busy.wait()
    print("lock held", [point.result["timings"]["lock_held"] for point in points])
    for point in points:
        bodega.run("verified", point=point.point["id"]).ok()
    bodega.run("restored", point=points[1].point["id"], target=bodega.target()).ok()
