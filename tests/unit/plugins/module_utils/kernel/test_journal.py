# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal through crashes, and the lock between processes."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel import journal
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.journal import (
    Journal,
    lock_holder,
    locked,
    parse_entries,
)
from hypothesis import given
from hypothesis import strategies as st

HOLD = """
import sys
sys.path[:0] = {path!r}
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.journal import locked
with locked({directory!r}, {{"who": "alice", "operation": "released"}}):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_entries_are_kept_in_order_and_go_to_history(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path))
    assert journal.read() == []
    journal.open({"operation": "20261121T101500-released", "instance": "acme"})
    journal.write("begin", step="pull", title="Été {{ $x }}")
    assert [entry["event"] for entry in Journal(str(tmp_path)).read()] == ["open", "begin"]
    kept = journal.close("done", pause=0.0)
    assert journal.read() == [] and not os.path.exists(journal.path)
    assert kept == str(tmp_path / "history" / "20261121T101500-released.jsonl")
    entries = parse_entries(Path(kept).read_text())
    assert [entry["event"] for entry in entries] == ["open", "begin", "close"]
    assert entries[1]["title"] == "Été {{ $x }}" and entries[2]["outcome"] == "done"
    assert all(entry["seconds"] >= 0 and entry["at"].endswith("+00:00") for entry in entries)


@given(st.binary(max_size=40))
def test_a_torn_last_line_is_left_out_and_written_over(torn: bytes) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as directory:
        Journal(directory).open({"operation": "one"})
        with open(os.path.join(directory, "journal.jsonl"), "ab") as stream:
            stream.write(b'{"event": "begin", "title": "\xc3' + torn.replace(b"\n", b"").replace(b"\r", b""))
        after = Journal(directory)
        assert [entry["event"] for entry in after.read()] == ["open"]
        after.write("recover", forward=False)
        after.write("undone", step="pull")
        assert [entry["event"] for entry in Journal(directory).read()] == ["open", "recover", "undone"]


def test_each_line_is_durable_before_the_next_thing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    keep = os.fsync
    monkeypatch.setattr(os, "fsync", lambda handle: (synced.append(os.readlink(f"/proc/self/fd/{handle}")), keep(handle))[1])
    journal = Journal(str(tmp_path))
    journal.open({"operation": "one"})
    assert synced == [journal.path, str(tmp_path)]
    journal.write("begin", step="pull")
    assert synced[2:] == [journal.path]


def test_a_journal_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path / "absent"))
    with pytest.raises(DomainError) as error:
        journal.open({"operation": "one"})
    assert error.value.code == "journal_failed" and journal.path in error.value.message


def test_a_second_process_is_told_who_holds_the_lock(tmp_path: Path) -> None:
    script = HOLD.format(path=sys.path, directory=str(tmp_path))
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdin and other.stdout and other.stdout.readline() == "held\n"
        with pytest.raises(DomainError) as error, locked(str(tmp_path), {"who": "bob"}):
            pytest.fail("two at once")
        assert error.value.code == "locked"
        assert f"released by alice since {error.value.details['holder']['since']} (pid {other.pid})" in error.value.message
        holder = lock_holder(str(tmp_path))
        assert holder and holder["who"] == "alice" and holder["pid"] == other.pid
        other.kill()
        other.wait()
    # Who dies lets go, whatever stands in the file.
    assert lock_holder(str(tmp_path)) is None
    with locked(str(tmp_path), {"who": "bob"}):
        assert json.loads((tmp_path / "lock").read_text())["who"] == "bob"
    assert (tmp_path / "lock").read_text() == ""


def test_who_only_looks_is_not_who_is_at_work(tmp_path: Path) -> None:
    (tmp_path / "lock").touch()
    looker = os.open(tmp_path / "lock", os.O_RDONLY)
    fcntl.flock(looker, fcntl.LOCK_SH)
    threading.Timer(0.05, os.close, [looker]).start()
    with locked(str(tmp_path), {"who": "bob"}):
        assert json.loads((tmp_path / "lock").read_text())["who"] == "bob"


def test_a_timer_is_waited_for_and_nobody_else(tmp_path: Path) -> None:
    script = HOLD.format(path=sys.path, directory=str(tmp_path))
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdin and other.stdout and other.stdout.readline() == "held\n"
        for waits_for, seconds in (((), 60.0), (("captured",), 60.0), (("released",), 0.0)):
            with pytest.raises(DomainError, match="released by alice"), locked(str(tmp_path), {"who": "bob"}, waits_for, seconds):
                pytest.fail("two at once")
        threading.Timer(0.5, other.kill).start()
        with locked(str(tmp_path), {"who": "bob"}, ("released",), 60.0):
            assert other.wait(5) is not None
            assert json.loads((tmp_path / "lock").read_text())["who"] == "bob"


def test_a_lock_that_was_never_taken(tmp_path: Path) -> None:
    assert lock_holder(str(tmp_path)) is None
    assert list(tmp_path.iterdir()) == []


def test_who_lets_go_of_the_lock_is_nobody_and_is_waited_for(tmp_path: Path) -> None:
    """A timer's run that ends takes its name away first. Whoever comes in that moment must not be told that nobody knows who holds it."""
    with (tmp_path / "lock").open("w") as ending:
        fcntl.flock(ending, fcntl.LOCK_EX)
        threading.Timer(0.5, fcntl.flock, [ending, fcntl.LOCK_UN]).start()
        with locked(str(tmp_path), {"who": "bob"}):
            assert json.loads((tmp_path / "lock").read_text())["who"] == "bob"


def test_who_never_says_who_it_is_is_not_waited_for_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "BETWEEN", 0.2)
    with (tmp_path / "lock").open("w") as silent:
        fcntl.flock(silent, fcntl.LOCK_EX)
        with pytest.raises(DomainError, match="unknown by unknown"), locked(str(tmp_path), {"who": "bob"}):
            pass
