#!/usr/bin/python
# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tenant_quota
short_description: Give the tenants of a cluster or of a machine their shares
version_added: 1.0.0
author: SysGenPro (@sysgenpro)
description:
  - A share is a profile's, or is given in numbers. Its words are the same in a cluster (O(runtime=kubernetes)) and on a machine (O(runtime=docker)).
  - On a machine it limits what the roles made of each instance, once for all of them in one call. PostgreSQL gets a processor, memory and process limit by
    its slice, and connections, temporary files and WAL by its settings. Containers get processor, memory and processes. The session store gets memory and
    clients. What PostgreSQL and the filestore take on disk is metered.
  - A call without a change calls C(systemctl) once and C(docker) twice, however many tenants there are, and asks no PostgreSQL and no Redis. What is used is
    read from the control groups (version 1 or 2) and from the files. The bytes on disk are counted at most once an hour. A sample of use is kept in
    C(/var/lib/sysgenpro/quota-history.json) as often, at most 120 of a tenant.
  - What was written is read back from the kernel and from Docker. A limit that does not hold is an error.
  - In a cluster it makes for each tenant a namespace with Pod Security C(restricted), a ResourceQuota and a LimitRange, network policies that deny all but a
    few paths, and the rights of its people and its pipeline. Once for the cluster it makes priority classes and admission policies.
  - Call it once per cluster with all of its tenants. There each kind is read by one list over the whole cluster, in pages of 500. Nothing is discovered, no
    object is read by itself, and only objects that differ are written, eight at a time. So a call without a change makes eleven calls of the API and one
    more for each further page.
  - A quantity is compared by its number, so V(1000m) is V(1). Only fields that this module writes are compared.
  - Objects are applied server-side under the field manager C(sysgenpro). What others manage is left to them, and told as drift (C(drifted)), unless O(force)
    says so. The other tenants are brought about all the same.
  - What confines is made before what opens. A tenant whose namespace, quota or network policy could not be made gets no rights in it. Every failure is told.
  - Odoo's processes are known by the labels C(org.sysgenpro/place) and C(org.sysgenpro/kind) of their pods. The edge reaches the places that serve
    (C(blue-web), C(green-web), C(blue-realtime), C(green-realtime)) and the toolbox, which has the page of the edge, at 8069 and 8072. The toolbox
    (place C(toolbox)) reaches all at 8068, 8069 and 8072, and the API server. All reach their database. Pods with C(org.sysgenpro/reach) V(database) or
    V(aside) reach nothing else, not even the name server. All others reach DNS, their session store and the ways of O(tenants[].egress).
  - In a tenant's namespace the cluster refuses images without digest or of other registries, hostPath and the host's namespaces, a chosen node, other tenants'
    nodes, a higher priority, Services that are not C(ClusterIP), and routes (IngressRoute, HTTPRoute, GRPCRoute, Ingress) for hosts that are not the tenant's
    or for every host.
options:
  runtime:
    description:
      - V(kubernetes) is a cluster, looked at from where the module runs. V(docker) is the machine that the module runs on, as root.
    type: str
    choices: [kubernetes, docker]
    default: kubernetes
  state:
    description:
      - V(present) makes the tenants as described. Tenants that are not named stay as they are.
      - V(absent) removes those that are named, with their namespaces, and tells what is left of them. With the last tenant go the cluster-wide objects.
        On a machine only their limits go, and what is there of them is told. Containers keep what they were told until they are made anew.
    type: str
    choices: [present, absent]
    default: present
  absent:
    description: Tenants whose limits shall be gone in the same call, with O(runtime=docker) only.
    type: list
    elements: str
    default: []
  releases_at_once:
    description:
      - How many releases may be under way at once, on a machine. Memory for so many of the largest ones is kept free beside what all tenants are promised.
    type: int
    default: 1
  tenants:
    description: The tenants. With O(state=absent) only O(tenants[].name) and O(tenants[].namespace) are read.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The tenant's name in this cluster, which is its instance's. At most 40 lower-case letters, digits and dashes, a letter first.
        type: str
        required: true
      namespace:
        description: Its namespace, a DNS label of at most 53. Default is its name.
        type: str
      profile:
        description:
          - V(small), V(medium), V(large) (shared nodes), V(dedicated) (nodes of its own) or V(regulated) (nodes of its own, no way out to everywhere).
          - On a machine V(dedicated) and V(regulated) want that machine for themselves, and for tenants of the same O(tenants[].pool).
          - It gives the limits and the isolation that are not given otherwise.
        type: str
      isolation:
        description: Whose nodes it runs on. V(dedicated) and V(regulated) want a pool of nodes. Default by O(tenants[].profile), or V(shared).
        type: str
        choices: [shared, dedicated, regulated]
      pool:
        description:
          - The pool of nodes of a tenant that is not V(shared). Its nodes bear the label C(org.sysgenpro/pool=<pool>) and the taint
            C(org.sysgenpro/pool=<pool>:NoSchedule). Default is its name.
        type: str
      limits:
        description:
          - Limits instead of the profile's. Without a profile all of the runtime's are needed, but O(tenants[].limits.cpu_limit).
          - Those of a cluster are V(cpu), V(cpu_limit), V(memory), V(ephemeral), V(storage), V(colour_cpu), V(colour_memory), V(claims) and V(pods). Those of
            a machine are V(cpu), V(storage) and all others.
        type: dict
        suboptions:
          cpu:
            description:
              - Cores that all its pods together may ask for. It holds two colours and what runs beside them. On a machine, cores that it is promised. Where
                processors are short it gets them by that weight.
            type: str
          cpu_limit:
            description: Cores that all its pods together may ever take. Each container has a limit then. Default is none, so that idle cores are used.
            type: str
          memory:
            description: Memory that all its pods together may ask for, and take.
            type: str
          ephemeral:
            description: Space for the layers, logs and emptyDirs of its containers.
            type: str
          storage:
            description: Space that all its claims together may ask for. On a machine, space of its filestore, which is metered.
            type: str
          colour_cpu:
            description: Cores that the places of one colour ask for, to tell whether a second one fits.
            type: str
          colour_memory:
            description: Memory that the places of one colour ask for.
            type: str
          claims:
            description: How many claims it may have.
            type: int
          pods:
            description: How many pods it may have.
            type: int
          web_cpu:
            description: Cores that its web container may ever take. More than the machine has is as many as it has.
            type: str
          web_memory:
            description: Memory of its web container, swap included.
            type: str
          cron_cpu:
            description: Cores of its cron container.
            type: str
          cron_memory:
            description: Memory of its cron container.
            type: str
          queue_cpu:
            description: Cores of its queue container.
            type: str
          queue_memory:
            description: Memory of its queue container.
            type: str
          pids:
            description: Processes and threads of each of its containers.
            type: int
          database_cpu:
            description: Cores that its PostgreSQL may ever take.
            type: str
          database_memory:
            description: Memory of its PostgreSQL, the files' cache included, which the kernel takes back first.
            type: str
          connections:
            description: Connections of its PostgreSQL. PostgreSQL takes another number only when it is started anew.
            type: int
          temp_files:
            description: Temporary files of one session of its PostgreSQL.
            type: str
          wal:
            description: WAL that its PostgreSQL keeps. It aims at that between checkpoints; for a replication slot it keeps no more.
            type: str
          data:
            description: Space of its PostgreSQL, WAL included, which is metered. PostgreSQL has no bound for it.
            type: str
          session_memory:
            description: Memory of its sessions. Redis refuses to write more.
            type: str
          session_clients:
            description: Connections of its session store.
            type: int
      processes:
        description: What opens connections to its PostgreSQL, on a machine, to check O(tenants[].limits.connections) against.
        type: dict
        suboptions:
          web_workers:
            description: Web workers of one colour.
            type: int
            default: 2
          cron_threads:
            description: Cron workers of one colour.
            type: int
            default: 1
          db_maxconn:
            description: Connections of one process.
            type: int
            default: 8
          queue_channels:
            description: Channels of queue_job where jobs run, such as V(root:4).
            type: str
      registries:
        description: Registries, with or without a path in them, that its images may come from. Without any none may.
        type: list
        elements: str
      hosts:
        description: Host names that its routes may have.
        type: list
        elements: str
      services:
        description: Types of Service that it may have beside C(ClusterIP).
        type: list
        elements: str
        choices: [NodePort, LoadBalancer, ExternalName]
      database:
        description: Where its PostgreSQL is, either an address, or pods by their labels. Needed with O(tenants[].hosts).
        type: dict
        suboptions:
          address:
            description: An address, or a network. Network policies know no names.
            type: str
          namespace:
            description: The namespace of its pods. Default is the tenant's own.
            type: str
          pods:
            description: Labels of its pods.
            type: dict
          ports:
            description: Its ports. Default is 5432.
            type: list
            elements: int
      redis:
        description: Where its session store is.
        type: dict
        suboptions:
          address:
            description: An address, or a network.
            type: str
          namespace:
            description: The namespace of its pods. Default is the tenant's own.
            type: str
          pods:
            description: Labels of its pods.
            type: dict
          ports:
            description: Its ports. Default is 6379 and 6380.
            type: list
            elements: int
      egress:
        description: Ways out for its integrations, its recovery repository and its mail.
        type: list
        elements: dict
        suboptions:
          name:
            description: What it is for.
            type: str
            required: true
          cidr:
            description: The network.
            type: str
            required: true
          except:
            description: Networks in it that are not reached.
            type: list
            elements: str
          ports:
            description: Ports. Default is all.
            type: list
            elements: int
          protocol:
            description: The protocol of the ports.
            type: str
            choices: [TCP, UDP]
            default: TCP
          kinds:
            description: Kinds of process that may take it, such as C(cron). Default is all that are not confined to the database.
            type: list
            elements: str
      people:
        description: Who may look into the namespace. They see no secrets and run nothing.
        type: dict
        suboptions:
          users:
            description: Users, as the cluster's authentication names them.
            type: list
            elements: str
          groups:
            description: Groups.
            type: list
            elements: str
      ci:
        description:
          - Its own pipeline, which may run workloads, Services, ConfigMaps and routes in the namespace. It reads no secrets, changes no rights, quotas or
            network policies, and enters no pod. Whoever runs pods can mount the namespace's secrets in them, so give it to whom you would trust with those.
        type: dict
        suboptions:
          users:
            description: Users.
            type: list
            elements: str
          groups:
            description: Groups.
            type: list
            elements: str
          service_accounts:
            description: Service accounts of the namespace, or C(namespace:name). None of another tenant.
            type: list
            elements: str
  purge:
    description: Tenants that O(state=absent) removes with their data. A namespace that holds a claim, or that runs something, is not removed otherwise.
    type: list
    elements: str
    default: []
  edge:
    description: Where the edge's pods run.
    type: dict
    default: {}
    suboptions:
      namespace:
        description: Their namespace.
        type: str
        default: traefik
      pods:
        description: Their labels. Default is all pods of the namespace.
        type: dict
        default: {}
  overcommit:
    description:
      - How many times the allocatable of the nodes, or what the machine has, may be promised to all tenants of a pool together. It is
        looked at when a share grows. V(0) sets no bound.
      - With V(1) everybody can have their whole share at the same time.
    type: dict
    default: {}
    suboptions:
      cpu:
        description: Of cores.
        type: float
        default: 1
      memory:
        description: Of memory.
        type: float
        default: 1
  force:
    description: Whether to take back fields that others manage.
    type: bool
    default: false
  adopt:
    description: Whether to take in namespaces that are there already. What runs in them is confined as any tenant's.
    type: bool
    default: false
  network_proven:
    description:
      - Whether it was seen by traffic in this cluster that what a network policy denies does not pass. A cluster without a controller for them takes
        policies and ignores them, so the limit RV(kinds_of_limit) C(network) is C(advisory) until somebody says so.
    type: bool
    default: false
  timeout:
    description: Seconds that O(state=absent) waits until the namespaces are gone.
    type: int
    default: 60
  expected_plan_digest:
    description: Refuse when the plan computed now has another digest.
    type: str
extends_documentation_fragment:
  - sysgenpro.odoo.attributes
  - sysgenpro.odoo.attributes.changes
  - sysgenpro.odoo.attributes.actiongroup
  - sysgenpro.odoo.cluster
seealso:
  - module: sysgenpro.odoo.tenant_quota_info
"""

EXAMPLES = r"""
- name: Give the tenants of a cluster their shares
  sysgenpro.odoo.tenant_quota:
    context: k8s-eu-1
    tenants:
      - name: acme-production
        profile: medium
        registries: [registry.example.com/acme]
        hosts: [shop.example.com]
        database: {address: 10.20.0.15}
        redis: {address: 10.20.0.16}
        egress:
          - {name: payments, cidr: 192.0.2.0/24, ports: [443], kinds: [web, cron]}
        people: {groups: [acme-shop]}
      - name: bank-production
        profile: regulated
        registries: [registry.example.com/bank]
        hosts: [bank.example.com]
        database: {pods: {app: postgresql}}

- name: Share a machine among three tenants
  sysgenpro.odoo.tenant_quota:
    runtime: docker
    tenants:
      - {name: acme-production, profile: medium, processes: {web_workers: 6}}
      - {name: bodega-production, profile: small}
      - {name: bodega-uat, profile: small, limits: {cpu: 500m, database_memory: 1Gi, connections: 120}}
    overcommit: {cpu: 2}

- name: Remove a tenant and its data
  sysgenpro.odoo.tenant_quota:
    context: k8s-eu-1
    state: absent
    tenants: [{name: bodega-uat}]
    purge: [bodega-uat]
"""

RETURN = r"""
plan:
  description: Steps, before, after and digest, and the C(drift) that was found.
  returned: success
  type: dict
  sample: {"digest": "sha256:4f1c", "steps": [{"name": "apply", "title": "change ResourceQuota acme-production/share"}], "drift": []}
tenants:
  description: The tenants asked for. On a machine each has what RV(sysgenpro.odoo.tenant_quota_info#module:tenants) has there.
  returned: O(state=present)
  type: list
  elements: dict
  contains:
    name:
      description: The tenant.
      type: str
      sample: acme-production
    namespace:
      description: Its namespace.
      type: str
      sample: acme-production
    profile:
      description: Its profile, or empty.
      type: str
      sample: medium
    isolation:
      description: Its isolation class.
      type: str
      sample: shared
    pool:
      description: Its pool of nodes, empty for the shared ones.
      type: str
      sample: ""
    hosts:
      description: Its host names.
      type: list
      elements: str
      sample: [shop.example.com]
    limits:
      description: Its limits, in the words of a ResourceQuota.
      type: dict
      sample: {"requests.cpu": "4", "pods": "36"}
    usage:
      description: What was used of them before the changes.
      type: dict
      sample: {"requests.cpu": "1700m", "pods": "7"}
    second_colour:
      description: Whether a second colour fits, and what is free and needed for it in cores and bytes.
      type: dict
      sample: {"fits": true, "cpu": {"free": "2.3", "needs": "1.5"}, "memory": {"free": "17179869184", "needs": "8589934592"}}
    placement:
      description: What the tenant's pods say to run where its isolation class has them. The cluster refuses others.
      type: dict
      sample: {"priorityClassName": "sysgenpro-2000"}
kinds_of_limit:
  description:
    - Which limits hold, by name. What goes beyond C(enforced) ones is refused or ended by the cluster. C(advisory) ones are written down. C(metered) ones
      are only seen.
  returned: O(state=present)
  type: dict
  sample: {"requests.cpu": "enforced", "network": "advisory", "storage_bytes": "metered"}
noisy:
  description: Who of them uses more than nine tenths of a limit, was slowed at it, or lost a process at it, on a machine.
  returned: O(runtime=docker)
  type: list
  elements: dict
  sample: [{"name": "acme-production", "by": "connections", "uses": "255", "of": "260", "is": "enforced"}]
machine:
  description: What is promised of the machine to all tenants, and what there is, in cores and bytes.
  returned: O(runtime=docker)
  type: dict
  sample: {"cgroup": 2, "cpu": {"promised": "5", "there": "8"}, "memory": {"promised": "21474836480", "there": "33554432000", "available": "9663676416"}}
calls:
  description: How often each program was called.
  returned: O(runtime=docker)
  type: dict
  sample: {"systemctl": 1, "docker": 2}
objects:
  description: How many objects were applied and removed.
  returned: when something was changed, with O(state=present)
  type: dict
  sample: {"applied": 2, "removed": 0}
residue:
  description:
    - What is left of tenants that were removed, namespaces that are still being removed, and volumes that are kept.
    - On a machine, by tenant, its parts that are there and go on without limits.
  returned: O(state=absent)
  type: dict
  sample: {"namespaces": [], "volumes": [{"volume": "pv-7", "namespace": "bodega-uat", "claim": "data"}]}
api_calls:
  description: Calls of the cluster's API before the changes, by method.
  returned: O(runtime=kubernetes)
  type: dict
  sample: {"GET": 11}
timings:
  description: Seconds by phase.
  returned: success
  type: dict
  sample: {"plan": 0.4, "apply": 0.1, "total": 0.5}
"""

import gc

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._kernel.run import run
from ..module_utils._tenancy import arguments


def main() -> None:
    # A short life with a hundred thousand objects and no circles: to look for those takes a third of the time.
    gc.disable()
    module = AnsibleModule(argument_spec=arguments.module_spec(), supports_check_mode=True)
    run(module, lambda: arguments.operation(module.params, module.check_mode))


if __name__ == "__main__":
    main()
