# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep the buckets of the object store on this machine. Standard input: JSON with url, root and buckets. Prints what was changed."""

from __future__ import annotations

import json
import sys
import time

import boto3
import botocore.client
import botocore.exceptions

PATIENCE = 30
READ = ["s3:ListBucket", "s3:GetBucketLocation", "s3:ListBucketMultipartUploads"]
WRITE = ["s3:GetObject", "s3:PutObject", "s3:PutObjectRetention", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]


def policy(bucket):
    """Who may do what: nobody but the owner reaches versions, retention that is there, or the bucket's rules."""
    arn = "arn:aws:s3:::" + bucket["name"]
    writer, pruner = bucket["writer"]["access_key"], bucket["pruner"]["access_key"]
    return {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": [writer, pruner], "Action": READ, "Resource": [arn]},
        {"Effect": "Allow", "Principal": [writer, pruner], "Action": WRITE, "Resource": [arn + "/*"]},
        {"Effect": "Allow", "Principal": [writer], "Action": ["s3:DeleteObject"], "Resource": [arn + "/restic/locks/*"]},
        {"Effect": "Allow", "Principal": [pruner], "Action": ["s3:DeleteObject"], "Resource": [arn + "/*"]},
    ]}


def lock(bucket):
    """The rule for objects whose writer names none."""
    rule = {"ObjectLockEnabled": "Enabled"}
    # A role's specification checks what is within a list, and fills in no defaults there.
    if bucket.get("lock_days"):
        rule["Rule"] = {"DefaultRetention": {"Mode": (bucket.get("lock_mode") or "governance").upper(), "Days": bucket["lock_days"]}}
    return rule


def seen(call, key, **arguments):
    """What the store has, or None."""
    try:
        return call(**arguments)[key]
    except botocore.exceptions.ClientError:
        return None


def keep(s3, bucket):
    name = bucket["name"]
    if name not in {found["Name"] for found in s3.list_buckets()["Buckets"]}:
        s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
        print("made " + name)
    if seen(s3.get_bucket_versioning, "Status", Bucket=name) != "Enabled":
        sys.exit(name + " is there without versions, and Object Lock cannot be had for it any more: give another name")
    found = seen(s3.get_object_lock_configuration, "ObjectLockConfiguration", Bucket=name) or {}
    # No rule may read as an empty one.
    if {key: value for key, value in found.items() if value} != lock(bucket):
        s3.put_object_lock_configuration(Bucket=name, ObjectLockConfiguration=lock(bucket))
        print("locks of " + name)
    text = seen(s3.get_bucket_policy, "Policy", Bucket=name)
    if not text or json.loads(text) != policy(bucket):
        s3.put_bucket_policy(Bucket=name, Policy=json.dumps(policy(bucket)))
        print("rights of " + name)


def main():
    wanted = json.load(sys.stdin)
    # This is the machine itself: the certificate is for its name, not for the loopback's.
    s3 = boto3.client("s3", endpoint_url=wanted["url"], aws_access_key_id=wanted["root"]["access_key"], region_name="us-east-1",
                      aws_secret_access_key=wanted["root"]["secret_key"], verify=False,
                      config=botocore.client.Config(s3={"addressing_style": "path"}, retries={"max_attempts": 2}))
    end = time.monotonic() + PATIENCE
    while True:
        try:
            s3.list_buckets()
            break
        except botocore.exceptions.EndpointConnectionError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)
    for bucket in wanted["buckets"]:
        keep(s3, bucket)


if __name__ == "__main__":
    main()
