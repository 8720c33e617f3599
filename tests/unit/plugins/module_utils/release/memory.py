# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runtime's protocol in memory: places and a front that are neither containers nor addresses of anything."""

from __future__ import annotations

from typing import Any

from ansible_collections.sysgenpro.odoo.plugins.module_utils._instance.names import HTTP, LABEL, REALTIME, REHEARSAL
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.wait import Deadline, WaitTimeout, wait_until
from ansible_collections.sysgenpro.odoo.plugins.module_utils._runtime.protocol import (
    ELSEWHERE,
    PAGE,
    Found,
    Outcome,
    Spec,
)
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.release.world import (
    COLOURS,
    INSTANCE,
    Box,
    World,
    named_in,
)


class MemoryRuntime:
    """Places of ``World``, by the contracts of ``protocol.Runtime``: each method has as many effects as it may be killed between."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.tokens: dict[str, str] = {}

    def _name(self, place: str) -> str:
        return f"{INSTANCE}-{place}"

    def observe(self) -> dict[str, Found]:
        return {name[len(INSTANCE) + 1:]: Found(name, box.state, box.running, *(box.label(key) for key in ("release", "image", "config")))
                for name, box in self.world.boxes.items()}

    def room(self) -> int:
        return 8 * 1024 ** 3

    def share(self) -> list[dict[str, Any]]:
        return []

    def fetch(self, reference: str, username: str | None, password: str | None, seconds: float) -> None:
        with self.world.effect("fetch"):
            pass

    def make(self, place: str, spec: Spec) -> None:
        name = self._name(place)
        self.remove(place)
        labels = {"instance": INSTANCE, "colour": spec.colour, "kind": spec.kind if spec.colour else "update", "release": spec.release,
                  "image": spec.image, "config": spec.config}
        with self.world.effect("make " + place):
            self.tokens[place] = spec.files.get("probe-token", "")
            self.world.boxes[name] = Box(
                name, {LABEL + key: value for key, value in labels.items()}, spec.reference, spec.command, self.address(place),
                named_in(spec.files["odoo.conf"]), restart=spec.lasts)

    def warm(self, place: str) -> None:
        self.world.warm(self._name(place))

    def start(self, place: str) -> None:
        self.world.start(self._name(place))

    def ask_to_end(self, place: str) -> None:
        self.world.ask_to_end(self._name(place))

    def ended(self, place: str, seconds: float) -> bool:
        try:
            wait_until(lambda: not self.running(place), Deadline(seconds))
        except WaitTimeout:
            return False
        return True

    def revive(self, place: str, seconds: float = 20) -> None:
        box = self.world.boxes[self._name(place)]
        if box.running and box.restart:
            return
        if not self.ended(place, seconds):
            self.stop(place, 1)
        with self.world.effect("lasts " + place):
            box.restart = True
        self.start(place)

    def stop(self, place: str, seconds: float) -> None:
        self.world.stop(self._name(place))

    def remove(self, place: str) -> None:
        self.world.remove(self._name(place))
        if place == REHEARSAL:
            self.world.networks.discard(place)

    def forget(self) -> None:
        for colour in ("blue", "green"):
            self.mark_leading(colour, False)

    def running(self, place: str) -> bool:
        box = self.world.boxes.get(self._name(place))
        return bool(box and box.running)

    def outcome(self, place: str) -> Outcome:
        box = self.world.boxes.get(self._name(place))
        if box is None:
            return Outcome(False)
        ended = not box.running and box.state != "created"
        return Outcome(True, ended, (self.world.exit_code if box.work < 0 else 0) if ended else None)

    def output(self, place: str) -> str:
        return ""

    def log(self, place: str, lines: int = 2000, seconds: int = 0) -> str:
        return "ValueError: it cannot be"

    def address(self, place: str) -> str:
        return "the place " + place

    def addresses(self, place: str) -> list[str]:
        return [self.address(place)]

    def connections(self, place: str, port: int) -> int:
        return self.world.open_requests

    def token(self, place: str) -> str:
        return self.tokens.get(place, "")

    def requests(self, colour: str) -> list[str]:
        return []

    def own_work(self, colour: str) -> list[str]:
        return []

    def mark_leading(self, colour: str, leads: bool) -> None:
        self.world.tell(colour, leads)

    def forget_calls(self, colour: str) -> None:
        pass


class MemoryFront:
    """A front of ``World``. What is kept for the next boot is kept first."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.path = world.root / (INSTANCE + ".nft")

    def _targets(self, to: str | None) -> dict[tuple[str, int], str]:
        host = next((address for address, colour in COLOURS.items() if colour == to), "172.28.0.2")
        return {("172.28.1.2", port): f"{host}:{port}" for port in (HTTP, REALTIME)} if to else {}

    def leads(self) -> str | None:
        return next((to for to in (*COLOURS.values(), PAGE) if self._targets(to) == self.world.map), ELSEWHERE if self.world.map else None)

    def lead(self, to: str | None) -> None:
        self._keep(to)
        self._change(to)

    def lead_back(self, to: str | None) -> str:
        self._change(to)
        self._keep(to)
        return ""

    def check_share(self) -> None:
        raise AssertionError("nothing shares here")

    def share(self, to: str | None, percent: int = 0, seconds: int = 60) -> None:
        assert to is None

    def cannot_hold(self) -> str:
        return ""

    def forget(self) -> None:
        self.lead(None)
        self.path.unlink()

    def _keep(self, to: str | None) -> None:
        with self.world.effect("keep the front"):
            self.path.write_text("".join("add element ip sysgenpro fronts {{ {} . {} : {} . {} }}\n".format(*key, *target.split(":"))
                                         for key, target in sorted(self._targets(to).items())))

    def _change(self, to: str | None) -> None:
        if self._targets(to) != self.world.map:
            with self.world.effect("front"):
                self.world.map = self._targets(to)
