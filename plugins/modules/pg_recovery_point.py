#!/usr/bin/python
# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pg_recovery_point
short_description: Capture, verify, restore and expire an Odoo instance's database and filestore as one
version_added: 0.1.0
description:
  - A recovery point is an instance's database and filestore at one moment, under one signed manifest that is written last.
  - Runs on the instance's machine as root, while Odoo works. Attachments are pinned by hard links without any lock; then, under a lock
    that only Odoo's garbage collector notices and that is held for milliseconds, a snapshot is exported and the rest is pinned.
    C(pg_dump) dumps that snapshot, and restic stores dump and files, reading only files that are new.
  - A file that is missing, or whose content is not what its name says, is named with a warning, each time until somebody accepts the loss; the point is
    taken without it and says so.
  - A restore is never in place. It makes a new database, closed to logins, and a new filestore.
attributes:
  check_mode:
    support: full
    description: Everything but the steps of the plan. Writes nothing anywhere.
  diff_mode:
    support: full
    description: The plan's before and after.
  idempotent:
    support: partial
    description:
      - A capture without O(max_age) always takes a point. Everything else changes nothing a second time; a restore into a target that
        is in use, or holds anything else, is refused.
      - A run that finds a point young enough reads the documents and makes one database query. It starts no restic.
extends_documentation_fragment:
  - sysgenpro.odoo.attributes
  - sysgenpro.odoo.attributes.actiongroup
  - sysgenpro.odoo.repository
  - sysgenpro.odoo.database.recovery
options:
  instance:
    description: Name of the instance, as in the inventory.
    type: str
    required: true
  tenant:
    description: Whose instance it is. Recorded where the database does not say; refused where it says otherwise.
    type: str
    default: ''
  environment:
    description: Which environment it belongs to. Recorded where the database does not say; refused where it says otherwise.
    type: str
    default: ''
  data_class:
    description: What kind of data it holds. Recorded where the database does not say; refused where it says otherwise.
    type: str
    choices: ['', production, masked, synthetic]
    default: ''
  state:
    description:
      - V(captured) takes a recovery point, or finds that the newest is not older than O(max_age).
      - V(verified) reads everything that was stored for O(point) again, proves each file by its name, reads the dump as a restore would,
        and loads all of it but the rows into a scratch database in the cluster of O(database), which is removed again.
        A point that was verified before is read again where that is longer ago than O(max_age).
      - V(restored) makes O(target) from O(point).
      - V(held) keeps O(point) from expiring until O(keep_until).
      - V(absent) removes points that O(retention) does not keep, and those in O(points).
    type: str
    choices: [captured, verified, restored, held, absent]
    default: captured
  engine:
    description: How the database is captured.
    type: str
    choices: [dump]
    default: dump
  root:
    description: Directory of all instances on the machine.
    type: path
    default: /var/lib/sysgenpro/instances
  source:
    description: The instance whose point is meant, where it is another one. Not with O(state=captured).
    type: str
  point:
    description: Id of a recovery point, V(latest) or V(latest_verified).
    type: str
    default: latest
  max_age:
    description: With O(state=captured) and O(state=verified), how old in seconds the newest may be. 0 captures always, and verifies once.
    type: int
    default: 0
  keep_until:
    description: With O(state=captured) and O(state=held), the moment, with time zone, before which the point does not expire.
    type: str
  accepted_losses:
    description:
      - Names of stored files (C(ab/ab12...)) that attachments refer to and that are known to be lost. Recorded in the manifest.
      - Those that are lost indeed are remembered on the machine, with who accepted them and when; later captures need not name them.
    type: list
    elements: str
    default: []
  accept_losses:
    description: With O(state=captured), whether to accept, and remember, all files that are lost now. RV(losses) names them.
    type: bool
    default: false
  load_schema:
    description:
      - With O(state=verified), whether to load the schema. V(false) verifies without; the point then shows V(skipped) in RV(points.schema), and is
        verified once more where somebody asks for it.
    type: bool
    default: true
  secret_names:
    description: Names, never values, of the secrets that a rebuild of the instance needs. Recorded in the manifest.
    type: list
    elements: str
    default: []
  target:
    description: What O(state=restored) makes.
    type: dict
    suboptions:
      database:
        description: Name of the new database, in the cluster of O(database).
        type: str
        required: true
      filestore:
        description: Directory of the new filestore.
        type: path
        required: true
      owner:
        description:
          - Role that shall own the database. Where it is another than the point's, objects are given to it; schema C(sysgenpro) stays the
            superuser's.
        type: str
        required: true
      uid:
        description: Numeric user and group of the files.
        type: int
        required: true
  retention:
    description: With O(state=absent), how many points to keep. The newest verified one, and what is held or locked, stays anyway.
    type: dict
    suboptions:
      last:
        description: The newest ones.
        type: int
        default: 0
      daily:
        description: One of each of the newest days that have one, in UTC.
        type: int
        default: 0
      weekly:
        description: One of each of the newest weeks that have one.
        type: int
        default: 0
      monthly:
        description: One of each of the newest months that have one.
        type: int
        default: 0
  points:
    description: With O(state=absent), ids of points to remove.
    type: list
    elements: str
    default: []
  pruning:
    description: S3 key that may delete, kept apart from the writer's. Used with O(state=absent) only.
    type: dict
    suboptions:
      access_key:
        description: Access key.
        type: str
        required: true
      secret_key:
        description: Its secret.
        type: str
        required: true
  prune:
    description: With O(state=absent), whether to remove data that no point needs any more.
    type: bool
    default: true
  trusted_signers:
    description:
      - Public keys (C(ssh-ed25519 AAAA...)) of other machines whose documents are to be believed. This machine's own always is.
    type: list
    elements: str
    default: []
  jobs:
    description: Parallel jobs of C(pg_dump) and C(pg_restore).
    type: int
    default: 2
  nice:
    description: Niceness of the programs that read and store.
    type: int
    default: 10
  limits:
    description: Bounds on the repository's traffic, in KiB/s. 0 is none.
    type: dict
    default: {}
    suboptions:
      upload:
        description: Upload.
        type: int
        default: 0
      download:
        description: Download.
        type: int
        default: 0
  bounds:
    description: How long things may take, in seconds.
    type: dict
    default: {}
    suboptions:
      lock:
        description: Waiting for the lock on attachments while Odoo's garbage collector has it. Tried three times.
        type: int
        default: 10
      call:
        description: A call to the repository that moves little.
        type: int
        default: 120
      transfer:
        description: A call to the repository that moves all.
        type: int
        default: 14400
      dump:
        description: Dumping, reading or loading the database.
        type: int
        default: 14400
      schema:
        description: Loading the schema at a verification.
        type: int
        default: 600
  requested_by:
    description: Who wants this. Recorded.
    type: str
    default: ''
  reason:
    description: Why. Recorded.
    type: str
    default: ''
  expected_plan_digest:
    description: Refuse when the plan computed now has another digest than this, the approved one.
    type: str
requirements:
  - restic (0.14 or newer)
  - openssh-client
  - PostgreSQL's client programs of the cluster's major version
  - python3-psycopg2
  - python3-boto3 (for S3 only)
author:
  - SysGenPro (@sysgenpro)
"""

EXAMPLES = r"""
- name: Capture unless there is a point of the last hour
  sysgenpro.odoo.pg_recovery_point:
    instance: acme-production
    database: &acme_database
      name: acme_production
      port: 5501
      socket: /run/sysgenpro/acme-production/postgresql
    repository: &acme_repository
      location: s3:https://s3.example.com/recovery-acme
      password: "{{ acme_repository_password }}"
      access_key: "{{ acme_writer.access_key }}"
      secret_key: "{{ acme_writer.secret_key }}"
      lock_mode: governance
      lock_days: 14
    max_age: 3600
    requested_by: timer

- name: Prove that it can be read
  sysgenpro.odoo.pg_recovery_point:
    state: verified
    instance: acme-production
    database: *acme_database
    repository: *acme_repository

- name: Bring it back beside a running instance
  sysgenpro.odoo.pg_recovery_point:
    state: restored
    instance: acme-scratch
    source: acme-production
    point: latest_verified
    database:
      name: acme_scratch
      port: 5509
      socket: /run/sysgenpro/acme-scratch/postgresql
    target:
      database: acme_scratch
      filestore: /var/lib/sysgenpro/instances/acme-scratch/data/filestore/acme_scratch
      owner: acme_scratch_owner
      uid: 20009
    repository: *acme_repository

- name: Say what the policy would remove, and why
  sysgenpro.odoo.pg_recovery_point:
    state: absent
    instance: acme-production
    repository: *acme_repository
    pruning: "{{ acme_pruning }}"
    retention:
      last: 3
      daily: 7
      weekly: 4
      monthly: 12
  check_mode: true
"""

RETURN = r"""
plan:
  description: What was, or would be, done.
  returned: always
  type: dict
  contains:
    digest:
      description: What an approval names.
      type: str
      sample: sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
    steps:
      description: Steps in order, each with C(name), C(title) and C(parameters).
      type: list
      elements: dict
      sample: [{name: pin, title: Pin all files that are referenced, parameters: {}}]
    keep:
      description: With O(state=absent), reasons by point that stays.
      type: dict
      sample: {20261121T101500-0a1b2c3d: [the newest verified one, last 1 of 3]}
    remove:
      description: With O(state=absent), why, by point that goes.
      type: dict
      sample: {20261101T101500-0a1b2c3d: outside the policy}
point:
  description: The recovery point this was about, as in RV(points). Null where there is none.
  returned: always
  type: dict
  sample: {id: 20261121T101500-0a1b2c3d, state: captured}
points:
  description: All recovery points, newest first.
  returned: always
  type: list
  elements: dict
  contains:
    id:
      description: The id; ids sort by the moment, in UTC.
      type: str
      sample: 20261121T101500-0a1b2c3d
    state:
      description: V(captured), V(verified), V(failed) where the last verification proved it bad, or V(untrusted).
      type: str
      sample: verified
    schema:
      description:
        - Of a verified point whether its schema was loaded; V(loaded), V(skipped) where O(load_schema=false) was given, or V(unknown) where it was verified
          by an earlier version.
      type: str
      sample: loaded
    losses:
      description: How many files that attachments name are not in it; C(accepted), and C(new) ones that nobody accepted.
      type: dict
      sample: {accepted: 150, new: 0}
    taken:
      description: The moment the database is of.
      type: str
      sample: "2026-11-21T10:15:00.123000+00:00"
    age:
      description: Seconds since then.
      type: int
      sample: 3600
    problem:
      description: Why it cannot be trusted.
      type: str
      sample: ""
    ignored:
      description: Verifications and holds beside its manifest that are not believed, each with why. Such a hold keeps the point all the same.
      type: list
      elements: str
      sample: []
    hold:
      description: Until when it does not expire.
      type: str
      sample: ""
    bytes:
      description: Size of dump and files.
      type: int
      sample: 1073741824
    added:
      description: Bytes that were new to the repository.
      type: int
      sample: 10485760
losses:
  description: With O(state=captured), all names of files that attachments name and that are not in the point.
  returned: when a point was taken
  type: dict
  contains:
    accepted:
      description: Who accepted each, when, and how, by its name.
      type: dict
      sample: {ab/ab12cd34ef56ab12cd34ef56ab12cd34ef56ab12: {who: jana, at: "2026-11-21T10:15:00+00:00", how: accepted at an import}}
    torn:
      description: Those that are there and not what their names say, or cannot be read, and that nobody accepted.
      type: list
      elements: str
      sample: []
    missing:
      description: Those that are not there, and that nobody accepted.
      type: list
      elements: str
      sample: []
timings:
  description: Seconds by step, C(total), and C(lock_held), for which Odoo's garbage collector was kept out.
  returned: always
  type: dict
  sample: {pin: 0.4, freeze: 0.2, lock_held: 0.012, dump: 1.8, store: 1.3, total: 4.2}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.run import (
    run,
)
from ansible_collections.sysgenpro.odoo.plugins.module_utils._recovery.arguments import (
    ARGUMENTS,
)
from ansible_collections.sysgenpro.odoo.plugins.module_utils._recovery.operation import (
    RecoveryOperation,
)


def main():
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    run(module, lambda: RecoveryOperation(module.params))


if __name__ == "__main__":
    main()
