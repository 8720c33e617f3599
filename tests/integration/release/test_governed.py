# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A governed machine: a release is refused gate by gate, approved by real keys, and done; nothing gets around it; an audit finds every harm."""

from __future__ import annotations

import base64
import datetime
import io
import json
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from estate import Estate, sound
from estate.place import INSTANCE
from sgplab import tools

pytestmark = [pytest.mark.slow, pytest.mark.dear]

ROLES = {"anna": "app", "dora": "schema", "emil": "emergency", "vera": "review"}
LEDGER = f"/var/lib/sysgenpro/ledger/ledger/{INSTANCE}"
URL, ROOT = "http://127.0.0.1:7070", "a secret of this test"
UNIT = f"""[Service]
Environment="ROOT_ACCESS_KEY=root" "ROOT_SECRET_KEY={ROOT}"
ExecStart=/usr/local/bin/versitygw --port 127.0.0.1:7070 --iam-dir /var/lib/test-s3/iam posix --versioning-dir /var/lib/test-s3/versions /var/lib/test-s3/data
"""
S3 = """
import json, boto3
s3 = boto3.client("s3", endpoint_url="{0}", aws_access_key_id="root", aws_secret_access_key="{1}", region_name="us-east-1")
"""
BUCKET = """
s3.create_bucket(Bucket="ledger", ObjectLockEnabledForBucket=True)
s3.put_bucket_policy(Bucket="ledger", Policy=json.dumps(dict(Version="2012-10-17", Statement=[
    dict(Effect="Allow", Principal=["writer"], Action=["s3:ListBucket", "s3:GetBucketLocation"], Resource=["arn:aws:s3:::ledger"]),
    dict(Effect="Allow", Principal=["writer"], Action=["s3:GetObject", "s3:PutObject", "s3:PutObjectRetention"], Resource=["arn:aws:s3:::ledger/*"])])))
"""
GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "audit-without-our-software.md"


class People:
    """People with keys, what they govern a machine by, and what they decide."""

    def __init__(self, estate: Estate, directory: Path) -> None:
        self.estate, self.directory = estate, directory
        for name in ROLES:
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(directory / name)], check=True)
        self.gates: list[dict[str, Any]] = [{"gate": "freeze"}, {"gate": "rehearsed"}, {"gate": "recovery_point", "hours": 1}, {"gate": "pos_closed"},
                                             {"gate": "approved", "role": "app"}, {"gate": "approved", "role": "schema"}]

    def govern(self, freeze: bool = False, ledger: dict[str, Any] | None = None) -> None:
        """Put it on the machine. :param freeze: whether a freeze holds now. :param ledger: where it lies; default is a directory."""
        day = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1 if freeze else 30)
        calendar = self.directory / "freeze.ics"
        calendar.write_text(
            "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//test//\nBEGIN:VEVENT\nUID:1\nSUMMARY:Peak\nCATEGORIES:PEAK\n"
            f"DTSTART;VALUE=DATE:{day:%Y%m%d}\nDURATION:P3D\nRESOURCES:environment_test\nEND:VEVENT\nEND:VCALENDAR\n")
        keys = {name: " ".join((self.directory / f"{name}.pub").read_text().split()[:2]) for name in ROLES}
        policy = {"default": "test", "instances": {INSTANCE: {"class": "test", "environment": "test", "region": "eu"}},
                  "regions": {"eu": {"time_zone": "Europe/Berlin"}}, "classes": {"test": {
                      "gates": self.gates, "breakable": [gate["gate"] for gate in self.gates if gate["gate"] == "freeze"]}}}
        lines = [f'{name}@example.com namespaces="release-{role}@sysgenpro" {keys[name]}' for name, role in ROLES.items()]
        self.estate.play("governance", governance_policy=policy, governance_calendars=[str(calendar)], governance_signers=lines,
                         **({"governance_ledger": ledger} if ledger else {}))

    def decide(self, name: str, plan: str, fails: bool = False, **more: str) -> str:
        return self.estate.play("approve", fails, limit=INSTANCE, approve_plan=plan, approve_by=f"{name}@example.com", approve_key=str(self.directory / name),
                                **{"approve_role": ROLES[name], **more}).output

    def audit(self, fails: bool = False) -> str:
        (self.directory / "audit").mkdir(exist_ok=True)
        return self.estate.play("audit", fails, limit=INSTANCE, audit_directory=str(self.directory / "audit")).output

    def page(self) -> str:
        return (self.directory / "audit" / f"{INSTANCE}.html").read_text()


@pytest.fixture
def people(estate: Estate, tmp_path: Path) -> Iterator[People]:
    estate.runs("one-a")
    people = People(estate, tmp_path)
    people.govern()
    yield people
    estate.play("governance", governance_state="absent")
    estate.machine.sh("rm -rf /var/lib/sysgenpro/ledger /var/lib/sysgenpro/governance")


def plan_of(estate: Estate, name: str) -> dict[str, Any]:
    plan: dict[str, Any] = estate.release(name, state="planned").ok().result["plan"]
    return plan


def test_refused_approved_released_and_audited(estate: Estate, people: People) -> None:
    shown = estate.play("plan", instance_release="two").output
    assert all(f"gate {name}: CLOSED" in shown for name in ("rehearsed", "recovery_point", "approved_app", "approved_schema")) and "gate freeze: open" in shown

    estate.play("plan", instance_release="two", plan_rehearse=True)
    estate.play("recovery_point", limit=INSTANCE)
    digest = plan_of(estate, "two")["digest"]
    for way in ({}, {"governance_policy": {"default": "x", "classes": {"x": {"gates": []}}}, "governance_signers": []}):
        said = estate.play("release", True, instance_release="two", **way).output
        assert "gates are closed" in said and "approved_app" in said and "approved_schema" in said
    direct = estate.release("two")
    assert direct.error == "gates_closed" and "rehearsed" not in [gate["gate"] for gate in direct.result["details"]["gates"] if not gate["passed"]]
    assert estate.release("two", environment="development").error == "bad_input"

    assert "not signed by a key" in people.decide("anna", digest, True, approve_role="schema")
    people.decide("anna", digest)
    assert "approved_schema" in estate.play("release", True, instance_release="two").output
    people.decide("dora", digest)
    assert "asked for the release" in estate.play("release", True, instance_release="two", release_requested_by="anna").output
    estate.play("release", instance_release="two", release_reason="as approved")
    sound(estate, "two")
    assert plan_of(estate, "two")["steps"] == []

    said = people.audit()
    assert "all as they were written" in said and "release released update done" in said
    head = json.loads((people.directory / "audit" / f"{INSTANCE}.checkpoint.json").read_text())
    assert outside(estate, people.directory)[-1] == head["digest"]

    # Another plan, as the way back by a release is one, takes approvals of its own.
    assert "approved_app" in [gate["gate"] for gate in plan_of(estate, "one-a")["gates"]["gates"] if not gate["passed"]]

    for harm, told in (("sed -i 's/\"payload\": \"e/\"payload\": \"f/' 00000002.json", "entry 2"), (f"rm {head['sequence']:08}.json", "cut off at its end"),
                       ("mv 00000001.json x && mv 00000002.json 00000001.json && mv x 00000002.json", "it was written as number")):
        estate.machine.sh(f"cp -a {LEDGER} /root/kept && cd {LEDGER} && chmod 600 *.json && {harm}")
        assert told in people.audit(fails=True)
        assert 'class="red"' in people.page()
        estate.machine.sh(f"rm -rf {LEDGER} && mv /root/kept {LEDGER}")
    people.audit()


def test_a_freeze_is_broken_by_who_may(estate: Estate, people: People) -> None:
    people.gates = [{"gate": "freeze"}]
    people.govern(freeze=True)
    digest = plan_of(estate, "one-b")["digest"]
    assert "inside a freeze: Peak" in estate.release("one-b").message
    assert "a reason, which emergency needs" in people.decide("emil", digest, True)
    people.decide("emil", digest, approve_reason="prices are wrong in all shops")
    estate.release("one-b").ok()
    assert "BROKEN in an emergency: freeze" in people.audit()
    assert 'class="red"' in people.page() and "prices are wrong in all shops" in people.page()
    people.decide("vera", digest, approve_reason="looked at with the shops")
    assert "BROKEN in an emergency" not in people.audit()


@pytest.fixture
def bucket(estate: Estate) -> Iterator[dict[str, Any]]:
    """A bucket with Object Lock on the machine, and a key that can write and read and nothing else."""
    machine = estate.machine
    with tools.ensure("versitygw").open("rb") as stream:
        subprocess.run(["docker", "exec", "-i", f"sgp-lab-{machine.name}", "sh", "-c", "cat > /usr/local/bin/versitygw && chmod 755 /usr/local/bin/versitygw"],
                       stdin=stream, check=True)
    machine.sh("mkdir -p /var/lib/test-s3/iam /var/lib/test-s3/versions /var/lib/test-s3/data; cat > /run/systemd/system/test-s3.service;"
               " systemctl daemon-reload; systemctl start test-s3; for i in $(seq 100); do bash -c '</dev/tcp/127.0.0.1/7070' 2>/dev/null && break; sleep 0.1; done", data=UNIT)
    machine.sh(f"versitygw admin --access root --secret '{ROOT}' --endpoint-url {URL} create-user --access writer --secret '{ROOT}' --role user")
    machine.sh("python3 -", data=S3.format(URL, ROOT) + BUCKET)
    yield {"location": f"s3:{URL}/ledger", "access_key": "writer", "secret_key": ROOT, "lock_mode": "compliance", "lock_days": 1}
    machine.sh("systemctl stop test-s3; rm -rf /var/lib/test-s3")


def test_the_ledger_in_s3(estate: Estate, people: People, bucket: dict[str, Any]) -> None:
    """Without S3 nothing is released; an entry that its owner hides is missed, and comes back, as it is locked."""
    machine = estate.machine
    people.gates = [{"gate": "approved", "role": "app"}]
    people.govern(ledger=bucket)
    people.decide("anna", plan_of(estate, "one-b")["digest"])
    machine.sh("systemctl stop test-s3")
    assert estate.release("one-b").error == "store_failed"
    sound(estate, "one-a")
    machine.sh("systemctl start test-s3; for i in $(seq 100); do bash -c '</dev/tcp/127.0.0.1/7070' 2>/dev/null && break; sleep 0.1; done")
    estate.release("one-b").ok()
    sound(estate, "one-b")
    assert "3 entries, all as they were written" in people.audit()
    key = f"ledger/{INSTANCE}/00000001.json"
    client = S3.format(URL, ROOT)
    delete = f's3.delete_object(Bucket="ledger", Key="{key}")\n'
    assert "AccessDenied" in machine.sh("python3 - 2>&1 || true", data=client.replace('"root"', '"writer"') + delete)
    machine.sh("python3 -", data=client + delete)
    assert "WRONG entry 1: it is missing" in people.audit(fails=True)
    machine.sh("python3 -", data=client + f"""
marker = s3.list_object_versions(Bucket="ledger", Prefix="{key}")["DeleteMarkers"][0]
s3.delete_object(Bucket="ledger", Key="{key}", VersionId=marker["VersionId"])
""")
    people.audit()


def outside(estate: Estate, directory: Path) -> list[str]:
    """The guide's script on a copy of the ledger, where nothing of this collection is."""
    raw = base64.b64decode(estate.machine.sh(f"cp /etc/sysgenpro/governance/allowed_signers /root/ && tar -C {LEDGER} -cf - . | base64"))
    copy = directory / INSTANCE
    with tarfile.open(fileobj=io.BytesIO(raw)) as archive:
        archive.extractall(copy, filter="data")
    (directory / "allowed_signers").write_text(estate.machine.sh("cat /etc/sysgenpro/governance/allowed_signers"))
    script = GUIDE.read_text().split("```text\n")[1].split("```")[0]
    done = subprocess.run(["bash", "-c", script, "audit", str(copy), str(directory / "allowed_signers")],
                          capture_output=True, text=True, check=True, cwd=directory)
    return done.stdout.split()
