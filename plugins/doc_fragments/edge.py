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
    type: str
    choices: [file]
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
        description: Its address, with Traefik's C(api.basePath) where it has one.
        type: str
        default: http://127.0.0.1:8080
      timeout:
        description: Seconds for Traefik to serve what was asked, its throttle of 2 s included.
        type: int
        default: 30
"""
