#!/usr/bin/python
# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build a release."""

from __future__ import annotations

DOCUMENTATION = r"""
module: odoo_image
short_description: Build a release image, once, with its record inside
version_added: 1.0.0
author: [SysGenPro (@sysgenpro)]
description:
  - Puts an image together in the registry from a base image's layers, a layer with system packages and the Python lock,
    one with the add-ons, and one with the release record, and returns its digest.
  - A release whose source was built before is found by its source's digest, and nothing is done.
  - Nothing but what was installed is taken out of the container in which it was installed, so mounted settings and
    O(environment) are in no layer. No clock takes part, so equal layers give an equal image.
  - Puts an SBOM (CycloneDX) and a statement of provenance (SLSA, in-toto) beside the image in the registry, signed where O(key) is given.
    An image that is there and whose documents O(by) did not sign is looked into and signed then; its statement says that this was afterwards.
requirements:
  - Docker 20.10 or later
  - python3-docker
  - python3-requests
  - pip of the builder or of the base image for a Python lock
  - ssh-keygen (OpenSSH 8.9 or later) with O(key)
extends_documentation_fragment: [sysgenpro.odoo.attributes, sysgenpro.odoo.attributes.changes]
options:
  source:
    description: The resolved source, as M(sysgenpro.odoo.odoo_source) returns it.
    type: dict
    required: true
  lock:
    description: Text of the Python lock.
    type: str
    default: ""
  archive:
    description: The packed add-ons on the builder. Not needed in check mode, nor for a release that exists.
    type: path
  registry:
    description: Registry to push to, C(host:port).
    type: str
    required: true
  repository:
    description: Repository in it.
    type: str
    default: odoo
  username:
    description: User of the registry.
    type: str
  password:
    description: Password of the user.
    type: str
  ca_path:
    description: CA bundle for the registry's certificate.
    type: path
  network:
    description: Docker network in which packages are installed. Without packages there is none.
    type: str
    default: bridge
  mounts:
    description:
      - Files and directories of the builder, mounted read-only while packages are installed, such as apt sources.
      - By themselves the authorities that the builder trusts are there, for pip and apt (its C(/etc/ssl/certs/ca-certificates.crt)).
      - So is what its C(pip.conf) and the environment of this module say of index, proxy, certificates and hosts. What O(environment) names goes before.
    type: list
    elements: dict
    default: []
    suboptions:
      source:
        description: Path on the builder.
        type: path
        required: true
      target:
        description: Path in the container.
        type: path
        required: true
  environment:
    description: Environment of the installing processes, such as C(PIP_INDEX_URL) or C(https_proxy). In no layer.
    type: dict
    default: {}
  cache:
    description:
      - Directory of the builder that keeps what was read of a base image's modules, so that the next build on the same base reads only the
        add-ons. It is made if missing; the files of the four bases built on last stay.
      - Without it the base is read anew in every build. The digests are the same.
    type: path
  key:
    description:
      - Private SSH key on the builder that signs SBOM, provenance and image. Made where there is none, without a passphrase, and never made anew.
      - Needs O(by).
    type: path
  by:
    description: Whose key it is, as the list of signers has it, such as C(build@example.com).
    type: str
  materials:
    description: What M(sysgenpro.odoo.odoo_source) saw of the add-ons, as it returns it. Goes into the statement of provenance.
    type: dict
    default: {}
  timeout:
    description: Seconds for the push, and for the first look at the registry.
    type: int
    default: 900
"""

EXAMPLES = r"""
- name: Build r3
  sysgenpro.odoo.odoo_image:
    source: "{{ source.resolved }}"
    lock: "{{ source.lock }}"
    archive: /var/lib/sysgenpro/build/r3.tar.gz
    cache: /var/cache/sysgenpro/digests
    registry: registry.example.test:5000
    ca_path: /etc/docker/certs.d/registry.example.test:5000/ca.crt
"""

RETURN = r"""
plan:
  description: What was, or in check mode would be, done.
  returned: success
  type: dict
reference:
  description: The image by digest. Empty where check mode says that it would be built.
  returned: success
  type: str
  sample: registry.example.test:5000/odoo@sha256:6d0f2c3b…
release:
  description: The release's id.
  returned: success
  type: str
source_digest:
  description: SHA-256 of the resolved source.
  returned: success
  type: str
series:
  description: Odoo's series.
  returned: success
  type: str
modules:
  description: How many modules the image offers.
  returned: success
  type: int
signer:
  description: The builder's line for the list of signers. Empty where it has no key yet.
  returned: success
  type: str
  sample: build@example.com namespaces="release-build@sysgenpro,release-image@sysgenpro" ssh-ed25519 AAAA…
notes:
  description: What is odd about modules, such as files that a manifest names and that are missing.
  returned: success
  type: list
  elements: str
timings:
  description: Seconds by phase.
  returned: success
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sysgenpro.odoo.plugins.module_utils._image.build import (
    ImageBuild,
)
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.run import (
    run,
)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "source": {"type": "dict", "required": True},
            "lock": {"type": "str", "default": ""},
            "archive": {"type": "path"},
            "registry": {"type": "str", "required": True},
            "repository": {"type": "str", "default": "odoo"},
            "username": {"type": "str"},
            "password": {"type": "str", "no_log": True},
            "ca_path": {"type": "path"},
            "network": {"type": "str", "default": "bridge"},
            "mounts": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "source": {"type": "path", "required": True},
                    "target": {"type": "path", "required": True},
                },
            },
            "environment": {"type": "dict", "default": {}, "no_log": True},
            "cache": {"type": "path"},
            "key": {"type": "path", "no_log": False},
            "by": {"type": "str"},
            "materials": {"type": "dict", "default": {}},
            "timeout": {"type": "int", "default": 900},
        },
        supports_check_mode=True,
    )
    run(module, lambda: ImageBuild(module.params))


if __name__ == "__main__":
    main()
