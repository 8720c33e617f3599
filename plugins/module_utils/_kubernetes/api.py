# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One cluster's API by plain paths: no discovery, one pool of connections, errors that say what to do.

Configuration and credentials are those of the library ``kubernetes`` (kubeconfig with its plugins, or the service account of the pod that runs
this); calls go through its pool of connections.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlencode

from .._kernel.errors import DomainError, bad_input
from .._kernel.wait import Deadline, clock
from .kinds import KINDS, path_of

try:
    import urllib3
    from kubernetes import client, config
    from kubernetes.config.config_exception import ConfigException

    HAS_KUBERNETES = True
except ImportError:
    HAS_KUBERNETES = False

MANAGER = "sysgenpro"
"""The one field manager of all that this collection applies."""
# Objects that one answer to a list may bear.
PAGE = 500
# Calls that are under way at the same time.
AT_ONCE = 8
# Seconds: for one answer, and for an API server that restarts or asks to be asked later. Its Service leads there only once kube-proxy has seen that it is back,
# which took a minute and a half in a trial on a busy machine.
ANSWER, PATIENCE = 30, 150
# Answers of an API server that cannot answer now.
_LATER = (429, 500, 502, 503, 504)
_METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
# What urllib3 says first of a connection that failed.
_OBJECT = re.compile(r"<urllib3[^>]*>: |HTTPS?Connection\([^)]*\): ")
_SLEEPS = (0.2, 0.5, 1.0, 2.0)


class ApiError(DomainError):
    """What the API server refused. :param status: of HTTP. :param reason: its own word, such as ``Conflict``."""

    def __init__(self, status: int, reason: str, code: str, message: str, advice: str) -> None:
        super().__init__(code, message, advice=advice, status=status, reason=reason)
        self.status, self.reason = status, reason


class Api:
    """:param api_client: of the library ``kubernetes``. :param patience: seconds for which an API server that does not answer is waited for.

    :ivar calls: how many requests were sent, by method.
    :ivar unauthorized: called where the API does not know the account any more.
    """

    def __init__(self, api_client: Any, patience: float = PATIENCE) -> None:
        self._client, self.patience = api_client, patience
        self._host = api_client.configuration.host.rstrip("/")
        self._pool = api_client.rest_client.pool_manager
        self.calls: dict[str, int] = {}
        self.unauthorized: Callable[[], None] = lambda: None

    @classmethod
    def open(cls, kubeconfig: str | None = None, context: str | None = None) -> Api:
        """By a kubeconfig (``KUBECONFIG``, ``~/.kube/config`` where none is named), or, where neither is and this runs in a pod, by its service account.

        :raises DomainError: ``kubernetes_missing``, ``bad_input`` for a kubeconfig or context that cannot be used.
        """
        if not HAS_KUBERNETES:
            raise DomainError("kubernetes_missing", "the Python library kubernetes is not where this runs",
                              unchanged="Nothing was changed", advice="pip install kubernetes, for the Python that runs the module")
        if not kubeconfig and not context and os.environ.get("KUBERNETES_SERVICE_HOST") and not os.environ.get("KUBECONFIG"):
            settings = client.Configuration()
            config.load_incluster_config(client_configuration=settings)
        else:
            settings = _from_file(kubeconfig, context)
        settings.connection_pool_maxsize = AT_ONCE * 2
        settings.retries = False
        return cls(client.ApiClient(settings))

    # -- one call -------------------------------------------------------------------------------

    def call(self, method: str, path: str, query: Mapping[str, str] | None = None, body: Any = None, kind: str = "application/json",
             plain: bool = False, accept: str = "application/json", patience: float | None = None) -> Any:
        """One request, waited for while the server restarts or is busy. Returns its JSON, or text where ``plain``.

        :param patience: for it and its answer, where that is not worth as much as others.
        :raises ApiError: what the server refused; ``missing`` for 404.
        :raises DomainError: ``cluster_down``.
        """
        deadline, tries = Deadline(self.patience if patience is None else patience), 0
        data = None if body is None else json.dumps(body).encode()
        while True:
            status, text, wait = self._once(method, path, query or {}, data, kind, accept, ANSWER if patience is None else patience)
            if status in range(200, 300):
                return text if plain else json.loads(text or "{}")
            if status == 401:
                self.unauthorized()
            if (status not in (0, *_LATER) and not (status == 409 and method == "PATCH" and _may_win(text, body))) or deadline.passed:
                raise self._refused(method, path, status, text)
            clock.sleep(min(wait or _SLEEPS[min(tries, len(_SLEEPS) - 1)], max(deadline.left, 0.05)))
            tries += 1

    def _once(self, method: str, path: str, query: Mapping[str, str], data: bytes | None, kind: str, accept: str, seconds: float) -> tuple[int, str, float]:
        """Status (0 where there was no answer), text, and the seconds after which the server asks to be asked again."""
        headers = {"Accept": accept, **({"Content-Type": kind} if data is not None else {})}
        for setting in self._client.configuration.auth_settings().values():
            headers[setting["key"]] = setting["value"]
        self.calls[method] = self.calls.get(method, 0) + 1
        try:
            answer = self._pool.request(method, self._host + path + ("?" + urlencode(query) if query else ""), body=data, headers=headers,
                                        timeout=seconds, retries=False)
        except urllib3.exceptions.HTTPError as error:
            return 0, _OBJECT.sub("", str(error)), 0
        text = answer.data.decode(errors="replace")
        try:
            wait = float(answer.headers.get("Retry-After") or 0)
        except ValueError:
            wait = 0
        return answer.status, text, wait

    def _refused(self, method: str, path: str, status: int, text: str) -> DomainError:
        if status == 0:
            return DomainError("cluster_down", f"the cluster's API at {self._host} does not answer: {text.splitlines()[0] if text else 'no reason given'}",
                               unchanged="Nothing was changed by this call", advice="See that it runs and can be reached from here, then run this again")
        try:
            said = json.loads(text)
        except ValueError:
            said = {}
        message, reason = str(said.get("message") or text[:500].strip()), str(said.get("reason") or "")
        sentence = f"the cluster answers {status} to {_VERBS.get(method, method)} of {path}: {message}"
        if status in _LATER:
            return ApiError(status, reason, "cluster_busy", sentence, "Run this again once it is less busy")
        return ApiError(status, reason, _CODES.get(status, "cluster_rejected"), sentence, _ADVICE.get(status, "Look at what it says, then run this again"))

    # -- objects --------------------------------------------------------------------------------

    def get(self, kind: str, namespace: str | None, name: str) -> dict[str, Any] | None:
        """One object; None where there is none."""
        try:
            found: dict[str, Any] = self.call("GET", KINDS[kind].path(namespace, name))
        except ApiError as error:
            if error.status == 404:
                return None
            raise
        return found

    def every(self, kind: str, namespace: str | None = None, labels: str = "", fields: str = "", metadata: bool = False) -> list[dict[str, Any]]:
        """All objects of a kind, in pages, with their kind and version in each; none where the cluster does not know the kind.

        :param metadata: ask for nothing else of them, such as of Secrets.
        """
        return list(self._pages(kind, namespace, labels, fields, metadata))

    def _pages(self, kind: str, namespace: str | None, labels: str, fields: str, metadata: bool) -> Iterator[dict[str, Any]]:
        of, more = KINDS[kind], ""
        while True:
            query = {"limit": str(PAGE), **({"labelSelector": labels} if labels else {}), **({"fieldSelector": fields} if fields else {}),
                     **({"continue": more} if more else {})}
            try:
                found = self.call("GET", of.path(namespace), query, accept=_METADATA if metadata else "application/json")
            except ApiError as error:
                if error.status == 404 and not more:
                    return
                raise
            for item in found.get("items") or []:
                yield {**item, "apiVersion": of.api, "kind": kind}
            more = (found.get("metadata") or {}).get("continue") or ""
            if not more:
                return

    def apply(self, item: Mapping[str, Any], *, force: bool = False, dry: bool = False) -> dict[str, Any]:
        """Server-side apply under this collection's one field manager.

        :raises ApiError: ``cluster_conflict`` where somebody else manages a field, unless ``force``.
        """
        query = {"fieldManager": MANAGER, "force": "true" if force else "false", **({"dryRun": "All"} if dry else {})}
        found: dict[str, Any] = self.call("PATCH", path_of(item), query, item, "application/apply-patch+yaml")
        return found

    def merge(self, kind: str, namespace: str | None, name: str, change: Mapping[str, Any], sub: str = "") -> dict[str, Any]:
        """Change some fields of what is there (JSON merge patch). :param sub: a subresource, such as ``scale``."""
        path = KINDS[kind].path(namespace, name) + (f"/{sub}" if sub else "")
        found: dict[str, Any] = self.call("PATCH", path, {"fieldManager": MANAGER}, change, "application/merge-patch+json")
        return found

    def create(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """:raises ApiError: of status 409 where it is there already."""
        path = path_of(item).rsplit("/", 1)[0]
        found: dict[str, Any] = self.call("POST", path, {"fieldManager": MANAGER}, item)
        return found

    def delete(self, kind: str, namespace: str | None, name: str, *, grace: int | None = None, policy: str = "Background") -> bool:
        """Have it removed; false where none was there. It may take a while until it is gone. :param grace: seconds for a pod to end in."""
        body = {"propagationPolicy": policy, **({"gracePeriodSeconds": grace} if grace is not None else {})}
        try:
            self.call("DELETE", KINDS[kind].path(namespace, name), None, body)
        except ApiError as error:
            if error.status == 404:
                return False
            raise
        return True

    # -- many -----------------------------------------------------------------------------------

    def many(self, work: Callable[[Any], Any], items: Iterable[Any]) -> list[tuple[Any, Any, DomainError | None]]:
        """Do something to each item, ``AT_ONCE`` at a time. Every failure is kept beside its item; the order is that of the items."""
        def one(item: Any) -> tuple[Any, Any, DomainError | None]:
            try:
                return item, work(item), None
            except DomainError as error:
                return item, None, error

        with ThreadPoolExecutor(AT_ONCE) as workers:
            return list(workers.map(one, items))


def _may_win(text: str, body: Mapping[str, Any]) -> bool:
    """Whether a change that met another one at the same moment may be asked for again: neither made for one version of the object, nor of what others manage.

    Source: https://kubernetes.io/docs/reference/using-api/server-side-apply/#conflicts.
    """
    try:
        said = json.loads(text)
    except ValueError:
        return False
    causes = (said.get("details") or {}).get("causes") or []
    return said.get("reason") == "Conflict" and not (body.get("metadata") or {}).get("resourceVersion") and not any(
        cause.get("reason") == "FieldManagerConflict" for cause in causes)


def failures(done: Sequence[tuple[Any, Any, DomainError | None]]) -> list[tuple[Any, DomainError]]:
    """What ``Api.many`` could not do."""
    return [(item, error) for item, _found, error in done if error]


_VERBS: Mapping[str, str] = {"GET": "a look", "PATCH": "a change", "POST": "the making", "PUT": "a change", "DELETE": "the removal"}
_CODES = {401: "cluster_unauthorized", 403: "cluster_forbidden", 404: "missing", 409: "cluster_conflict"}
_ADVICE: Mapping[int, str] = {
    401: "The credentials of the kubeconfig, or of the service account, have expired or were revoked: give others",
    403: "Give the account the right that the message names; docs/guides/kubernetes.md has all that are needed",
    404: "Look whether it was removed by hand, then run this again",
    409: "Somebody else manages what it names: take their change back, or ask for force",
    422: "The cluster's rules refuse it: look at what it says",
}


def _from_file(kubeconfig: str | None, context: str | None) -> Any:
    settings = client.Configuration()
    path = kubeconfig or os.environ.get("KUBECONFIG") or config.KUBE_CONFIG_DEFAULT_LOCATION
    try:
        config.load_kube_config(config_file=os.path.expanduser(path), context=context, client_configuration=settings, persist_config=False)
    except ConfigException as error:
        named = context and "context" in str(error)
        raise bad_input("context" if named else "kubeconfig", context if named else path,
                        "{} ({})".format("a context of the kubeconfig" if named else "a kubeconfig that can be read", str(error).splitlines()[0])) from None
    return settings
