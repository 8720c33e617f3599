#!/usr/bin/python
# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: awx_decisions
short_description: Sign what people decided in a workflow of AWX
version_added: 0.1.0
description:
  - Runs in a job of an AWX workflow, after its approval nodes. Reads from AWX' API who approved or rejected there and when, and the digest of the plan from the
    artifacts of the workflow's own job C(plan). Signs each decision with AWX' key. M(sysgenpro.odoo.release_gate) takes them into the ledger.
  - Believes no variable of the job. The job knows itself by C(JOB_ID) in its environment; addresses, token and key come from credentials of AWX. A plan job
    that was given other variables than the workflow's own survey has is refused, since such a variable could take the place of the digest.
  - The nodes are known by their identifiers, C(plan), C(approve_app) and C(approve_schema), as the role C(awx) makes them.
attributes:
  check_mode:
    support: full
    description: Signs nothing.
  diff_mode:
    support: full
    description: Shows the decisions.
  idempotent:
    support: none
    description: Each call makes signatures, which change nothing.
extends_documentation_fragment:
  - sysgenpro.odoo.attributes
  - sysgenpro.odoo.attributes.actiongroup
options:
  instance:
    description: Name of the instance whose plan was decided about.
    type: str
    required: true
  hours:
    description: For how many hours an approval holds, from when it was given.
    type: int
    default: 24
  job:
    description: Number of this job in AWX. Default is the environment's C(JOB_ID), which AWX sets and no credential may.
    type: str
    required: true
  controller_host:
    description: Address of AWX. Default is the environment's C(CONTROLLER_HOST).
    type: str
    required: true
  controller_oauthtoken:
    description: A token that may read jobs, workflow jobs and approvals. Default is the environment's C(CONTROLLER_OAUTH_TOKEN).
    type: str
    required: true
  ca_path:
    description: File with the certificate authority to trust. Default is the environment's C(SYSGENPRO_AWX_CA), otherwise the system's.
    type: path
  signer:
    description:
      - The name that AWX' key has in the list of signers, with the namespace C(release-awx@sysgenpro). Default is the environment's C(SYSGENPRO_SIGNER).
      - A user of AWX whose name has no C(@) is written down with the domain of this name.
    type: str
    required: true
  key:
    description: Path of AWX' private key. Default is the environment's C(SYSGENPRO_SIGNING_KEY).
    type: path
    required: true
requirements:
  - openssh-client
author:
  - SysGenPro (@sysgenpro)
"""

EXAMPLES = r"""
- name: Sign what was decided in the workflow that this job belongs to
  sysgenpro.odoo.awx_decisions:
    instance: "{{ inventory_hostname }}"
  delegate_to: localhost
  register: awx_decided

- name: Take it into the ledger
  sysgenpro.odoo.release_gate:
    state: recorded
    instance: "{{ inventory_hostname }}"
    envelope: "{{ item }}"
  loop: "{{ awx_decided.envelopes }}"
"""

RETURN = r"""
plan:
  description: What was, or would be, signed.
  returned: always
  type: dict
  sample: {digest: "sha256:2c26b46b68ffc68f", steps: [{name: sign, title: Sign that jane@example.com approved as app}]}
decisions:
  description: What was decided. C(via) names the AWX, the approval, the workflow's job, the job that planned, and the user's number there.
  returned: always
  type: list
  elements: dict
  sample:
    - {instance: acme-production, plan: "sha256:2c26b46b68ffc68f", role: app, verdict: approved, by: jane@example.com, at: "2026-11-30T06:10:11+00:00",
       until: "2026-12-01T06:10:11+00:00", reason: workflow job 41 in AWX, security_key: none,
       via: {awx: "https://awx.example.com", signer: awx@example.com, approval: 44, workflow_job: 41, plan_job: 42, user: 7}}
envelopes:
  description: The signed in-toto statements, in DSSE envelopes, in the order of RV(decisions).
  returned: unless in check mode
  type: list
  elements: dict
  sample: [{payloadType: application/vnd.in-toto+json, payload: eyJf..., signatures: [{sig: LS0t...}]}]
timings:
  description: Seconds by phase, on the monotonic clock.
  returned: always
  type: dict
  sample: {plan: 0.2, total: 0.3}
code:
  description: Stable, machine-readable name of the error.
  returned: on failure
  type: str
  sample: awx_unclear
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._governance.arguments import AWX_DECISIONS
from ..module_utils._governance.awx_signing import AwxSigning
from ..module_utils._kernel.run import run


def main() -> None:
    module = AnsibleModule(argument_spec=AWX_DECISIONS, supports_check_mode=True)
    run(module, lambda: AwxSigning(module.params))


if __name__ == "__main__":
    main()
