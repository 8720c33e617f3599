# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where everything of the cluster is, for inventories: nothing of this is brought up by asking."""

from __future__ import annotations

from typing import Any

from .. import certificates
from ..base import secrets as private
from . import images, registry, services
from .place import HOST, Place


def facts(place: Place) -> dict[str, Any]:
    """Addresses, names and paths; of passwords the files' paths."""
    return {
        "kubeconfig": str(place.admin),
        "registry": registry.ADDRESS,
        "registry_network": f"{HOST}/32",
        "registry_port": registry.PORT,
        "traefik_image": images.TRAEFIK,
        "authority": str(certificates.authority()),
        "services": {
            name: {"host": host, "namespace": services.NAMESPACE, "password": str(private() / f"cluster-{name}.password")}
            for name, host in services.HOSTS.items()
        },
    }
