# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people decided in a workflow of AWX, joined to the plan that they saw there. Reads AWX' API, and believes no variable of the job that asks.

Whoever launches a job may bring variables, and they win over those that AWX itself sets (``awx_workflow_job_id``) and over those that tasks register. So
the job knows itself by ``JOB_ID`` of its environment, which no credential may set, and all else is read by API from there.
"""

from __future__ import annotations

import contextlib
import datetime
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from .._kernel.errors import DomainError
from .decisions import DIGEST, Decision
from .moments import read
from .signers import PRINCIPAL

PLAN = "plan"
# The nodes of a workflow by which the role awx makes it, and as what is decided there.
NODES = {"approve_app": "app", "approve_schema": "schema"}
ARTIFACT = "release_expected_plan_digest"
PLAYBOOK = "plan.yml"
# What a launcher may say to the whole workflow. With another variable a task's own result could be overridden, and with it the digest.
VARIABLES = ("instance_release", "plan_rehearse", "release_reason", "release_serial", "release_stop_at_first")
VIA = ("awx", "signer", "approval", "workflow_job", "plan_job", "user")

Get = Callable[[str], Mapping[str, Any]]


class Workflow:
    """The workflow that a job belongs to.

    :param get: gives the JSON of a path below ``/api/v2/``. :param host: the AWX' address, as it is written down.
    :param signer: the name that AWX' key has in the list of signers; its domain is that of AWX' users.
    :raises DomainError: ``awx_unclear``, and those of ``get``.
    """

    def __init__(self, job: str, get: Get, host: str, signer: str) -> None:
        self.get, self.host, self.signer = get, host, signer
        with _understood(f"jobs/{job}/"):
            self.job = get(f"jobs/{job}/")
            source = self.job["summary_fields"].get("source_workflow_job")
        if not source:
            raise unclear(f"job {job} belongs to no workflow, so nobody approved anything before it")
        with _understood(f"workflow_jobs/{source['id']}/"):
            self.workflow = get(f"workflow_jobs/{source['id']}/")
            self.nodes = {str(node["identifier"]): node for node in self._nodes()}

    def _nodes(self) -> Iterator[Mapping[str, Any]]:
        path: str | None = f"workflow_jobs/{self.workflow['id']}/workflow_nodes/?page_size=200"
        while path:
            page = self.get(path)
            yield from page["results"]
            path = str(page["next"]).partition("/api/v2/")[2] if page["next"] else None

    def decided(self, instance: str, hours: int) -> list[Decision]:
        """What was decided about an instance's plan: the launcher's request first, then who approved or rejected. What waits or ran out is no decision.

        :param hours: for how many an approval holds, from when it was given.
        """
        with _understood(f"workflow_jobs/{self.workflow['id']}/"):
            plan = self._plan()
            digest = (plan["artifacts"].get(ARTIFACT) or {}).get(instance)
            if not isinstance(digest, str) or not DIGEST.fullmatch(digest):
                raise unclear(f"job {plan['id']} planned nothing for {instance}")
            found = []
            launched = self.workflow["launched_by"]
            if launched.get("type") == "user":
                found.append(self._decision(instance, digest, "request", "approved", launched, self.workflow["created"], hours, plan, None))
            for name, role in NODES.items():
                approval = self._approval(name, plan)
                if approval:
                    who = (approval["summary_fields"].get("approved_or_denied_by") or {})
                    verdict = "approved" if approval["status"] == "successful" else "rejected"
                    found.append(self._decision(instance, digest, role, verdict, who, approval["finished"], hours, plan, approval["id"]))
        return found

    def _plan(self) -> Mapping[str, Any]:
        node = self.nodes.get(PLAN)
        if node is None or not node["job"]:
            raise unclear(f"workflow job {self.workflow['id']} has no node {PLAN} that ran")
        plan = self.get(f"jobs/{node['job']}/")
        why = ""
        if plan["status"] != "successful":
            why = f"it is {plan['status']}"
        elif plan["playbook"].rpartition("/")[2] != PLAYBOOK or plan["project"] != self.job["project"]:
            why = f"it ran {plan['playbook']} of project {plan['project']}, expected {PLAYBOOK} of the project {self.job['project']} that this job is of"
        else:
            given = json.loads(plan["extra_vars"] or "{}")
            strange = sorted(name for name in given if name not in VARIABLES and not name.startswith(("awx_", "tower_")))
            if strange:
                why = f"it was given the variables {', '.join(strange)}, with which a digest could be put in place of the plan's own"
        if why:
            raise unclear(f"job {plan['id']} does not say which plan was approved: {why}")
        return plan

    def _approval(self, name: str, plan: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The approval of a node where somebody decided."""
        node = self.nodes.get(name)
        if node is None or not node["job"]:
            return None
        approval = self.get(f"workflow_approvals/{node['job']}/")
        if approval["status"] not in ("successful", "failed") or approval["timed_out"]:
            return None
        if approval["summary_fields"]["source_workflow_job"]["id"] != self.workflow["id"]:
            raise unclear(f"approval {approval['id']} is of another workflow job than {self.workflow['id']}")
        if read("created", approval["created"]) < read("finished", plan["finished"]):
            raise unclear(f"approval {approval['id']} was asked for before job {plan['id']} had planned")
        return approval

    def _decision(self, instance: str, digest: str, role: str, verdict: str, who: Mapping[str, Any], moment: str, hours: int,
                  plan: Mapping[str, Any], approval: int | None) -> Decision:
        name = str(who.get("username") or who.get("name") or "")
        by = name if "@" in name else f"{name}@{self.signer.partition('@')[2]}"
        if not PRINCIPAL.fullmatch(by) or not who.get("id"):
            raise unclear(f"who decided as {role} is {name or 'nobody'!r}, expected a user whose name is of letters, digits, '.', '_', '+' and '-'")
        at = read("moment", moment).replace(microsecond=0)
        via = dict(zip(VIA, (self.host, self.signer, approval, self.workflow["id"], plan["id"], who["id"])))
        return Decision(instance, digest, role, verdict, by, at, at + datetime.timedelta(hours=hours), f"workflow job {self.workflow['id']} in AWX", via=via)


@contextlib.contextmanager
def _understood(path: str) -> Iterator[None]:
    """What AWX answers in another shape than its documents say is told so, and not as a missing key."""
    try:
        yield
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise unclear(f"the answers about {path} are not as AWX' documents say ({type(error).__name__}: {error})") from error


def unclear(why: str) -> DomainError:
    return DomainError("awx_unclear", f"what was decided in AWX cannot be told: {why}", unchanged="Nothing was signed",
                       advice="Run it as a node of a workflow that the playbook awx made, after its approvals")
