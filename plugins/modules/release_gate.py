#!/usr/bin/python
# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: release_gate
short_description: Decide about a plan with an SSH key, and take what was signed into an instance's ledger
version_added: 0.1.0
description:
  - Signs a decision about one plan of one instance, or what a scanner found in an image, and takes such a signed statement into the instance's ledger.
  - The gates themselves are judged by M(sysgenpro.odoo.odoo_release), on every machine that is governed. Policy, signers and calendars come from
    C(/etc/sysgenpro/governance) on that machine and from nowhere else.
attributes:
  check_mode:
    support: full
    description: Signs nothing and writes nothing.
  diff_mode:
    support: full
    description: Shows the decision.
  idempotent:
    support: partial
    description: What is in the ledger is not taken in twice. With O(state=signed) each call makes a signature.
extends_documentation_fragment:
  - sysgenpro.odoo.attributes
  - sysgenpro.odoo.attributes.actiongroup
options:
  state:
    description:
      - V(signed) makes a signed statement. It runs where the key is, which is the controller of who decides, and asks no machine.
      - V(recorded) takes O(envelope) into the ledger of O(instance). It runs on the instance's machine as root.
    type: str
    choices: [signed, recorded]
    required: true
  instance:
    description: Name of the instance.
    type: str
  plan:
    description: Digest of the plan that is decided about, as the playbook plan shows it.
    type: str
  role:
    description:
      - As what it is decided. The signature's namespace is C(release-<role>@sysgenpro), which the list of signers has to give to the key.
      - V(request) asks for the release; V(app) and V(schema) approve the application and the change of the database's schema; V(emergency) breaks gates that
        the policy calls breakable; V(review) says afterwards that this was looked at.
    type: str
    choices: [request, app, schema, emergency, review]
  verdict:
    description: The decision. V(withdrawn) takes back what the same person decided in the same role.
    type: str
    choices: [approved, rejected, withdrawn]
    default: approved
  evidence:
    description: In place of a decision, a report about an image.
    type: dict
    suboptions:
      kind:
        description: V(scan) is a report in Trivy's or Grype's JSON or in SARIF 2.1.0, V(sbom) is CycloneDX in JSON.
        type: str
        choices: [scan, sbom, incident]
        required: true
      report:
        description: Path of the report. It has to name O(evidence.image).
        type: path
        required: true
      image:
        description: Digest of the image, or a reference by digest.
        type: str
        required: true
      made:
        description: When the report was made, ISO 8601 with an offset, for a report that does not say so itself. Who signs vouches for it.
        type: str
        default: ""
  by:
    description: Who decides, as the list of signers has it, such as C(jane@example.com).
    type: str
  key:
    description: Path of the private key. Of a key in an agent or on a security key, the path of its public part.
    type: path
  hours:
    description: For how many hours the decision holds.
    type: int
    default: 24
  reason:
    description: Why. Needed for O(role=emergency) and O(role=review).
    type: str
    default: ""
  envelope:
    description: With O(state=recorded), what O(state=signed) returned.
    type: dict
requirements:
  - openssh-client
  - python3-icalendar, python3-dateutil (for O(state=recorded), where there are calendars)
  - python3-jmespath (for O(state=recorded), where the policy has expressions)
  - python3-boto3 (for O(state=recorded), where the ledger lies in S3)
author:
  - SysGenPro (@sysgenpro)
"""

EXAMPLES = r"""
- name: Approve the application, with the key that is here
  sysgenpro.odoo.release_gate:
    state: signed
    instance: acme-production
    plan: sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
    role: app
    by: jane@example.com
    key: ~/.ssh/id_ed25519
  delegate_to: localhost
  register: approval

- name: Take it into the ledger
  sysgenpro.odoo.release_gate:
    state: recorded
    instance: acme-production
    envelope: "{{ approval.envelope }}"
"""

RETURN = r"""
plan:
  description: What was, or would be, done.
  returned: always
  type: dict
  sample: {digest: "sha256:2c26b46b68ffc68f", steps: [{name: record, title: Take it into the ledger of acme-production}]}
envelope:
  description: The signed in-toto statement, in a DSSE envelope. The signature is an SSH signature.
  returned: with O(state=signed), unless in check mode
  type: dict
  sample: {payloadType: application/vnd.in-toto+json, payload: eyJf..., signatures: [{sig: LS0t...}]}
entry:
  description: The entry that was written.
  returned: with O(state=recorded), where it was not there yet
  type: dict
  sample: {sequence: 12, digest: "sha256:2c26b46b68ffc68f"}
timings:
  description: Seconds by phase, on the monotonic clock.
  returned: always
  type: dict
  sample: {plan: 0.2, total: 0.3}
code:
  description: Stable, machine-readable name of the error.
  returned: on failure
  type: str
  sample: decision_refused
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._governance.arguments import ARGUMENTS
from ..module_utils._governance.operation import Recording, Signing
from ..module_utils._kernel.run import run


def main() -> None:
    module = AnsibleModule(
        argument_spec=ARGUMENTS, supports_check_mode=True, mutually_exclusive=[("evidence", "role")],
        required_if=[("state", "signed", ["by", "key"]), ("state", "recorded", ["instance", "envelope"])])
    run(module, lambda: Signing(module.params) if module.params["state"] == "signed" else Recording(module.params))


if __name__ == "__main__":
    main()
