#!/usr/bin/env python
# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records what is sent to an AWX, and answers as its API documents say. It is no AWX: it proves what is sent, and not what AWX does with it.

``recording_awx.py PORT FILE [ANSWERS]``: every change that is asked for becomes a line of FILE; ANSWERS is JSON with fixed answers by path below ``/api/v2/``.
The token is ``recorded``.
"""

from __future__ import annotations

import http.server
import json
import sys
import urllib.parse
from pathlib import Path
from typing import Any, ClassVar

KINDS = {"organizations": "organization", "teams": "team", "users": "user", "credential_types": "credential_type", "credentials": "credential",
         "execution_environments": "execution_environment", "projects": "project", "inventories": "inventory", "inventory_sources": "inventory_source",
         "job_templates": "job_template", "workflow_job_templates": "workflow_job_template", "schedules": "schedule", "roles": "role",
         "workflow_job_template_nodes": "workflow_job_template_node", "notification_templates": "notification_template",
         "workflow_approval_templates": "workflow_approval_template", "labels": "label"}
TEMPLATES = ("projects", "inventory_sources", "job_templates", "workflow_job_templates", "workflow_approval_templates")
JOB_TYPES = {"job_template": "job", "workflow_job_template": "workflow_job", "project": "project_update", "inventory_source": "inventory_update"}
# As much as awx.awx follows of what an item names.
RELATED = {"job_templates": ("survey_spec", "credentials", "labels", "instance_groups"),
           "workflow_job_templates": ("survey_spec", "labels", *(f"notification_templates_{when}" for when in ("started", "success", "error", "approvals"))),
           "workflow_job_template_nodes": ("success_nodes", "failure_nodes", "always_nodes", "credentials", "labels", "instance_groups"),
           "organizations": ("galaxy_credentials", "instance_groups")}
ROLES = ("admin", "read", "member", "execute", "use", "update", "approval", "auditor")
NODES = ("success_nodes", "failure_nodes", "always_nodes")
Item = dict[str, Any]


class Store:
    """Items by kind, and what is associated with each."""

    def __init__(self) -> None:
        self.items: dict[str, dict[int, Item]] = {kind: {} for kind in KINDS}
        self.linked: dict[tuple[str, int, str], list[int]] = {}
        self.surveys: dict[tuple[str, int], Item] = {}
        self.roles: dict[tuple[str, int, str], int] = {}
        self.last = 0
        for name in ("Machine", "Vault", "Source Control"):
            self.add("credential_types", {"name": name, "kind": "ssh", "managed": True})
        for name in ("rita", "mara", "dan", "olga", "aude"):
            self.add("users", {"username": name})

    def add(self, kind: str, given: Item) -> Item:
        self.last += 1
        self.items[kind][self.last] = {"id": self.last, **given}
        return self.shown(kind, self.last)

    def shown(self, kind: str, number: int) -> Item:
        url = f"/api/v2/{kind}/{number}/"
        item = {"type": KINDS[kind], "url": url, "status": "successful", "description": "", "scm_revision": "0" * 40, **self.items[kind][number]}
        if kind == "workflow_job_template_nodes":
            item = {"all_parents_must_converge": False, **{name: self.linked.get((kind, number, name), []) for name in NODES}, **item}
        related = {name: f"{url}{name}/" for name in RELATED.get(kind, ())}
        template = self._template(item.get("unified_job_template"))
        if template:
            related["unified_job_template"] = template["url"]
        roles = {f"{name}_role": {"id": self.roles.setdefault((kind, number, name), 100_000 + len(self.roles)), "name": name} for name in ROLES}
        return {**item, "related": related, "summary_fields": {"object_roles": roles, **({"unified_job_template": {
            key: template.get(key) for key in ("id", "name", "description", "timeout", "unified_job_type")}} if template else {})}}

    def _template(self, number: int | None) -> Item | None:
        for kind in TEMPLATES:
            if number in self.items[kind]:
                item = self.items[kind][number]
                return {"timeout": 0, "description": "", **item, "url": f"/api/v2/{kind}/{number}/",
                        "unified_job_type": JOB_TYPES.get(KINDS[kind], "workflow_approval")}
        return None

    def found(self, kind: str, query: dict[str, str]) -> list[Item]:
        kinds = TEMPLATES if kind == "unified_job_templates" else (kind,)
        return [self.shown(each, number) for each in kinds for number in sorted(self.items[each]) if self._fits(self.shown(each, number), query)]

    def _fits(self, item: Item, query: dict[str, str]) -> bool:
        for key, value in query.items():
            if key in ("page_size", "page", "order_by") or key.startswith("or__"):
                continue
            if key == "workflow_job_template__name":
                if self.items["workflow_job_templates"].get(item["workflow_job_template"], {}).get("name") != value:
                    return False
            elif str(item.get(key)) != value:
                return False
        return True

    def remove(self, kind: str, number: int) -> None:
        self.items[kind].pop(number)
        if kind == "workflow_job_templates":
            nodes = self.items["workflow_job_template_nodes"]
            self.items["workflow_job_template_nodes"] = {each: node for each, node in nodes.items() if node.get("workflow_job_template") != number}
        if kind in TEMPLATES:
            self.items["schedules"] = {each: one for each, one in self.items["schedules"].items() if one.get("unified_job_template") != number}


class Handler(http.server.BaseHTTPRequestHandler):
    store = Store()
    answers: ClassVar[dict[str, Any]] = {}
    record = Path("/dev/null")

    def answer(self, code: int, value: Any = None) -> None:
        content = b"" if value is None else json.dumps(value).encode()
        self.send_response(code)
        for name, text in (("Content-Type", "application/json"), ("X-API-Product-Name", "AWX"), ("X-API-Product-Version", "24.6.1"),
                           ("Content-Length", str(len(content)))):
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(content)

    def handle_any(self) -> None:
        parts = urllib.parse.urlsplit(self.path)
        path = [part for part in parts.path.split("/") if part][2:]
        given = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        if parts.path in ("/api/", "/api"):
            return self.answer(200, {"current_version": "/api/v2/", "available_versions": {"v2": "/api/v2/"}})
        if self.headers.get("Authorization") != "Bearer recorded":
            return self.answer(401, {"detail": "Authentication credentials were not provided."})
        if self.command != "GET":
            with self.record.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps({"method": self.command, "path": "/".join(path), "sent": given}) + "\n")
        fixed = self.answers.get("/".join(path) + "/" + (f"?{parts.query}" if parts.query else ""))
        if fixed is not None:
            return self.answer(200, fixed)
        query = dict(urllib.parse.parse_qsl(parts.query))
        if not path or (path[0] not in KINDS and path[0] != "unified_job_templates"):
            return self.answer(404, {"detail": "Not found."})
        if len(path) == 1:
            return self.collection(path[0], query, given)
        if path[0] == "roles":
            return self.links("roles", int(path[1]), path[2], given)
        if int(path[1]) not in self.store.items[path[0]]:
            return self.answer(404, {"detail": "Not found."})
        if len(path) == 2:
            return self.item(path[0], int(path[1]), given)
        return self.below(path[0], int(path[1]), path[2], given)

    do_GET = do_POST = do_PATCH = do_DELETE = handle_any

    def listed(self, items: list[Item]) -> None:
        self.answer(200, {"count": len(items), "next": None, "previous": None, "results": items})

    def collection(self, kind: str, query: dict[str, str], given: Item) -> None:
        if self.command == "POST":
            return self.answer(201, self.store.add(kind, given))
        return self.listed(self.store.found(kind, query))

    def item(self, kind: str, number: int, given: Item) -> None:
        if self.command == "DELETE":
            self.store.remove(kind, number)
            return self.answer(204)
        if self.command == "PATCH":
            self.store.items[kind][number].update(given)
        return self.answer(200, self.store.shown(kind, number))

    def below(self, kind: str, number: int, name: str, given: Item) -> None:
        if name == "survey_spec":
            if self.command == "POST":
                self.store.surveys[kind, number] = given
            return self.answer(200, self.store.surveys.get((kind, number), {}))
        if name == "create_approval_template":
            made = self.store.add("workflow_approval_templates", {key: given[key] for key in ("name", "description", "timeout") if key in given})
            self.store.items[kind][number]["unified_job_template"] = made["id"]
            return self.answer(201, made)
        return self.links(kind, number, name, given)

    def links(self, kind: str, number: int, name: str, given: Item) -> None:
        linked = self.store.linked.setdefault((kind, number, name), [])
        if self.command != "POST":
            return self.listed([{"id": each} for each in linked])
        if given.get("disassociate"):
            linked.remove(given["id"])
        elif given["id"] not in linked:
            linked.append(given["id"])
        return self.answer(204)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: FILE has it."""


def main() -> None:
    Handler.record = Path(sys.argv[2])
    if len(sys.argv) > 3:
        Handler.answers = json.loads(Path(sys.argv[3]).read_text(encoding="utf-8"))
    http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()


if __name__ == "__main__":
    main()
