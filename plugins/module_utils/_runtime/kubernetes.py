# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The places of an instance in a cluster, as whoever runs in its namespace sees and changes them."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
import json
import os
import pkgutil
import re
import secrets
import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from .._instance.names import COLOURS, PLACES
from .._instance.names import place as place_of
from .._kernel.errors import DomainError
from .._kernel.plan import canonical_json
from .._kernel.text import joined
from .._kernel.wait import Deadline, WaitTimeout, clock, wait_until
from .._kubernetes.api import MANAGER, Api, ApiError
from .._kubernetes.kinds import KINDS
from .._kubernetes.labels import COLOUR_CPU, COLOUR_MEMORY, INSTANCE, PLACE, PREFIX
from .._kubernetes.quantities import parse
from . import agent, pods, rights
from .kept import keep
from .lease import Lease
from .pods import AGENT, MARK, ODOO, OUT_OF_MEMORY, REGISTRY, Ground
from .protocol import CHANGED_BY, LOST, Found, Outcome, Scale, Spec

SECRETS = (*PLACES, REGISTRY)
# Seconds for a pod to begin: its node, its volumes, its image, which was fetched before.
BEGIN = 120
# Seconds for a pod to be made at all: what refuses it refuses at once, and takes that back where another pod has just gone.
NO_POD = 20
# Seconds for what was ended by force to be gone, and then for a node that does not answer.
GONE = 30
# Between two looks.
LOOK = 0.2
# As many logs of a place are kept, of so many lines; for a log that its node does not give nobody waits longer, in seconds.
LOG_FILES, LOG_KEPT, LOG_PATIENCE = 5, 20000, 10
# What keeps a container from beginning, and waiting does not help (kubelet's reasons, pkg/kubelet/images/types.go and kuberuntime).
_HOPELESS = ("ErrImageNeverPull", "InvalidImageName", "CreateContainerConfigError", "CreateContainerError", "RunContainerError", "CrashLoopBackOff")
_NO_IMAGE = ("ErrImagePull", "ImagePullBackOff", "RegistryUnavailable", *_HOPELESS[:2])


class KubernetesRuntime:
    """The places of one instance.

    :param api: whose account may do in the namespace what the toolbox's may.
    :param directory: the instance's, on the claim that the toolbox has mounted.
    """

    def __init__(self, api: Api, ground: Ground, directory: str) -> None:
        self.api, self.ground, self.directory = api, ground, directory
        self.namespace = ground.namespace

    # -- what is there ------------------------------------------------------------------------

    def observe(self) -> dict[str, Found]:
        """Three calls."""
        label = self.ground.selector()
        running = {pod["metadata"]["labels"].get(PLACE) for pod in self.api.every("Pod", self.namespace, label) if _runs(pod)}
        found = {}
        for item in (*self.api.every("Deployment", self.namespace, label), *self.api.every("Job", self.namespace, label)):
            metadata = item["metadata"]
            place = metadata.get("labels", {}).get(PLACE)
            if place and not metadata.get("deletionTimestamp"):
                said, hands = metadata.get("annotations") or {}, _hands(metadata)
                state = _state(item, place in running) + (f", {hands}" if hands else "")
                found[place] = Found(f"{self.namespace}/{metadata['name']}", state, place in running,
                                     said.get(PREFIX + "release", ""), said.get(PREFIX + "image", ""), hands or said.get(PREFIX + "config", ""))
        return found

    def check(self) -> None:
        """Whether whoever runs this may do all that a release may come to need. One call. :raises DomainError: ``rights_missing``."""
        rights.check(self.api, self.namespace, SECRETS)

    @contextlib.contextmanager
    def alone(self, lock: contextlib.AbstractContextManager[None]) -> Iterator[None]:
        """With the instance's lock held, and no toolbox of another node at work. :raises DomainError: ``locked``."""
        name = socket.gethostname()
        pod = self.api.get("Pod", self.namespace, name) or {}
        node, process = (pod.get("spec") or {}).get("nodeName") or name, (pod.get("metadata") or {}).get("uid") or str(os.getpid())
        with Lease(self.api, self.namespace, node, process).held(lock):
            yield

    def room(self) -> int:
        """Not known: the scheduler finds a node, or says why it finds none."""
        return 0

    def share(self) -> list[dict[str, Any]]:
        found = []
        for quota in self.api.every("ResourceQuota", self.namespace):
            notes, hard = quota["metadata"].get("annotations") or {}, quota["spec"].get("hard") or {}
            used = (quota.get("status") or {}).get("used") or {}
            for bound, note, unit, scale in (("requests.cpu", COLOUR_CPU, "cores", 1), ("requests.memory", COLOUR_MEMORY, "MB", 1024 ** 2)):
                if bound in hard and note in notes:
                    free = parse(bound, hard[bound]) - parse(bound, used.get(bound, "0"))
                    found.append({"what": bound, "unit": unit, "free": round(float(free / scale), 2),
                                  "needs": round(float(parse(note, notes[note]) / scale), 2)})
        return found

    def running(self, place: str) -> bool:
        return any(_runs(pod) for pod in self._pods(place))

    def outcome(self, place: str) -> Outcome:
        job = self.api.get("Job", self.namespace, place)
        if job is None:
            lasting = self.api.get("Deployment", self.namespace, place)
            return Outcome(lasting is not None, bool(lasting) and not self.running(place))
        living = self._pods(place)
        found = [state for pod in living if (state := _terminated(pod))]
        if found:
            return _ended(found[-1])
        if living and all(_given_up(pod) for pod in living):
            return Outcome(True, True, 137, lost=True)
        # Its pod is gone with its node, or was removed by hand: nobody knows how far it came.
        failed = any(condition["type"] == "Failed" and condition["status"] == "True" for condition in (job.get("status") or {}).get("conditions") or [])
        return Outcome(True, failed, 137 if failed else None)

    def output(self, place: str) -> str:
        return "".join(self._log(pod, LOG_KEPT) for pod in self._pods(place)[-1:]).partition(MARK + "\n")[2]

    def log(self, place: str, lines: int = 2000, seconds: int = 0) -> str:
        since = {"sinceSeconds": str(seconds)} if seconds else {}
        return "".join(self._log(pod, lines, **since) for pod in self._pods(place)).replace(MARK + "\n", "")

    def connections(self, place: str, port: int) -> int:
        return sum(int(said["connections"].get(str(port), 0)) for said in self._ask(place))

    def requests(self, colour: str) -> list[str]:
        return [line for said in self._ask(place_of(colour, "web")) for line in said["requests"]]

    def own_work(self, colour: str) -> list[str]:
        return list(dict.fromkeys(line for said in self._ask(place_of(colour, "web")) for line in said["own_work"]))

    def address(self, place: str) -> str:
        return f"{place}.{self.namespace}"

    def addresses(self, place: str) -> list[str]:
        return [pod["status"]["podIP"] for pod in self._pods(place) if _runs(pod) and pod["status"].get("podIP")]

    def token(self, place: str) -> str:
        return self._file(place, "probe-token")

    # -- its life -----------------------------------------------------------------------------

    def fetch(self, reference: str, username: str | None, password: str | None, seconds: float) -> None:
        """By a pod that does nothing, so that an image that cannot be had is found out while nobody waits."""
        if username:
            self._keep_login(reference, username, password or "")
        if any(_image_of(pod) == reference and _runs(pod) for pod in self._pods("")):
            return
        name = "fetch"
        self._end_job(name)
        self.api.apply(_fetch(self.ground, name, reference))
        deadline, refused = Deadline(seconds), Deadline(min(NO_POD, seconds))
        problem = ""
        try:
            while not deadline.passed:
                found = self._pods(name)
                if any(_terminated(pod) is not None for pod in found):
                    return
                reason, said = next((_waits_for(pod) for pod in found), ("", ""))
                problem = f"{reason}: {said}" if reason in _NO_IMAGE else "" if found else self._why_none(name)
                if reason in _HOPELESS or (problem and not found and refused.passed):
                    break
                clock.sleep(LOOK)
        finally:
            self._end_job(name)
        raise DomainError("pull_failed" if problem else "pull_timeout",
                          "{} cannot be pulled by the cluster's nodes: {}".format(reference, problem or f"not there after {seconds:g} s (bounds.pull)"),
                          unchanged="Nothing was changed", advice="Look whether the nodes reach and trust the registry, whether registry's login holds, "
                          "and whether the tenant may use the image")

    def make(self, place: str, spec: Spec) -> None:
        self._end(place)
        self._end_job(place)
        content = {**spec.files, "agent-token": secrets.token_hex(32)}
        self.api.apply(pods.files(self.ground, place, content), force=True)
        self._tell(place, go=False, leading=False)
        if spec.colour or spec.kind == "web":
            self.api.apply(pods.address(self.ground, place), force=True)
        if pods.several(spec):
            self.api.apply(pods.disruption(self.ground, place), force=True)
        else:
            self.api.delete("PodDisruptionBudget", self.namespace, place)
        if spec.scale:
            spec = replace(spec, replicas=min(max(spec.replicas, self._most_now(place)), spec.scale.most))
        digest = hashlib.sha256(canonical_json(content).encode()).hexdigest()
        known = {} if spec.reach == "instance" else {name: _address_of(name) for name in spec.hosts}
        self.api.apply(pods.workload(self.ground, place, spec, self._program(), digest, known), force=True)

    def warm(self, place: str) -> None:
        """What the cluster has no room for, by its nodes or by the namespace's quota, is found out here, while nobody waits."""
        self._wait_until_begun(place, self._set_out(place), go=False)

    def start(self, place: str) -> None:
        if not self._made(place):
            raise DomainError("place_missing", f"{self.namespace}/{place} was not made")
        leading = self._told(place).get("leading") == "1"
        self._tell(place, go=True, leading=leading)
        self._wait_until_begun(place, self._set_out(place))

    def ask_to_end(self, place: str) -> None:
        self._grow(place, False)
        self._scale(place, 0)
        self._keep_log(place)

    def ended(self, place: str, seconds: float) -> bool:
        try:
            wait_until(lambda: not any(_alive(pod) for pod in self._pods(place)), Deadline(seconds), interval=LOOK)
        except WaitTimeout:
            return False
        return True

    def revive(self, place: str, seconds: float = 20) -> None:
        found = self.api.get("Deployment", self.namespace, place)
        if found is None:
            raise DomainError("place_missing", f"{self.namespace}/{place} is not there any more")
        if found["spec"].get("replicas"):
            return
        if not self.ended(place, seconds):
            self._end(place)
        self.start(place)
        if self._told(place).get("leading") == "1":
            self._grow(place, True)

    def stop(self, place: str, seconds: float) -> None:
        self._rest(place)
        if not self.ended(place, seconds):
            self._end(place)

    def remove(self, place: str) -> None:
        self._keep_log(place)
        self._end(place)
        for kind in ("HorizontalPodAutoscaler", "PodDisruptionBudget", "Deployment"):
            self.api.delete(kind, self.namespace, place)
        self._end_job(place)
        for kind in ("Deployment", "Job"):
            self._until_gone(kind, place)

    def forget(self) -> None:
        for colour in COLOURS:
            self.mark_leading(colour, False)
        label = self.ground.selector()
        for kind in ("Secret", "ConfigMap", "Service"):
            for place in PLACES:
                found = self.api.get(kind, self.namespace, place)
                if found and found["metadata"].get("labels", {}).get(INSTANCE) == self.ground.instance:
                    self.api.delete(kind, self.namespace, place)
        for program in self.api.every("ConfigMap", self.namespace, label):
            self.api.delete("ConfigMap", self.namespace, program["metadata"]["name"])

    # -- who leads ------------------------------------------------------------------------------

    def mark_leading(self, colour: str, leads: bool) -> None:
        place = place_of(colour, "web")
        told = self._told(place)
        if told and told.get("leading") != str(int(leads)):
            self._tell(place, go=told.get("go") == "1", leading=leads)
        if told:
            if leads:
                self._have_one_tell(place)
            self._ask(place, {"leading": leads})
            self._grow(place, leads)

    def _have_one_tell(self, place: str) -> None:
        """Each pod that made assets has kept back to tell browsers; told by each of them, they would refresh again for nothing."""
        token = self._file(place, "agent-token")
        kept = [address for address in self.addresses(place) for said in _agent(address, token, None) if said.get("kept")]
        for address in kept[1:]:
            list(_agent(address, token, {"forget_calls": True}))

    def forget_calls(self, colour: str) -> None:
        self._ask(place_of(colour, "web"), {"forget_calls": True})

    # -- workloads ------------------------------------------------------------------------------

    def _pods(self, place: str) -> list[dict[str, Any]]:
        """Of a place, or of all, the oldest first."""
        found = self.api.every("Pod", self.namespace, self.ground.selector(**({"place": place} if place else {})))
        return sorted(found, key=lambda pod: str(pod["metadata"].get("creationTimestamp")))

    def _made(self, place: str) -> bool:
        return bool(self.api.get("Deployment", self.namespace, place) or self.api.get("Job", self.namespace, place))

    def _set_out(self, place: str) -> int:
        """Have as many pods as its spec says, or leave what runs. Returns how many there shall be."""
        found = self.api.get("Deployment", self.namespace, place)
        if found is None:
            self.api.merge("Job", self.namespace, place, {"spec": {"suspend": False}})
            return 1
        wanted = int(found["spec"].get("replicas") or 0)
        if not wanted:
            wanted = int((found["metadata"].get("annotations") or {}).get(PREFIX + "replicas") or 1)
            self._scale(place, wanted)
        return wanted

    def _grow(self, place: str, may: bool) -> None:
        """Have a place grow with its load, if it was made to, or stay as it is. Only what leads may: who waits to lead, or drains, has no load of its own."""
        said = ((self.api.get("Deployment", self.namespace, place) or {}).get("metadata", {}).get("annotations") or {}) if may else {}
        if said.get(PREFIX + pods.SCALE):
            self.api.apply(pods.scaler(self.ground, place, Scale(**json.loads(said[PREFIX + pods.SCALE]))), force=True)
        else:
            self.api.delete("HorizontalPodAutoscaler", self.namespace, place)

    def _most_now(self, place: str) -> int:
        """As many pods as a colour has just now: whoever takes over at the busiest hour takes over all of it."""
        found = [self.api.get("Deployment", self.namespace, other) for other in (place_of(colour, "web") for colour in COLOURS) if other != place]
        return max((int(each["spec"].get("replicas") or 0) for each in found if each), default=0)

    def _scale(self, place: str, replicas: int) -> None:
        try:
            self.api.merge("Deployment", self.namespace, place, {"spec": {"replicas": replicas}}, "scale")
        except ApiError as error:
            if error.status != 404:
                raise

    def _wait_until_begun(self, place: str, wanted: int, go: bool = True) -> None:
        """:param wanted: how many pods. :param go: have what waits in its pods go on.
        :raises DomainError: ``start_failed``, with the reason that the cluster gives."""
        deadline, refused = Deadline(BEGIN), Deadline(NO_POD)
        why = "no pod was made"
        while True:
            found = [pod for pod in self._pods(place) if not pod["metadata"].get("deletionTimestamp")]
            begun = [pod for pod in found if _runs(pod)]
            # The kubelet brings the ConfigMap to a pod that waits already, but may take a minute for it.
            if len(found) >= wanted and len(begun) + sum(_terminated(pod) is not None for pod in found) == len(found) and (not go or len(begun) == sum(
                    said["gone"] for said in self._ask(place, {"go": True}))):
                return
            why = next((": ".join(part for part in _waits_for(pod) if part) for pod in found if not _runs(pod)), "") or why
            if not found:
                why = LOST if any(_given_up(pod) for pod in self._pods(place)) else self._why_none(place) or why
            if deadline.passed or (not found and refused.passed) or (found and all(_waits_for(pod)[0] in _HOPELESS for pod in found)):
                raise DomainError("start_failed", f"{self.namespace}/{place} does not start: {why}", log=self.log(place, 200),
                                  advice="Give it what it lacks, then run the same command again")
            clock.sleep(LOOK)

    def _why_none(self, place: str) -> str:
        """Why the cluster makes no pod of a place, in the words of whoever refuses: its quota, its admission."""
        found = self.api.get("Deployment", self.namespace, place)
        if found:
            said = [c.get("message") for c in (found.get("status") or {}).get("conditions") or [] if c["type"] == "ReplicaFailure" and c["status"] == "True"]
        else:
            events = self.api.every("Event", self.namespace, fields=f"involvedObject.kind=Job,involvedObject.name={place},reason=FailedCreate")
            said = [event.get("message") for event in sorted(events, key=lambda event: str(event.get("lastTimestamp") or event.get("eventTime")))]
        return str(said[-1] or "") if said else ""

    def _rest(self, place: str) -> None:
        """Have it run nowhere, as soon as its processes end."""
        self._scale(place, 0)
        if self.api.get("Job", self.namespace, place):
            self.api.merge("Job", self.namespace, place, {"spec": {"suspend": True}})

    def _end(self, place: str) -> None:
        """End a place's processes by force. A pod of a node that does not answer is forgotten: the fence keeps it out of the database."""
        self._rest(place)
        for pod in self._pods(place):
            if _given_up(pod):
                self.api.delete("Pod", self.namespace, pod["metadata"]["name"], grace=0)
        for force in (False, True):
            # A pod that has ended stays, with its log, until its Job is removed.
            living = [pod for pod in self._pods(place) if _alive(pod)]
            if not living:
                return
            if force:
                for pod in living:
                    self.api.delete("Pod", self.namespace, pod["metadata"]["name"], grace=0)
            with contextlib.suppress(WaitTimeout):
                wait_until(lambda: self._killed(place), Deadline(GONE), interval=LOOK)
                return
        raise DomainError("end_failed", f"pods of {self.namespace}/{place} do not end", advice="Look at their node and their finalizers")

    def _killed(self, place: str) -> bool:
        """Whether no pod is left of it; asked again and again, since one may only just begin."""
        self._ask(place, {"kill": True})
        return not any(_alive(pod) for pod in self._pods(place))

    def _end_job(self, name: str) -> None:
        if self.api.delete("Job", self.namespace, name):
            self._end(name)
            self._until_gone("Job", name)

    def _until_gone(self, kind: str, name: str) -> None:
        try:
            wait_until(lambda: self.api.get(kind, self.namespace, name) is None, Deadline(GONE), interval=LOOK)
        except WaitTimeout:
            raise DomainError("end_failed", f"{kind} {self.namespace}/{name} is not removed", advice="Look at its finalizers") from None

    # -- files and what is told -----------------------------------------------------------------

    def _file(self, place: str, name: str) -> str:
        found = self.api.get("Secret", self.namespace, place) or {}
        return base64.b64decode((found.get("data") or {}).get(name, "")).decode()

    def _told(self, place: str) -> Mapping[str, str]:
        return (self.api.get("ConfigMap", self.namespace, place) or {}).get("data") or {}

    def _tell(self, place: str, go: bool, leading: bool) -> None:
        self.api.apply(pods.told(self.ground, place, go, leading), force=True)

    def _program(self) -> str:
        """The name of the ConfigMap with the agent as this version has it, made where it is missing."""
        source = (pkgutil.get_data(str(__package__), "agent.py") or b"").decode()
        name = "agent-" + hashlib.sha256(source.encode()).hexdigest()[:10]
        if self.api.get("ConfigMap", self.namespace, name) is None:
            self.api.apply(pods.program(self.ground, name, source), force=True)
        return name

    def _keep_login(self, reference: str, username: str, password: str) -> None:
        login = {"auths": {reference.split("/", 1)[0]: {"auth": base64.b64encode(f"{username}:{password}".encode()).decode()}}}
        self.api.apply({"apiVersion": "v1", "kind": "Secret", "metadata": self.ground.metadata(REGISTRY, self.ground.labels()),
                        "type": "kubernetes.io/dockerconfigjson", "stringData": {".dockerconfigjson": json.dumps(login)}}, force=True)

    def _ask(self, place: str, change: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """What the agents of a place's pods say; a pod that does not answer, since it begins or ends, says nothing."""
        found = [pod for pod in self._pods(place) if pod["status"].get("podIP") and _alive(pod)]
        token = self._file(place, "agent-token") if found else ""
        return [said for pod in found for said in _agent(pod["status"]["podIP"], token, change)]

    # -- logs -----------------------------------------------------------------------------------

    def _log(self, pod: Mapping[str, Any], lines: int, **more: str) -> str:
        try:
            path = KINDS["Pod"].path(self.namespace, pod["metadata"]["name"]) + "/log"
            return "" if _given_up(pod) else str(
                self.api.call("GET", path, {"container": ODOO, "tailLines": str(lines), **more}, plain=True, patience=LOG_PATIENCE))
        except DomainError:
            return ""

    def _keep_log(self, place: str) -> None:
        """The cluster forgets what a pod wrote when it forgets the pod, which is as soon as its processes have ended: so it is kept when they are asked to,
        and again where they are there yet. Nothing fails where that cannot be kept, as on a full claim."""
        directory = os.path.join(self.directory, "state", "logs")
        stem = f"{self.ground.instance}-{place}"
        for pod in self._pods(place):
            text, made = self._log(pod, LOG_KEPT, timestamps="true"), re.sub(r"\D", "", str(pod["metadata"].get("creationTimestamp")))
            if text:
                keep(directory, stem, "{}-{}".format(made, pod["metadata"]["name"]), text.encode(), LOG_FILES)


def _address_of(host: str) -> str:
    """:raises DomainError: ``host_unknown``."""
    try:
        return socket.gethostbyname(host)
    except OSError as error:
        raise DomainError("host_unknown", f"the name {host} leads to no address: {error}", advice="Look at the cluster's name service") from None


def _agent(address: str, token: str, change: Mapping[str, Any] | None) -> Iterator[dict[str, Any]]:
    connection = http.client.HTTPConnection(address, agent.PORT, timeout=5)
    try:
        connection.request("GET" if change is None else "POST", "/", None if change is None else json.dumps(dict(change)), {"X-Sysgenpro-Token": token})
        answer = connection.getresponse()
        if answer.status == 200:
            yield json.loads(answer.read())
    except (OSError, ValueError, http.client.HTTPException):
        return
    finally:
        connection.close()


def _statuses(pod: Mapping[str, Any], name: str) -> Sequence[Mapping[str, Any]]:
    status = pod.get("status") or {}
    return [each for key in ("containerStatuses", "initContainerStatuses") for each in status.get(key) or [] if each["name"] == name]


def _runs(pod: Mapping[str, Any]) -> bool:
    """Whether Odoo's process runs in it, and nobody asked it to end."""
    return not pod["metadata"].get("deletionTimestamp") and any((each.get("state") or {}).get("running") for each in _statuses(pod, ODOO))


def _alive(pod: Mapping[str, Any]) -> bool:
    """Whether Odoo's process runs in it, or may yet begin to: also one that was asked to end and has not. One that was lost with its node does not count."""
    return (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed") and _terminated(pod) is None and not _given_up(pod)


def _terminated(pod: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """How Odoo's process ended for good."""
    restarts = (pod.get("spec") or {}).get("restartPolicy") == "Always" and not pod["metadata"].get("deletionTimestamp")
    found = [state["terminated"] for each in _statuses(pod, ODOO) if (state := each.get("state") or {}).get("terminated")]
    if found and not restarts:
        return dict(found[0])
    return {"exitCode": 137, "reason": (pod["status"].get("reason") or "Failed")} if (pod.get("status") or {}).get("phase") == "Failed" else None


def _given_up(pod: Mapping[str, Any]) -> bool:
    """Whether the cluster gave it up with its node (https://kubernetes.io/docs/concepts/workloads/pods/disruptions/#pod-disruption-conditions).

    Until the node answers again nobody knows whether its processes run.
    """
    said = {each["type"]: (each["status"], each.get("reason")) for each in (pod.get("status") or {}).get("conditions") or []}
    # A node that only wants to be rid of it lets it end what it does, and goes on to say that it is ready.
    return said.get("DisruptionTarget") == ("True", "DeletionByTaintManager") and said.get("Ready", ("",))[0] == "False"


def _waits_for(pod: Mapping[str, Any]) -> tuple[str, str]:
    """Why a pod does not run: the kubelet's reason or the scheduler's, and what it says of it."""
    for name in (AGENT, ODOO):
        for each in _statuses(pod, name):
            waiting = (each.get("state") or {}).get("waiting") or {}
            if waiting.get("reason") not in (None, "PodInitializing", "ContainerCreating"):
                return str(waiting["reason"]), str(waiting.get("message") or (each.get("lastState") or {}).get("terminated", {}).get("reason") or "")
    for condition in (pod.get("status") or {}).get("conditions") or []:
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return str(condition.get("reason") or "Unschedulable"), str(condition.get("message") or "")
    return "", "its container is not made yet"


def _hands(metadata: Mapping[str, Any]) -> str:
    """Who else changed what a place is made of; empty where nobody did. As its configuration it is none that is asked for, so the next release makes it anew.

    Source: https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management. How many of it there are is nobody's alone.
    """
    others = sorted({str(entry.get("manager")) for entry in metadata.get("managedFields") or ()
                     if entry.get("manager") != MANAGER and not entry.get("subresource") and "f:spec" in (entry.get("fieldsV1") or {})})
    return CHANGED_BY + joined(others) if others else ""


def _ended(state: Mapping[str, Any]) -> Outcome:
    """Of a container that has: in a pod's words, or those that it left behind."""
    short = OUT_OF_MEMORY in (state.get("reason"), str(state.get("message") or "").strip())
    return Outcome(True, True, int(state.get("exitCode", 1)), short)


def _state(item: Mapping[str, Any], running: bool) -> str:
    """In the cluster's own words, of a Deployment or a Job."""
    status = item.get("status") or {}
    if item["kind"] == "Job":
        ended = next((c["type"] for c in status.get("conditions") or [] if c["type"] in ("Complete", "Failed") and c["status"] == "True"), "")
        return ended or ("Running" if running else "Suspended" if item["spec"].get("suspend") else "Pending")
    return "{}/{} ready".format(status.get("readyReplicas", 0), item["spec"].get("replicas", 0)) if item["spec"].get("replicas") else "at rest"


def _image_of(pod: Mapping[str, Any]) -> str:
    return next((str(each["image"]) for each in pod["spec"]["containers"] if each["name"] == ODOO), "")


def _fetch(ground: Ground, name: str, reference: str) -> dict[str, Any]:
    """A Job that ends at once."""
    spec = Spec(kind="fetch", colour="", release="", image="", config="", reference=reference, command=[], files={}, environment={},
                memory=32 * 1024 ** 2, lasts=False)
    job = pods.workload(ground, name, spec, "", "")
    inside = job["spec"]["template"]["spec"]
    odoo = inside["containers"][0]
    odoo.update(command=["true"], args=[], env=[], volumeMounts=[])
    inside.update(initContainers=[], volumes=[])
    job["spec"]["suspend"] = False
    return job
