#!/usr/bin/python
# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: release_gate_info
short_description: Audit an instance's ledger, and ask calendar and policy
version_added: 0.1.0
description:
  - Looks at every entry of a ledger and tells everything that is wrong with it; or says when an instance may be released next; or judges what was judged
    before by another policy. Writes nothing.
extends_documentation_fragment:
  - sysgenpro.odoo.attributes
  - sysgenpro.odoo.attributes.reads
  - sysgenpro.odoo.attributes.actiongroup
options:
  query:
    description:
      - V(ledger) audits the ledger of O(instance). With O(ledger) and O(allowed_signers) it needs nothing but the files and the public keys, and runs anywhere.
      - V(windows) tells freezes and change windows to come, and the next moment that passes.
      - V(policy) judges every plan that was judged before by O(policy), on the facts that were written down then.
      - V(governance) tells what governs the machine.
      - V(candidate) says whether O(policy), O(allowed_signers) and O(calendars) may be put in place.
    type: str
    choices: [ledger, windows, policy, governance, candidate]
    required: true
  instance:
    description: Name of the instance. Needed for V(ledger), V(windows) and V(policy).
    type: str
  tenant:
    description: Its tenant, by which calendars may name it.
    type: str
    default: ""
  environment:
    description: Its environment, where the policy does not list the instance.
    type: str
    default: ""
  ledger:
    description: Where the ledger lies, in place of what the machine says.
    type: dict
    suboptions:
      location:
        description: A directory, or C(s3:https://host[:port]/bucket[/prefix]).
        type: str
        required: true
      access_key:
        description: S3 access key. It need only read.
        type: str
      secret_key:
        description: Its secret.
        type: str
      region:
        description: S3 region.
        type: str
        default: us-east-1
      ca_path:
        description: File with the certificate authority to trust. Default is the machine's own trust store.
        type: path
  allowed_signers:
    description: The list of signers as text, in the format of ssh-keygen(1).
    type: str
  checkpoints:
    description:
      - Newest entries that were seen before, each as an audit returned it in RV(head).
      - Without one nobody can tell that entries are missing at the end.
    type: list
    elements: dict
    default: []
    suboptions:
      sequence:
        description: Number of the entry.
        type: int
        required: true
      digest:
        description: SHA-256 of its file.
        type: str
        required: true
      signers:
        description: Digest of the list of signers by which all up to it were verified.
        type: str
  since_checkpoint:
    description:
      - Whether signatures up to a checkpoint count as verified, where the list of signers is still the one of then. Each entry is read all the same, and the
        chain is held against the checkpoint; where anything is wrong, all signatures are verified.
      - Whoever can write the checkpoint can then make an audit believe anything before it. So keep it where only auditors write.
    type: bool
    default: false
  days:
    description: How far to look, with O(query=windows).
    type: int
    default: 28
  policy:
    description: A policy. Default is the one of the machine.
    type: dict
  calendars:
    description: Calendars, with O(query=candidate).
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the file.
        type: str
        required: true
      content:
        description: Its text.
        type: str
        required: true
requirements:
  - openssh-client
  - python3-icalendar, python3-dateutil (where there are calendars)
  - python3-jmespath (where the policy has expressions)
  - python3-boto3 (where the ledger lies in S3)
author:
  - SysGenPro (@sysgenpro)
"""

EXAMPLES = r"""
- name: Audit the ledger, from a copy of its files and the public keys
  sysgenpro.odoo.release_gate_info:
    query: ledger
    instance: acme-production
    ledger:
      location: /srv/audit/copy
    allowed_signers: "{{ lookup('ansible.builtin.file', 'allowed_signers') }}"
    checkpoints:
      - sequence: 41
        digest: sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae

- name: Ask when it may be released next
  sysgenpro.odoo.release_gate_info:
    query: windows
    instance: acme-production
"""

RETURN = r"""
findings:
  description: Everything that is wrong, each with the C(sequence) of the entry and the C(problem). 0 is the ledger as a whole.
  returned: with O(query=ledger)
  type: list
  elements: dict
  sample: [{sequence: 3, problem: it is missing}]
entries:
  description: >-
    A line for each entry that can be believed; who, what, when, why, with what result. C(proven) says whether who is named signed for it; otherwise it is the
    word of who called. C(spooled) says that it waited for the store.
  returned: with O(query=ledger)
  type: list
  elements: dict
  sample: [{sequence: 1, kind: decision, who: jane@example.com, what: app, result: approved}]
head:
  description: The newest entry. Keep it somewhere else; it is the checkpoint of a later audit.
  returned: with O(query=ledger)
  type: dict
  sample: {sequence: 41, digest: "sha256:2c26b46b68ffc68f"}
waiting:
  description: Numbers of the entries that wait on this machine, since the ledger's store was away.
  returned: with O(query=ledger)
  type: list
  elements: int
  sample: [42]
verified:
  description: How many signatures were verified; each takes a process of ssh-keygen.
  returned: with O(query=ledger)
  type: int
  sample: 61
checkpoints:
  description: How many checkpoints the audit was given.
  returned: with O(query=ledger)
  type: int
  sample: 1
reviews:
  description: Gates that were broken in an emergency and that nobody reviewed yet, each with C(until) and whether that is C(overdue).
  returned: with O(query=ledger)
  type: list
  elements: dict
  sample: []
judged:
  description: The newest plans that were judged, at most 20, each with all its C(gates).
  returned: with O(query=ledger)
  type: list
  elements: dict
  sample: []
decisions:
  description: The newest decisions, at most 100, the oldest first.
  returned: with O(query=ledger)
  type: list
  elements: dict
  sample: []
calendar:
  description: What holds now, and C(next_moment), the next moment that passes.
  returned: with O(query=windows)
  type: dict
  sample: {shop_open: true, next_moment: "2026-12-01T20:00:00+01:00"}
upcoming:
  description: Freezes and windows to come.
  returned: with O(query=windows)
  type: list
  elements: dict
  sample: [{category: freeze, summary: Christmas, from: "2026-12-24T00:00:00+01:00", until: "2026-12-27T00:00:00+01:00", now: false}]
class:
  description: The instance's class in the policy.
  returned: with O(query=windows)
  type: str
  sample: production
region:
  description: The instance's region in the policy.
  returned: with O(query=windows)
  type: str
  sample: eu
cases:
  description: Each plan that was judged, with what it C(was), what it C(would_be), and the gates that C(failed).
  returned: with O(query=policy)
  type: list
  elements: dict
  sample: [{sequence: 9, was: passed, would_be: failed, failed: [{gate: small, reason: too much at once}]}]
stopped:
  description: Entries of plans that passed and that the policy would have stopped.
  returned: with O(query=policy)
  type: list
  elements: int
  sample: [9]
classes:
  description: Classes of the policy; with O(query=governance) with the names of their gates.
  returned: with O(query=governance) or O(query=candidate)
  type: raw
  sample: {production: [freeze, approved_app]}
default:
  description: The class of instances that are not listed.
  returned: with O(query=governance)
  type: str
  sample: production
instances:
  description: The class of each instance that is listed.
  returned: with O(query=governance)
  type: dict
  sample: {acme-production: production}
events:
  description: How many events the calendars have.
  returned: with O(query=governance) or O(query=candidate)
  type: int
  sample: 4
signers:
  description: Who may sign, by role.
  returned: with O(query=governance)
  type: dict
  sample: {app: [jane@example.com]}
ledger_key:
  description: The machine's public key, which auditors need.
  returned: with O(query=governance)
  type: str
  sample: ssh-ed25519 AAAA...
code:
  description: Stable, machine-readable name of the error.
  returned: on failure
  type: str
  sample: not_governed
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._governance.arguments import INFO
from ..module_utils._governance.info import information
from ..module_utils._kernel.errors import DomainError
from ..module_utils._kernel.run import fail


def main() -> None:
    module = AnsibleModule(argument_spec=INFO, supports_check_mode=True, required_if=[
        ("query", query, ["instance"]) for query in ("ledger", "windows", "policy")] + [("query", "candidate", ["policy", "allowed_signers"])])
    try:
        found = information(module.params)
    except DomainError as error:
        fail(module, error)
    module.exit_json(changed=False, **found)


if __name__ == "__main__":
    main()
