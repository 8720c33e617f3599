#!/usr/bin/python
# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: odoo_import
short_description: Make the database and filestore of a new instance from an Odoo backup
version_added: 0.1.0
description:
  - Takes a zip as Odoo's database manager, C(click-odoo-backupdb) or Odoo.sh write it, which lies on the instance's machine, and loads it into an
    instance that has neither database nor filestore yet. Runs there as root.
  - The zip holds one dump (C(dump.sql), C(dump.sql.gz), or PostgreSQL's custom format as C(dump.dump), C(database.dump) or C(db.dump)),
    C(filestore/) and perhaps C(manifest.json).
  - Whoever made the zip is not believed. Names that lead out of it, links, encrypted entries and sizes for which there is no room are refused before
    anything is written. The dump is loaded statement by statement, without psql and its shell commands, by a login that lives as long as the load,
    is no superuser and has nothing but the new database. Everything ends up owned by C(<database>_owner).
  - Left out, counted in RV(left_out) and named in RV(left_out_titles), is what belongs to the cluster that the dump comes from or to its superuser, with all
    that hangs on it. That is owners, grants, roles, settings, publications and subscriptions, event triggers, foreign servers and tables, untrusted languages,
    tablespaces, access methods, policies for roles that are not here, casts and operator classes of built-in types, and extensions that only watch a cluster
    or reach out of it, as C(pg_cron) and C(dblink). Tables of the shop and their rows are loaded, or the import fails.
  - Each file is proven by its name, which is its content's SHA-1. A torn one stays out, since Odoo would refuse to store the same document again in
    its place.
  - Nobody but the loading login gets into the database before it is whole. Then it is open to the members of C(<database>_owner), as a new one is.
    Release it with O(sysgenpro.odoo.odoo_release#module:adopt=true).
  - A schema C(sysgenpro) in the dump, the records of another instance of this platform, is dropped.
  - An import that was killed is begun anew by the same command.
attributes:
  check_mode:
    support: full
    description: Reads and checks the whole archive but for the rows and files in it. Writes nothing.
  diff_mode:
    support: full
    description: Whether database and filestore are there, and which archive they come from.
  idempotent:
    support: full
    description: The database bears the archive's SHA-256. A second run finds it and changes nothing, whatever was done with the database since.
extends_documentation_fragment:
  - sysgenpro.odoo.attributes
  - sysgenpro.odoo.attributes.actiongroup
  - sysgenpro.odoo.database
options:
  instance:
    description: Name of the instance, as in the inventory.
    type: str
    required: true
  archive:
    description: Absolute path of the zip on the machine.
    type: str
    required: true
  root:
    description: Directory of all instances on the machine.
    type: path
    default: /var/lib/sysgenpro/instances
  uid:
    description: Numeric user and group of the files.
    type: int
    required: true
  series:
    description: The series, as V(19.0), that the archive must be of. Compared with its manifest before, and with the database's C(base) after loading.
    type: str
  accept_losses:
    description:
      - Go on where files that the database names are missing in the archive or torn. They are told in RV(losses).
      - Otherwise that is an error, and what was loaded is removed.
    type: bool
    default: false
  neutralize:
    description:
      - Keep what is imported from sending mail, running scheduled actions, calling webhooks and taking payments. What would still act outside is counted
        at the end, and named by the error V(not_neutralized).
      - What the scripts of an image's add-ons switch off besides, O(sysgenpro.odoo.odoo_release#module:neutralize) does.
    type: bool
    default: true
  bounds:
    description: How long things may take, in seconds.
    type: dict
    default: {}
    suboptions:
      load:
        description: Loading the dump.
        type: int
        default: 14400
  requested_by:
    description: Who wants this. Shown to whoever finds the instance locked.
    type: str
    default: ''
  reason:
    description: Why.
    type: str
    default: ''
  expected_plan_digest:
    description: Refuse when the plan computed now has another digest than this, the approved one.
    type: str
requirements:
  - PostgreSQL's client programs of the cluster's major version (for the custom format)
  - python3-psycopg2
seealso:
  - module: sysgenpro.odoo.odoo_release
author:
  - SysGenPro (@sysgenpro)
"""

EXAMPLES = r"""
- name: Say what the backup holds, and whether it can be imported
  sysgenpro.odoo.odoo_import: &import
    instance: bodega-staging
    archive: /var/tmp/bodega.zip
    database:
      name: bodega_staging
      port: 5502
      socket: /run/sysgenpro/bodega-staging/postgresql
    uid: 20002
    series: "19.0"
  check_mode: true

- name: Import it
  sysgenpro.odoo.odoo_import: *import

- name: Import it though files are lost, and let it act as the shop
  sysgenpro.odoo.odoo_import:
    instance: bodega-production
    archive: /var/tmp/bodega.zip
    database:
      name: bodega_production
      port: 5503
      socket: /run/sysgenpro/bodega-production/postgresql
    uid: 20003
    accept_losses: true
    neutralize: false
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
      sample: [{name: load, title: Load dump and files, parameters: {}}]
archive:
  description: What the zip holds.
  returned: always
  type: dict
  contains:
    digest:
      description: Its SHA-256.
      type: str
      sample: sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
    bytes:
      description: Its size.
      type: int
      sample: 33554432
    dump:
      description: The dump's name.
      type: str
      sample: dump.sql
    dump_bytes:
      description: The dump's size.
      type: int
      sample: 67108864
    postgresql:
      description: PostgreSQL's major version that the dump is of. 0 where it does not say.
      type: int
      sample: 17
    files:
      description: How many stored files it holds.
      type: int
      sample: 812
    file_bytes:
      description: Their size.
      type: int
      sample: 33554432
    others:
      description: How many other entries, which are left alone.
      type: int
      sample: 0
    series:
      description: The series by C(manifest.json). Empty where that does not say.
      type: str
      sample: "19.0"
series:
  description: The series by the database, and by the manifest where nothing is loaded yet.
  returned: always
  type: str
  sample: "19.0"
modules:
  description: Installed modules with their versions, by the database, and by the manifest where nothing is loaded yet.
  returned: always
  type: dict
  sample: {base: 19.0.1.3, stock: 19.0.1.1}
files:
  description: How many stored files were loaded, how many of them the database names, and how many in the archive were torn.
  returned: when something was loaded
  type: dict
  sample: {named: 810, loaded: 812, torn: 0}
losses:
  description: Files that the database names and that are lost, as C(missing), C(torn) and all names of each. Null where nothing was loaded.
  returned: always
  type: dict
  sample: {missing: 1, torn: 0, missing_names: [ab/ab12], torn_names: []}
left_out:
  description: How many statements of the dump were left out, by kind.
  returned: always
  type: dict
  sample: {owners: 1200, privileges: 2, monitoring: 1, hanging: 3}
left_out_titles:
  description: The first 100 statements that were left out, with their kind and without values; but for owners, privileges, comments, sessions and settings.
  returned: always
  type: list
  elements: str
  sample: ["monitoring: CREATE EXTENSION IF NOT EXISTS pg_cron WITH SCHEMA pg_catalog", "hanging: COPY cron.job"]
neutralized:
  description: How many statements kept the database from acting outside.
  returned: when it was neutralized
  type: int
  sample: 12
timings:
  description: Seconds by step and of its parts C(database) and C(files), and C(total).
  returned: always
  type: dict
  sample: {load: 14.2, database: 14.1, files: 3.3, compare: 0.1, total: 15.0}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.run import (
    run,
)
from ansible_collections.sysgenpro.odoo.plugins.module_utils._recovery.importing.operation import (
    ARGUMENTS,
    ImportOperation,
)


def main():
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    run(module, lambda: ImportOperation(module.params))


if __name__ == "__main__":
    main()
