# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where Traefik's routes lie on a machine: what traefik_route and traefik_route_info share."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  provider:
    description:
      - What carries the routes to Traefik.
      - V(file) is a file for each instance in the directory of Traefik's file provider.
      - V(kubernetes) is objects in each instance's namespace, which Traefik's provider for Kubernetes' CRDs reads, or its provider for Gateway API.
    type: str
    choices: [file, kubernetes]
    default: file
  directory:
    description:
      - The directory of Traefik's file provider. It must exist and be flat, since Traefik loads folders in it
        without watching
        them.
      - Files are written in a hidden folder beside it and moved in, so it must lie on its parent's file system.
    type: path
    default: /etc/traefik/dynamic
  certificates:
    description: The directory that given certificates and their keys lie in.
    type: path
    default: /etc/traefik/certificates
  log:
    description: Traefik's own log, in JSON, to name Traefik's errors. Empty where it goes elsewhere.
    type: str
    default: /var/log/traefik/traefik.log
  api:
    description: Traefik's API, which decides whether a route is served.
    type: dict
    default: {}
    suboptions:
      url:
        description: Its address, with Traefik's C(api.basePath) where it has one. In a cluster O(edge) says where it is.
        type: str
        default: http://127.0.0.1:8080
      timeout:
        description: Seconds for Traefik to serve what was asked, its throttle of 2 s included.
        type: int
        default: 30
  kubeconfig:
    description: The kubeconfig of the cluster. Default is C(KUBECONFIG), else C(~/.kube/config); in a pod, its service account.
    type: path
  context:
    description: The context of the kubeconfig. Default is its current one.
    type: str
  scope:
    description: Whose routes are meant, where several inventories have routes in one cluster. Those of another scope are somebody else's.
    type: str
    default: default
  edge:
    description: Where Traefik's pods are in a cluster.
    type: dict
    default: {}
    suboptions:
      namespace:
        description: Their namespace.
        type: str
        default: sysgenpro-edge
      selector:
        description: Their labels.
        type: str
        default: app.kubernetes.io/name=traefik
      port:
        description: The port of their API. It is asked through the cluster's API (C(pods/proxy)), so it need not be reachable from where the module runs.
        type: int
        default: 8080
      urls:
        description: The APIs of Traefiks that are no pods of the cluster. No pods are looked for then.
        type: list
        elements: str
        default: []
"""
