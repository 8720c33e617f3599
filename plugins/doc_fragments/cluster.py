# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of modules that look at, or change, a Kubernetes cluster."""

from __future__ import annotations


class ModuleDocFragment:
    """Which cluster."""

    DOCUMENTATION = r"""
options:
  kubeconfig:
    description:
      - The kubeconfig. Default is C(KUBECONFIG), then C(~/.kube/config). In a pod without either it is the pod's service account.
    type: path
  context:
    description: The context of the kubeconfig. Default is its current one.
    type: str
requirements:
  - Python's kubernetes
  - Kubernetes 1.30 or newer
"""
