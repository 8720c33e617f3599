# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster's API on ``World``: what its controllers and kubelets would make of the objects, they make at once. The runtime and the front are the real ones."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from ansible_collections.sysgenpro.odoo.plugins.module_utils._instance.names import HTTP, REALTIME
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kubernetes.api import ApiError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kubernetes.labels import INSTANCE as INSTANCE_LABEL
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kubernetes.labels import PLACE, PREFIX
from ansible_collections.sysgenpro.odoo.plugins.module_utils._runtime.kubernetes import KubernetesRuntime
from ansible_collections.sysgenpro.odoo.plugins.module_utils._runtime.pods import Ground
from ansible_collections.sysgenpro.odoo.plugins.module_utils._runtime.service_front import NOBODY, ServiceFront, service
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.release.world import (
    INSTANCE,
    Box,
    World,
    named_in,
)

ADDRESSES = {"blue-web": "172.28.1.11", "green-web": "172.28.1.21"}
"""Of pods, as ``world.COLOURS`` knows them."""
WORKLOADS = ("Deployment", "Job")


def _copy(value: Any) -> Any:
    """As it comes over a wire; several times as fast as ``copy.deepcopy``, of which thousands of kills make millions."""
    return json.loads(json.dumps(value))


class FakeApi:
    """The calls that a runtime and a front make."""

    def __init__(self, world: World, ground: Ground) -> None:
        self.world, self.ground = world, ground
        self.objects: dict[tuple[str, str], dict[str, Any]] = {}
        self.objects["Service", ground.instance] = {**service(ground, ground.instance, NOBODY)}
        self.objects["Service", ground.instance]["spec"]["clusterIP"] = "10.96.0.7"
        self.objects["IngressRoute", ground.instance] = {"kind": "IngressRoute", "metadata": ground.metadata(ground.instance, {}), "spec": {
            "entryPoints": ["websecure"], "tls": {}, "routes": [
                {"kind": "Rule", "match": "Host(`a.example.test`)", "priority": 10, "middlewares": [{"name": "acme-page"}],
                 "services": [{"name": ground.instance, "port": HTTP, "nativeLB": True}]}, {"kind": "Rule", "match": "other"}]}}

    # -- reading --------------------------------------------------------------------------------

    def get(self, kind: str, namespace: str | None, name: str) -> dict[str, Any] | None:
        assert namespace == self.ground.namespace
        return _copy(self._there().get((kind, name)))

    def every(self, kind: str, namespace: str | None = None, labels: str = "", fields: str = "") -> list[dict[str, Any]]:
        wanted = dict(each.split("=", 1) for each in labels.split(",") if each)
        found = self._pods() if kind == "Pod" else [_copy(item) for (of, _name), item in self._there().items() if of == kind]
        return [item for item in found if wanted.items() <= item["metadata"].get("labels", {}).items()]

    def _there(self) -> dict[tuple[str, str], dict[str, Any]]:
        """All objects. A test takes a place away by hand where it takes its box."""
        return {(kind, name): item for (kind, name), item in self.objects.items() if kind not in WORKLOADS or f"{INSTANCE}-{name}" in self.world.boxes}

    def call(self, method: str, path: str, query: Mapping[str, str] | None = None, plain: bool = False, patience: float | None = None) -> str:
        assert method == "GET" and path.endswith("/log") and plain
        return self.world.logs.get(path.split("/")[-2], "ValueError: it cannot be")

    def _pods(self) -> list[dict[str, Any]]:
        return [_pod(self.ground, name[len(INSTANCE) + 1:], box, self.world) for name, box in self.world.boxes.items()
                if box.running or box.ending or self._once(name)]

    def _once(self, name: str) -> bool:
        job = self.objects.get(("Job", name[len(INSTANCE) + 1:]))
        return bool(job) and self.world.boxes[name].state == "exited" and not job["spec"]["suspend"]

    # -- writing --------------------------------------------------------------------------------

    def apply(self, item: Mapping[str, Any], *, force: bool = False, dry: bool = False) -> dict[str, Any]:
        made = _copy(dict(item))
        kind, name = made["kind"], made["metadata"]["name"]
        if kind == "Secret":
            made["data"] = {key: base64.b64encode(text.encode()).decode() for key, text in made.pop("stringData").items()}
        if kind == "Service":
            made["spec"]["clusterIP"] = "10.96.0.8"
        with self.world.effect(f"apply {kind} {name}"):
            self.objects[kind, name] = made
            if kind in WORKLOADS and name != "fetch":
                self._box(name, made)
            elif kind == "Job":
                self.world.boxes[f"{INSTANCE}-fetch"] = Box(f"{INSTANCE}-fetch", {"org.sysgenpro.kind": "update"}, "", (), "", "", state="exited")
        return _copy(made)

    def merge(self, kind: str, namespace: str | None, name: str, change: Mapping[str, Any], sub: str = "") -> dict[str, Any]:
        item = self._there().get((kind, name))
        if item is None:
            raise ApiError(404, "NotFound", "missing", f"no {kind} {name}", "")
        before = _copy(item["spec"])
        box = f"{INSTANCE}-{name}"
        now = change["spec"]
        if kind == "Service":
            with self.world.effect(f"lead {now['selector'][PLACE]}"):
                item["spec"].update(now)
                self._lead(now["selector"][PLACE])
            return _copy(item)
        wakes = bool(now["replicas"]) if kind == "Deployment" else not now["suspend"]
        if (bool(before["replicas"]) if kind == "Deployment" else not before["suspend"]) == wakes:
            return _copy(item)
        try:
            if wakes:
                self._run(box)
            elif kind == "Deployment":
                self.world.ask_to_end(box)
            else:
                self.world.stop(box)
        finally:
            # Killed before it took effect, the server has heard of nothing; where only the answer was lost, it has.
            there = self.world.boxes[box]
            if wakes == (there.running and not there.ending) or (wakes and there.work < 0):
                item["spec"].update(now)
        return _copy(item)

    def delete(self, kind: str, namespace: str | None, name: str, *, grace: int | None = None, policy: str = "Background") -> bool:
        if kind == "Pod":
            self.world.stop(f"{INSTANCE}-{name}")
            return True
        if (kind, name) not in self._there():
            return False
        if kind in WORKLOADS:  # its pods go with it
            self.world.remove(f"{INSTANCE}-{name}")
        else:
            with self.world.effect(f"delete {kind} {name}"):
                pass
        del self.objects[kind, name]
        return True

    # -- what controllers and kubelets do ---------------------------------------------------------

    def _box(self, name: str, item: Mapping[str, Any]) -> None:
        metadata, template = item["metadata"], item["spec"]["template"]["spec"]
        said = {**metadata["labels"], **(metadata.get("annotations") or {})}
        config = base64.b64decode(self.objects["Secret", name]["data"]["odoo.conf"]).decode()
        labels = {"org.sysgenpro." + key[len(PREFIX):]: value for key, value in said.items() if key.startswith(PREFIX)}
        labels["org.sysgenpro.kind"] = {"once": "update"}.get(labels["org.sysgenpro.kind"], labels["org.sysgenpro.kind"])
        odoo = template["containers"][0]
        address = ADDRESSES.get(name, f"{name}.{self.ground.namespace}")
        self.world.boxes[f"{INSTANCE}-{name}"] = Box(
            f"{INSTANCE}-{name}", labels, odoo["image"], odoo["args"], address, named_in(config), restart=item["kind"] == "Deployment")

    def _run(self, name: str) -> None:
        place = name[len(INSTANCE) + 1:]
        waits = ".go" in self._template(place)["containers"][0]["command"][2]
        if waits and self.objects["ConfigMap", place]["data"]["go"] != "1":
            self.world.warm(name)
        else:
            self.world.start(name)
        self.world.boxes[name].restart = True

    def _template(self, place: str) -> Any:
        return (self.objects.get(("Deployment", place)) or self.objects["Job", place])["spec"]["template"]["spec"]

    def _lead(self, place: str) -> None:
        target = ADDRESSES.get(place)
        self.world.map = {("10.96.0.7", port): f"{target}:{port}" for port in (HTTP, REALTIME)} if target else {}


def _pod(ground: Ground, place: str, box: Box, world: World) -> dict[str, Any]:
    running = {"running": {"startedAt": "now"}} if box.running else {"terminated": {"exitCode": world.exit_code if box.work < 0 else 0}}
    return {
        "metadata": {"name": place, "labels": {INSTANCE_LABEL: ground.instance, PLACE: place}, **({"deletionTimestamp": "now"} if box.ending else {})},
        "spec": {"containers": [{"name": "odoo", "image": box.image}], "restartPolicy": "Always" if box.label("kind") != "update" else "Never"},
        "status": {"podIP": box.address, "phase": "Running", "containerStatuses": [{"name": "odoo", "state": running}]}}


class WorldKubernetes(KubernetesRuntime):
    """A cluster's places, on that API. What agents are asked is asked of the world."""

    def __init__(self, world: World, api: FakeApi, ground: Ground, directory: str) -> None:
        super().__init__(api, ground, directory)  # type: ignore[arg-type]
        self.world = world

    def _ask(self, place: str, change: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        name = f"{INSTANCE}-{place}"
        box = self.world.boxes.get(name)
        if not box or not box.running:
            return []
        if change and change.get("go") and box.waits:
            self.world.start(name)
        if change and change.get("kill"):
            self.world.stop(name)
        return [{"connections": {str(HTTP): self.world.open_requests}, "requests": [], "own_work": [], "gone": not box.waits}]

    def mark_leading(self, colour: str, leads: bool) -> None:
        self.world.tell(colour, leads)


def front_of(world: World, api: FakeApi, ground: Ground) -> ServiceFront:
    """The real front; its address fares as the world's map says, and that of nobody refuses."""
    return ServiceFront(api, ground, lambda address, *_a: "open" if (address, HTTP) in world.map else "refused")  # type: ignore[arg-type]
