# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Print what was found as key=value; verify.yml knows what is right. First argument: the store's name."""

from __future__ import annotations

import os
import subprocess
import sys

import boto3
import botocore.client
import botocore.exceptions

BUCKET = "recovery-acme"
KEY = f"points/{os.urandom(4).hex()}.json"
CONFIG = botocore.client.Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1})


def client(key, secret):
    return boto3.client("s3", endpoint_url=f"https://{sys.argv[1]}:7070", aws_access_key_id=key, region_name="us-east-1",
                        aws_secret_access_key=secret, config=CONFIG, verify="/etc/ssl/certs/ca-certificates.crt")


def tell(name, call, **arguments):
    try:
        call(**arguments)
        print(f"{name}=ok")
    except botocore.exceptions.ClientError as error:
        print("{}={}".format(name, error.response["Error"]["Code"]))


writer, pruner = client("acme-writer", "writer of acme"), client("acme-pruner", "pruner of acme")
owner = client("root", "s \"e' {{ x }} $c")
tell("writes", writer.put_object, Bucket=BUCKET, Key=KEY, Body=b"x")
tell("reads", writer.get_object, Bucket=BUCKET, Key=KEY)
tell("lists", writer.list_objects_v2, Bucket=BUCKET)
version = writer.head_object(Bucket=BUCKET, Key=KEY)["VersionId"]
tell("deletes", writer.delete_object, Bucket=BUCKET, Key=KEY)
writer.put_object(Bucket=BUCKET, Key="restic/locks/a", Body=b"x")
tell("deletes-lock", writer.delete_object, Bucket=BUCKET, Key="restic/locks/a")
tell("deletes-version", writer.delete_object, Bucket=BUCKET, Key=KEY, VersionId=version)
tell("rules", writer.put_object_lock_configuration, Bucket=BUCKET, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"})
tell("elsewhere", writer.get_object, Bucket="recovery-bodega", Key="x")
writer.meta.events.register("before-call.s3.PutObject", lambda params, **_: params["headers"].update({"If-None-Match": "*"}))
tell("once", writer.put_object, Bucket=BUCKET, Key=KEY, Body=b"y")
tell("pruner-deletes", pruner.delete_object, Bucket=BUCKET, Key=KEY)
tell("pruner-version", pruner.delete_object, Bucket=BUCKET, Key=KEY, VersionId=version)
# What is locked outlives everybody's delete, the owner's too.
tell("owner-version", owner.delete_object, Bucket=BUCKET, Key=KEY, VersionId=version)
tell("still-there", owner.get_object, Bucket=BUCKET, Key=KEY, VersionId=version)
denied = subprocess.run(["setpriv", "--reuid", "20001", "--regid", "20001", "--clear-groups", "cat", "/etc/sysgenpro/object-store/iam/users.json"],
                        capture_output=True, text=True, check=False)
print("secret={}".format(denied.stderr.count("denied")))
