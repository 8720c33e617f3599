# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real S3 with Object Lock on the machine (versitygw), a writer that may delete only locks, and a key for pruning."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sgplab import tools

from .machine import PASSWORD, Machine

PLACE = "/var/lib/object-store"
DATA = PLACE + "/data"
URL = "http://127.0.0.1:7070"
KEYS = {"root": ("root", "root for this test"), "writer": ("writer", "writer for this test"), "pruner": ("pruner", "pruner for this test")}
_UNIT = f"""[Service]
Environment="ROOT_ACCESS_KEY={KEYS['root'][0]}" "ROOT_SECRET_KEY={KEYS['root'][1]}"
ExecStart=/usr/local/bin/versitygw --port 127.0.0.1:7070 --iam-dir {PLACE}/iam posix --versioning-dir {PLACE}/versions {PLACE}/data
Restart=no
"""
_BUCKET = """
import json, sys
import boto3
root, bucket = json.loads(sys.argv[1]), sys.argv[2]
s3 = boto3.client("s3", endpoint_url="{url}", aws_access_key_id=root[0], aws_secret_access_key=root[1], region_name="us-east-1")
s3.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
arn = "arn:aws:s3:::" + bucket
s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(dict(Version="2012-10-17", Statement=[
    dict(Effect="Allow", Principal=["writer"], Action=["s3:ListBucket", "s3:GetBucketLocation"], Resource=[arn]),
    dict(Effect="Allow", Principal=["writer"], Action=["s3:GetObject", "s3:PutObject", "s3:PutObjectRetention"], Resource=[arn + "/*"]),
    dict(Effect="Allow", Principal=["writer"], Action=["s3:DeleteObject"], Resource=[arn + "/restic/locks/*"]),
    dict(Effect="Allow", Principal=["pruner"], Action=["s3:ListBucket", "s3:GetBucketLocation"], Resource=[arn]),
    dict(Effect="Allow", Principal=["pruner"], Action=["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], Resource=[arn + "/*"])])))
"""


class ObjectStore:
    """versitygw as a unit of the machine."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    def start(self, bucket: str) -> dict[str, Any]:
        """Anew, with one bucket. Returns the repository in it, with the writer's key."""
        self.stop()
        with tools.ensure("versitygw").open("rb") as stream:
            subprocess.run(["docker", "exec", "-i", self.machine.container, "sh", "-c",
                            "cat > /usr/local/bin/versitygw && chmod 755 /usr/local/bin/versitygw"], stdin=stream, check=True)
        self.machine.sh(f"rm -rf {PLACE}; mkdir -p {PLACE}/iam {PLACE}/versions {PLACE}/data")
        self.machine.sh("umask 077; cat > /run/systemd/system/object-store.service; systemctl daemon-reload", data=_UNIT)
        self.go_on()
        root = KEYS["root"]
        for name in ("writer", "pruner"):
            self.machine.sh(f"versitygw admin --access '{root[0]}' --secret '{root[1]}' --endpoint-url {URL} create-user --access '{KEYS[name][0]}'"
                            f" --secret '{KEYS[name][1]}' --role user")
        self.machine.python(_BUCKET.format(url=URL), json.dumps(root), bucket)
        return {"location": f"s3:{URL}/{bucket}", "password": PASSWORD, "access_key": KEYS["writer"][0], "secret_key": KEYS["writer"][1],
                "lock_mode": "governance", "lock_days": 1}

    def go_on(self) -> None:
        self.machine.sh("systemctl start object-store; for i in $(seq 100); do bash -c '</dev/tcp/127.0.0.1/7070' 2>/dev/null && exit 0;"
                        " sleep 0.1; done; exit 1")

    @contextmanager
    def slow(self) -> Iterator[None]:
        """It stands still for nine tenths of the time."""
        beat = self.machine.background(
            "exec 2>/dev/null; while kill -STOP $(pidof versitygw); do sleep 0.27; kill -CONT $(pidof versitygw); sleep 0.03; done")
        try:
            yield
        finally:
            self.machine.sh("pkill -f 'kill -STO[P]'; kill -CONT $(pidof versitygw)", check=False)
            beat.wait(30)

    def stop(self) -> None:
        self.machine.sh("systemctl stop object-store 2>/dev/null; true")

    def keys(self) -> list[str]:
        """restic's keys in the bucket."""
        return self.boto("writer", 's3.list_objects_v2(Bucket="recovery-bodega", Prefix="restic/keys/").get("Contents", [])', show=True,
                         each='each["Key"]').split()

    @contextmanager
    def denied(self, action: str, objects: str) -> Iterator[None]:
        """The writer may not do that meanwhile."""
        arn = "arn:aws:s3:::recovery-bodega/" + objects
        self.boto("root", f"""
import json
policy = json.loads(s3.get_bucket_policy(Bucket="recovery-bodega")["Policy"])
policy["Statement"].append(dict(Effect="Deny", Principal=["writer"], Action=["{action}"], Resource=["{arn}"]))
s3.put_bucket_policy(Bucket="recovery-bodega", Policy=json.dumps(policy))""")
        try:
            yield
        finally:
            self.boto("root", """
import json
policy = json.loads(s3.get_bucket_policy(Bucket="recovery-bodega")["Policy"])
policy["Statement"] = [each for each in policy["Statement"] if each["Effect"] != "Deny"]
s3.put_bucket_policy(Bucket="recovery-bodega", Policy=json.dumps(policy))""")

    def boto(self, who: str, code: str, show: bool = False, each: str = "") -> str:
        """Run lines with ``s3``, a client with somebody's key. Returns what they print, or the error's code.

        :param show: the code is one expression, which is printed. :param each: as this, line by line.
        """
        key, secret = KEYS[who]
        if show:
            code = f"for each in {code}: print({each})" if each else f"print({code})"
        lines = "\n    ".join(code.strip().splitlines())
        return self.machine.python(f"""
import boto3, botocore.exceptions
s3 = boto3.client("s3", endpoint_url="{URL}", aws_access_key_id="{key}", aws_secret_access_key="{secret}", region_name="us-east-1")
try:
    {lines}
except botocore.exceptions.ClientError as error:
    print(error.response["Error"]["Code"])
""").strip()

