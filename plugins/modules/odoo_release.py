#!/usr/bin/python
# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: odoo_release
short_description: Converge an Odoo instance to a release without losing a request
version_added: 0.1.0
description:
  - Brings one Odoo instance, its database and its processes to a release that is named by the digest of its image.
  - Runs on the instance's machine as root. It observes the image's release record, the database's applied record,
    the containers, the front and the journal in one pass, plans, and carries the plan out step by step.
  - A release that changes no schema is switched blue-green. One that does is applied while requests wait at the edge,
    with an undo copy of the database; before requests are let go, every failure undoes itself.
  - An operation that was interrupted is finished or undone by the next run.
attributes:
  check_mode:
    support: full
    description: Everything but the steps of the plan. Writes nothing anywhere.
  diff_mode:
    support: full
    description: The plan's before and after.
  idempotent:
    support: full
    description: A converged run makes one Docker call, one database query and one nftables call, and changes nothing.
extends_documentation_fragment:
  - sysgenpro.odoo.attributes
  - sysgenpro.odoo.attributes.actiongroup
  - sysgenpro.odoo.repository.release
  - sysgenpro.odoo.database.release
options:
  instance:
    description: Name of the instance, as in the inventory. Lower-case letters, digits and C(-), at most 40 characters.
    type: str
    required: true
  tenant:
    description: Whose instance it is. Kept in the database as part of its identity.
    type: str
    required: true
  environment:
    description: Which environment it belongs to. Kept in the database as part of its identity.
    type: str
    required: true
  data_class:
    description:
      - What kind of data the instance may hold. A database of another class stops everything before a process starts.
    type: str
    choices: [production, masked, synthetic]
    required: true
  release:
    description:
      - Image reference by digest, C(registry:port/repository@sha256:...). A tag is refused.
      - Required for all states but V(rolled_back) and V(absent).
    type: str
  state:
    description:
      - V(planned) computes the plan and writes nothing anywhere.
      - V(rehearsed) makes a clone of database and filestore without any network, runs the update on it, stores what
        it measured for later plans, and removes the clone.
      - V(staged) brings the other colour up, proven ready, but not routed. Only for a release that needs no update.
      - V(released) converges the instance to O(release).
      - V(rolled_back) goes back to the release that ran before. Where an update lies between, that discards what was done since; it takes
        O(recovery) and, as a confirmation, O(expected_plan_digest), and the plan says what would be lost.
      - V(absent) removes processes and front. Database and filestore stay unless O(purge) repeats the instance's name.
    type: str
    choices: [planned, rehearsed, staged, released, rolled_back, absent]
    default: released
  registry:
    description: How to reach the registry that O(release) names.
    type: dict
    default: {}
    suboptions:
      username:
        description: User name.
        type: str
      password:
        description: Password.
        type: str
      ca_path:
        description: File with the certificate authority to trust. Default is the machine's own trust store.
        type: path
  runtime:
    description: Where the instance's processes run. With V(kubernetes) the module runs in the instance's toolbox.
    type: str
    choices: [docker, kubernetes]
    default: docker
  subnet:
    description: The instance's Docker network, from which the addresses of front and colours derive. Required with O(runtime=docker).
    type: str
  namespace:
    description: The instance's namespace, with O(runtime=kubernetes). Default is the instance's name.
    type: str
  uid:
    description: Numeric user and group of the instance's processes and files.
    type: int
    required: true
  placement:
    description: C(nodeSelector), C(tolerations) and C(priorityClassName) of the instance's pods, with O(runtime=kubernetes).
    type: dict
    default: {}
  root:
    description: Directory of all instances on the machine.
    type: path
    default: /var/lib/sysgenpro/instances
  session:
    description: The session store in Redis. Without it sessions lie in the filestore's directory.
    type: dict
    suboptions:
      socket:
        description: Path of the Redis socket, with O(runtime=docker).
        type: path
      host:
        description: Host of the Redis, with O(runtime=kubernetes).
        type: str
      port:
        description: Its port.
        type: int
        default: 6379
      tls:
        description: Whether it is spoken to by TLS.
        type: bool
        default: true
      ca_path:
        description: File with the authorities that are trusted for it. Default is the trust store of the image.
        type: path
      username:
        description: ACL user.
        type: str
        default: odoo
      password:
        description: Password of the ACL user.
        type: str
        required: true
  config:
    description:
      - Options of C(odoo.conf), by name. What the platform sets itself (database, addresses, workers, paths) cannot be given.
      - An option whose name says that it is a secret (C(admin_passwd), C(smtp_password), and what ends in C(_password), C(_passwd), C(_passphrase),
        C(_secret) or C(_token)) is refused here; give it as O(config_secrets).
    type: dict
    default: {}
  config_secrets:
    description:
      - Options of C(odoo.conf) that are secrets, by name. They show in no log, plan or label, and lie on the machine only in the files that the processes
        read. A changed one takes effect as a release of class V(code).
      - Their values are blanked out wherever they occur in what the module returns, so give nothing here that is no secret.
    type: dict
    default: {}
  environment_variables:
    description:
      - Further environment variables of all processes. They show in C(docker inspect), so one whose name says that it is a secret is refused; Odoo's
        code reads options of O(config_secrets) as well.
    type: dict
    default: {}
  processes:
    description: Sizes of the processes of one colour.
    type: dict
    default: {}
    suboptions:
      web_replicas:
        description:
          - Pods of a colour that serve HTTP, with O(runtime=kubernetes).
          - More than one takes a claim that several nodes can mount, or one node for all.
        type: int
        default: 1
      web_replicas_most:
        description:
          - Pods that the colour that leads may grow to while it is busy, with O(runtime=kubernetes). V(0) is as many as O(processes.web_replicas), always.
          - A colour that takes over begins with as many as the one before it has.
          - The database's connections have to be enough for two colours of so many.
        type: int
        default: 0
      web_busy_cpu:
        description:
          - Per cent of O(processes.web_cpus) that pods use on average, beyond which there shall be more. V(0) looks at O(processes.web_busy_metric) alone.
        type: int
        default: 70
      web_busy_metric:
        description:
          - A metric of each pod beyond whose O(processes.web_busy_target) there shall be more, as a metrics adapter of the cluster calls it.
          - Each pod tells C(sysgenpro_odoo_requests), its requests under way, at C(/metrics) of port 8068, in the format of Prometheus.
        type: str
        default: ""
      web_busy_target:
        description: The metric's average over the pods, as V(3) or V(500m).
        type: str
        default: ""
      web_workers:
        description: HTTP workers, of each container or pod.
        type: int
        default: 2
      web_memory:
        description: Memory limit of the web container, with a unit.
        type: str
        default: 2g
      web_cpus:
        description: CPU limit of the web container. 0 is none.
        type: float
        default: 0
      cron_threads:
        description: Cron workers.
        type: int
        default: 1
      cron_memory:
        description: Memory limit of the cron container, with a unit.
        type: str
        default: 1g
      cron_cpus:
        description: CPU limit of the cron container. 0 is none.
        type: float
        default: 0
      cron_loads:
        description:
          - Server-wide add-ons that begin to work by themselves. Only the cron process loads them, which runs in the leading colour alone;
            in any other they would work twice, and in a colour that is only staged.
          - C(queue_job) needs no naming. It is loaded by the queue process alone, whatever O(config) says of C(server_wide_modules).
        type: list
        elements: str
        default: []
      queue_channels:
        description:
          - Channels of C(queue_job), as C(root:4,root.mail:1). The process that runs jobs has as many workers as the capacity of C(root), and there is none
            for V(root:0). Default is what C(queue_job) does when nothing is said, one job at a time.
          - What is changed here and below makes the queue process anew, and nothing else.
        type: str
        default: ""
      queue_memory:
        description: Memory limit of the queue container, with a unit.
        type: str
        default: 1g
      queue_cpus:
        description: CPU limit of the queue container. 0 is none.
        type: float
        default: 0
      db_maxconn:
        description: Database connections a process may open.
        type: int
        default: 8
  modules:
    description: Modules by what shall be with them. Others stay as they are.
    type: dict
    default: {}
    suboptions:
      install:
        description: Modules that shall be installed.
        type: list
        elements: str
        default: []
      uninstall:
        description: Modules that shall not be installed. Their data is lost; modules that depend on them must be named too.
        type: list
        elements: str
        default: []
      without_code:
        description:
          - Modules that live in the database only, where Odoo does not say so itself. It does of C(studio_customization), and of what was imported as long as
            C(base_import_module) is installed.
          - A release need not hold them. What they depend on it must hold.
          - Nothing is believed here of a module whose code the running release holds, or whose Python made a model.
        type: list
        elements: str
        default: []
  languages:
    description: Languages that shall be active, as C(fr_FR), C(ar_001) or C(sr@Cyrl).
    type: list
    elements: str
    default: []
  demo:
    description: Load demo data when a new database is made.
    type: bool
    default: false
  template:
    description:
      - Directory on the machine with C(database.dump) (custom format), C(filestore/) and C(template.json), from which
        a database that does not exist yet is made. Without it a new database is installed from nothing.
    type: path
  admin_password:
    description:
      - Password of the user C(admin) of a database that is made from nothing or from O(template); everybody else who comes with one, as demo data bring
        them, can not log in before C(admin) gives them one. Of a database that is there, restored or imported no password is touched.
      - Required where a database is made. Empty leaves the passwords that everybody knows, for a shop that is shown to nobody.
    type: str
  adopt:
    description:
      - Take over a database that was never released this way. It is recorded and not touched, and O(release) must
        hold the modules it has. Whatever is connected to it so far must have ended.
    type: bool
    default: false
  neutralize:
    description:
      - With O(adopt), for a database that was imported as a copy. Before anything of it starts, it is kept from sending mail, running scheduled actions,
        calling webhooks and taking payments, by what the image's own add-ons say (C(data/neutralize.sql)) and by what this collection knows.
      - Never for a database that is the shop itself. One that was released before is left as it is.
    type: bool
    default: false
  rehearsal:
    description:
      - Whether an update must have been rehearsed. V(auto) uses a stored rehearsal where there is one.
      - With V(required), O(state=released) is refused until a rehearsal of exactly this change succeeded; V(planned) only says so.
    type: str
    choices: [auto, required]
    default: auto
  canary:
    description:
      - With O(runtime=kubernetes), the shares of the requests that the new colour of a release of class C(code) is given, one after another, before it leads.
      - Traefik shares them out. A browser stays with the colour that it was led to for as long as a share lasts. Scheduled actions stay with the old colour.
      - Where the new colour fares worse than it may beside the old one meanwhile, the release is undone by itself.
      - A release of another class has none. The route must be one of M(sysgenpro.odoo.traefik_route).
    type: dict
    suboptions:
      steps:
        description: Of a hundred requests, each number larger than the one before, such as V([5, 25, 100]).
        type: list
        elements: int
        required: true
      watch:
        description: Seconds for which each share is watched.
        type: int
        default: 60
      errors:
        description:
          - How many of a hundred requests more may fail on the new colour than on the old one. Those are answers of 500 and above, and what raises in Odoo.
          - Below 20 requests two failures are too many.
        type: float
        default: 1
      slower:
        description: How many times as long as on the old colour the median request may take, where each has answered 20 or more.
        type: float
        default: 3
  bounds:
    description: How long things may take, in seconds, and how many at a time.
    type: dict
    default: {}
    suboptions:
      pull:
        description: Pulling the image.
        type: int
        default: 1800
      ready:
        description: A new colour until it is proven ready.
        type: int
        default: 180
      drain:
        description: Requests under way before an update. Past it the release is given up and the request named.
        type: int
        default: 30
      finish:
        description: Requests under way on the old colour after a switch. Past it they are named and ended.
        type: int
        default: 600
      cron:
        description: A running scheduled action. Past it the release is given up and the action named.
        type: int
        default: 120
      queue:
        description: Running jobs of C(queue_job). Past it the release is given up and the jobs named.
        type: int
        default: 120
      update:
        description: The update itself.
        type: int
        default: 1800
      updates_at_once:
        description: How many instances of a machine may be updated at the same time. Others wait for their turn.
        type: int
        default: 1
      max_pause:
        description:
          - The longest pause requests are to wait through. Where a rehearsal predicts more, the edge shows the
            maintenance page; where an update exceeds it, it shows from then on.
        type: int
        default: 55
      watch:
        description: How long the edge's error rate is watched after a switch before the old colour ends.
        type: int
        default: 3
      count:
        description:
          - How long after requests were let go the edge's answers are counted, before the operation ends. Nobody waits for it but who started it.
        type: int
        default: 60
  edge:
    description: The edge in front of the instance.
    type: dict
    default: {}
    suboptions:
      metrics_url:
        description: Traefik's metrics, to watch the error rate. Without it nothing is watched.
        type: str
      access_log:
        description: Traefik's access log in JSON, to tell how many requests waited, how many were answered 5xx, and why. Where there is none
          that can be read, O(edge.metrics_url) tells the numbers alone.
        type: path
      service:
        description: Traefik's name of the service. Default is the instance with C(@file).
        type: str
      maintenance:
        description: Address and port that answer every request with the maintenance page.
        type: str
        default: 172.28.0.2:8069
  point:
    description:
      - With O(state=rolled_back), the recovery point to go back to, an id or V(latest_verified).
      - Default is the release before; where an update lies between, the newest verified point that was taken while it ran.
    type: str
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
  purge:
    description:
      - With O(state=absent), repeat the instance's name to drop its database and filestore too, with every copy that releases left beside them
        (the undo copy, clones, databases that were gone back from) and what was exported of those.
    type: str
requirements:
  - python3-docker
  - python3-psycopg2
  - nftables
author:
  - SysGenPro (@sysgenpro)
"""

EXAMPLES = r"""
- name: Say what a release would do
  sysgenpro.odoo.odoo_release:
    state: planned
    instance: acme-production
    tenant: acme
    environment: production
    data_class: production
    release: registry.example.com:5000/odoo@sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
    subnet: 172.28.1.0/24
    uid: 20001
    database:
      name: acme_production
      port: 5501
      socket: /run/sysgenpro/acme-production/postgresql
      passwords: "{{ acme_database_passwords }}"
  register: acme_plan

- name: Release exactly what was approved
  sysgenpro.odoo.odoo_release:
    instance: acme-production
    tenant: acme
    environment: production
    data_class: production
    release: registry.example.com:5000/odoo@sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
    subnet: 172.28.1.0/24
    uid: 20001
    database:
      name: acme_production
      port: 5501
      socket: /run/sysgenpro/acme-production/postgresql
      passwords: "{{ acme_database_passwords }}"
    expected_plan_digest: "{{ acme_plan.plan.digest }}"
    requested_by: jane
    reason: Price rules for the weekend
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
      sample: [{name: switch, title: Lead the front to green, parameters: {colour: green}}]
    before:
      description: What is.
      type: dict
      sample: {release: null}
    after:
      description: What will be.
      type: dict
      sample: {colour: green}
    class:
      description: V(code), V(update), V(create), V(adopt), V(remove) or V(none).
      type: str
      sample: update
    strategy:
      description: V(switch), V(hold) or V(maintenance).
      type: str
      sample: hold
    reasons:
      description: Why each module is to be updated.
      type: dict
      sample: {stock: [python]}
    rehearsal:
      description: What a rehearsal of this very step measured, where there is one.
      type: dict
      sample: {pause: 14.2}
    cannot_hold:
      description: Why requests cannot wait before this instance, so that the maintenance page is shown.
      returned: where it is so, and requests would have to wait
      type: str
      sample: a Service of this cluster without a pod (acme/none, 10.96.0.8) does not refuse connections at once, so no request can wait
    in_use:
      description: Roles other than the instance's that are connected to a database which is to be adopted; while there are any it is refused.
      returned: where there are some
      type: list
      elements: str
      sample: [odoo]
    without_code:
      description: Installed modules that live in the database only, and that the release need not hold.
      returned: where there are some, and the release is not the one that runs
      type: list
      elements: str
      sample: [studio_customization]
    left_out:
      description: Modules that would install themselves in a new database and that Odoo cannot install, and why.
      returned: where there are some
      type: dict
      sample: {pos_bridge: "needs pos_loyalty, which the image does not offer"}
    extensions:
      description: What a database should have of those that Odoo gives its own, and cannot be given.
      returned: where there is something
      type: list
      elements: str
      sample: ["the cluster does not offer pg_trgm: install postgresql-contrib"]
    gates:
      description:
        - On a governed machine, all gates of this plan at once. Of each it says whether it C(passed), the C(reason), what it C(needs), and C(who) can
          see to that.
        - C(outcome) is V(passed), V(failed), or V(broken) where an emergency broke what is closed.
      returned: on a governed machine, where there is something to do
      type: dict
      sample: {outcome: failed, passed: false, gates: [{gate: sbom, passed: false, reason: there is no SBOM, needs: make one, who: build@example.com}]}
    provenance:
      description:
        - Where the image comes from, as its builder signed it - who signed, base image, add-ons with commits and their signers, components of the SBOM,
          signatures of the image. Null where no gate asked for it or nothing was believed.
      returned: on a governed machine, where there is something to do
      type: dict
    must_be_rehearsed:
      description: That O(rehearsal=required) and no rehearsal of this very step succeeded yet.
      returned: where it is so
      type: bool
      sample: true
timings:
  description: Seconds by phase, on the monotonic clock.
  returned: always
  type: dict
  sample: {plan: 0.2, total: 21.4}
instance:
  description: What runs now; see M(sysgenpro.odoo.odoo_release_info).
  returned: always
  type: dict
  sample: {colour: green, release: sha256:2c26b46b68ffc68f}
operation:
  description: The operation that was carried out.
  returned: when something was done
  type: dict
  contains:
    id:
      description: Its name in the journal's history.
      type: str
      sample: 20261121T101500-released
    pause:
      description: Seconds from hold to let go. 0 where nothing was held.
      type: float
      sample: 14.8
    steps:
      description: The journal's entries.
      type: list
      elements: dict
      sample: [{event: done, step: switch, seconds: 4.2}]
    answered:
      description: What the edge answered between the hold (or the switch) and O(bounds.count) seconds after requests were let go;
        null where neither an access log nor metrics could be read.
      type: dict
      contains:
        requests:
          description: Requests that were answered meanwhile.
          type: int
          sample: 412
        failed:
          description: How many of them were answered 5xx.
          type: int
          sample: 0
        limited:
          description: How many were answered 429, by the route's rate limit of one address; null where only the metrics tell.
          type: int
          sample: 0
        waited:
          description: How many waited together when requests were let go; null where only the metrics tell.
          type: int
          sample: 37
        longest:
          description: The longest that one of those waited, in seconds.
          type: float
          sample: 12.4
        reasons:
          description: Why requests were answered 5xx, each with C(count) and a few C(paths).
          type: list
          elements: dict
          sample: [{reason: Odoo answered 500, count: 2, paths: [GET /shop]}]
    warnings:
      description: What deserves a look.
      type: list
      elements: str
      sample: []
ledger:
  description: The newest entry of the instance's ledger, with C(sequence) and C(digest); or the C(problem) for which what was done is not there yet.
  returned: on a governed machine, where something was done
  type: dict
  sample: {sequence: 12, digest: "sha256:2c26b46b68ffc68f"}
removed:
  description: Names of the steps that O(state=absent) carried out.
  returned: when something was removed
  type: list
  elements: str
  sample: [close_front, remove_places, shut_logins]
purged:
  description: Names of the C(databases) that were dropped, and paths of the C(directories) that were removed.
  returned: when O(purge) dropped something
  type: dict
  sample: {databases: [acme_production], directories: [/var/lib/sysgenpro/instances/acme-production/exports]}
code:
  description: Stable, machine-readable name of the error.
  returned: on failure
  type: str
  sample: locked
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.run import (
    run,
)
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release.arguments import (
    ARGUMENTS,
)
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release.operation import (
    ReleaseOperation,
)
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release.parts import on_this_machine


def main():
    module = AnsibleModule(
        argument_spec=ARGUMENTS,
        required_if=[
            ("state", state, ["release", "from_point"], True) for state in ("planned", "rehearsed", "staged", "released")
        ],
        supports_check_mode=True,
    )
    run(module, lambda: ReleaseOperation(module.params, on_this_machine))


if __name__ == "__main__":
    main()
