#!/usr/bin/python
# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: traefik_route
short_description: Route instances at the edge, proven by what Traefik serves
version_added: 1.0.0
author: SysGenPro (@sysgenpro)
description:
  - Gives Traefik the routes of many instances in one call. Call it once per machine or cluster with all of its instances.
  - With O(provider=file) each instance has one file in the directory of Traefik's file provider; only files that change are written.
  - With O(provider=kubernetes) each instance has objects in its own namespace; only objects that differ are applied. They refer to
    nothing outside of the namespace, so Traefik needs neither C(allowCrossNamespace) nor C(allowExternalNameServices). The route itself is an
    IngressRoute or, by O(output), an HTTPRoute of Gateway API, which refers to the listener of a Gateway, too.
  - What an HTTPRoute has no word for is refused by name before anything is changed (C(http_route_cannot)). That is TLS of its own
    (O(routes[].tls)), which is the listener's, and more than 16 hosts. All else holds as with an IngressRoute, by the same Middlewares. A Gateway,
    or a listener, that cannot take a route is that route's trouble (C(gateway_missing), C(gateway_unfit), and the certificate's own
    codes where none of the listener's is for its hosts).
  - A route that gets another O(output) is served anew before the earlier object goes, so its host is served at every moment.
  - After writing, Traefik's API is read until it serves exactly what was asked, enabled and without errors, and each
    given
    certificate is looked for by a TLS handshake at the entry point. Otherwise the earlier files come back and the
    module fails
    with Traefik's own error.
  - The service behind a route is the instance's front. While the front refuses connections, requests wait (hold);
    beyond the
    hold's bounds they are answered 503 with C(Retry-After) and a page. Only connections that could not be made are
    tried again;
    a request that reached Odoo is never sent twice.
  - Traefik's services are called by the instance's name, C(<instance>@file) and C(<instance>-websocket@file), for
    its metrics.
    While requests wait, each attempt counts there with code 502; C(traefik_router_requests_total) counts what
    clients were
    answered.
  - What one route meets is that route's trouble. Its certificate or key in any state (C(certificate_unreadable), C(certificate_key_mismatch),
    C(certificate_expired), C(certificate_not_yet_valid), C(certificate_wrong_host), C(missing_library)), a file under its name that is not this module's
    (C(foreign_file)), a host or a name that another has (C(host_taken), C(name_taken)), or what Traefik refuses of it (C(not_served)). What was there of it
    stays, the others are brought about, and then the module fails and names it.
  - What is wrong in the parameters themselves (C(bad_input), a host given to two routes of the call) is refused for all before
    anything is changed. So is what keeps Traefik from reading any file (C(damaged_file), C(directory_unusable), C(traefik_unreachable)).
  - A converged call makes three calls of Traefik's API, and one more for every further 1000 routers, services or
    middlewares. In a cluster it makes one of each pod of Traefik, and asks the cluster for one list of each of nine kinds (pages of 500), the edge's pods
    and the pages' Service, whatever the number of routes.
  - In a cluster every ready pod of Traefik must serve what was asked, its certificates included. An object that somebody else changed is named
    (C(cluster_conflict)) and taken back only by O(force). A host that an IngressRoute or HTTPRoute of anybody else has, in whatever namespace, is refused
    (C(host_taken)).
  - Of an HTTPRoute the status must also say that Traefik has accepted it as it is now and resolved what it refers to.
options:
  state:
    description:
      - V(present) makes the routes as they are described.
      - V(absent) removes the routes of the instances named.
      - V(rendered) returns the files and neither reads nor writes any, nor asks Traefik.
    type: str
    choices: [present, absent, rendered]
    default: present
  routes:
    description: The routes. With O(state=absent) only O(routes[].name) is read.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - The instance's name. Lower-case letters, digits and dashes; it must not end in C(-websocket), C(-pages),
            C(-closed),
            C(-too-large) or C(-redirect), which name parts of a route.
        type: str
        required: true
      hosts:
        description:
          - Host names that lead to the instance. A name with other letters is taken as browsers take it (UTS 46, not transitional, IDNA 2008), by Python's
            library C(idna). So V(straße.example) is C(xn--strae-oqa.example).
          - What IDNA 2008 has no name for, such as an emoji, and V(ẞ), which programs take for two domains, is refused with the ASCII form to write instead.
        type: list
        elements: str
      exposure:
        description:
          - Who may reach it; decides the defaults of the other options.
          - V(public) is everybody, by the entry point C(websecure), 100 requests a second and client address.
          - V(partner) is the networks of O(routes[].allow_list), by the entry point C(websecure), 50 requests a
            second and
            address, and search engines are told to stay away.
          - V(internal) is private networks (RFC 1918 and the like), by the entry point C(internal), without rate limit.
        type: str
        choices: [public, partner, internal]
        default: public
      front:
        description:
          - The address of the instance's front; its ports are 8069 for HTTP and 8072 for the bus, which lies at C(/websocket)
            from Odoo 16 on and at C(/longpolling) before.
          - Not in a cluster, where the front is the Service of the instance's name in its namespace, with these two ports. It must be there.
        type: str
      namespace:
        description: The instance's namespace in a cluster. Default is its name.
        type: str
      output:
        description: What the route is in a cluster. Default is O(output).
        type: str
        choices: [ingress_route, http_route]
      gateway:
        description: What an HTTPRoute is attached to. Default of each is that of O(gateway).
        type: dict
        suboptions:
          namespace:
            description: The Gateway's namespace.
            type: str
          name:
            description: The Gateway.
            type: str
          section_name:
            description: Its listener for HTTPS. Its port must be that of O(routes[].entry_point).
            type: str
          redirect_section_name:
            description: Its listener for HTTP, where O(routes[].redirect) is. Its port must be that of the entry point C(web).
            type: str
      entry_point:
        description: Traefik's entry point. Default by O(routes[].exposure).
        type: str
      redirect:
        description: Whether HTTP on the entry point C(web) is sent to HTTPS. Default is to do so unless the route is
          internal.
        type: bool
      allow_list:
        description: Networks that may reach it. Default by O(routes[].exposure).
        type: list
        elements: str
      trusted_proxies:
        description:
          - Networks of proxies before Traefik. They are left out when the client's address is looked for in
            C(X-Forwarded-For),
            for the allow-list and the rate limit.
          - The entry point must trust them too (C(forwardedHeaders.trustedIPs)), or it drops that header.
        type: list
        elements: str
      rate_limit:
        description: Requests of one client address. Answered 429 beyond it, with the edge's page and C(Retry-After).
        type: dict
        suboptions:
          average:
            description: Requests a second on average; V(0) sets no limit.
            type: int
          burst:
            description: Requests at once above that. Default is four times the average; with no average given either, 1000 for public and
              500 for partner routes.
            type: int
      hsts:
        description: Seconds that browsers shall insist on HTTPS; V(0) leaves the header out. Default is a year, 0
          for internal.
        type: int
      indexed:
        description: Whether search engines may list it. Default is to for public routes only.
        type: bool
      max_body:
        description:
          - The largest body in bytes that a request may announce; answered 413 before the body is read. V(0) sets no
            limit.
          - Nothing is buffered at the edge, so uploads and downloads stream. A body whose length is not announced is
            left to
            Odoo's own limit.
          - Default is 256 MiB.
        type: int
      database_manager:
        description: Whether C(/web/database) and the database methods of XML-RPC are open. For internal routes only.
        type: bool
        default: false
      headers:
        description: Further response headers, or other values for those set here; an empty value removes a header.
        type: dict
      hold:
        description: The bounds of waiting while the front refuses.
        type: dict
        suboptions:
          timeout:
            description: Seconds a request waits at most, 1 to 900. Default is 300.
            type: int
          interval:
            description: Milliseconds between two attempts; they grow to twice that and are jittered. Default is 250.
            type: int
          attempts:
            description: Attempts at most. Default is as many as outlast O(routes[].hold.timeout).
            type: int
          requests:
            description: Requests under way or waiting at a time, websockets not counted, at most 10000. Those beyond are answered 503 with
              the page and C(Retry-After) at once. Default is 1000.
            type: int
      tls:
        description:
          - One of a certificate with its key, O(routes[].tls.secret) and O(routes[].tls.resolver). None of them with O(routes[].output=http_route).
          - A certificate that cannot be read, expired, is not valid yet, is for other host names or has another key is refused. What there is of its
            route stays as it is, the other routes are brought about, and then the task fails and names it.
          - Chain and key are PEM. What stands before, between and after the blocks, such as the text of C(openssl x509 -text), is left out, in whatever
            encoding. DER, encrypted keys, files of more than 1 MiB, and pipes and devices are refused.
        type: dict
        suboptions:
          certificate:
            description: The chain in PEM, leaf first. It must cover every host and be valid now.
            type: str
          private_key:
            description: The key in PEM, unencrypted.
            type: str
          certificate_path:
            description: Where the chain lies on the machine; it is copied, so a renewed one is taken by the next run.
            type: path
          private_key_path:
            description: Where the key lies on the machine.
            type: path
          secret:
            description: In a cluster, the TLS Secret of the instance's namespace that somebody else keeps, such as cert-manager. It is looked at when the route
              changes; Traefik takes a renewed one by itself.
            type: str
          resolver:
            description: The name of one of Traefik's ACME resolvers. Of several Traefiks each would fetch a certificate of its own; in a cluster use
              O(routes[].tls.secret).
            type: str
          unavailable:
            description: Why there is no certificate to give, where the controller was to read it and could not. The route counts as one whose certificate
              cannot be read.
            type: str
          min_version:
            description: The oldest TLS version accepted.
            type: str
            choices: ["1.2", "1.3"]
            default: "1.2"
  absent:
    description: Instances whose routes are removed in the same call, with O(state=present). The word for one instance, where O(purge) takes all that are
      not named.
    type: list
    elements: str
    default: []
  purge:
    description:
      - Whether routes of this module whose instances are not in O(routes) are removed.
      - An instance that was given another name in the inventory, or another machine, is not in O(routes) either. So the playbook C(site) does not purge, but
        names in O(absent) what is to go.
    type: bool
    default: false
  group:
    description: The group that may read files and keys (0640).
    type: str
    default: traefik
  pages:
    description:
      - The server of the edge's pages, which the role C(traefik) installs. Default is V(http://172.28.0.2:8069), in a cluster
        V(http://sysgenpro-pages.sysgenpro-edge:8069).
      - In a cluster it is V(http://), an IPv4 address or a Service with its namespace, and a port.
    type: str
  output:
    description:
      - What the routes of a cluster are. V(ingress_route) is an IngressRoute of Traefik.
      - V(http_route) is an HTTPRoute of Gateway API (C(gateway.networking.k8s.io/v1)), attached to O(gateway). Its Middlewares are Traefik's, as filters of
        type ExtensionRef, and its backends are TraefikServices, so it needs Traefik's providers for both.
    type: str
    choices: [ingress_route, http_route]
    default: ingress_route
  gateway:
    description: What HTTPRoutes are attached to. The defaults are what the role C(traefik) makes (C(traefik_gateway)).
    type: dict
    suboptions:
      namespace:
        description: The Gateway's namespace. Default is O(edge.namespace).
        type: str
      name:
        description: The Gateway. Default is V(traefik).
        type: str
      section_name:
        description:
          - Its listener for HTTPS. Default is the name of the route's entry point, V(websecure) or V(internal).
          - The listener must be for all hosts of the route, and its port that of the entry point, as this decides who reaches the route.
        type: str
      redirect_section_name:
        description: Its listener for HTTP, which sends to HTTPS. Default is V(web).
        type: str
  force:
    description: Whether to take back what somebody else changed of the module's own objects in a cluster.
    type: bool
    default: false
  expected_plan_digest:
    description: Refuse when the plan computed now has another digest.
    type: str
extends_documentation_fragment:
  - sysgenpro.odoo.attributes
  - sysgenpro.odoo.attributes.changes
  - sysgenpro.odoo.attributes.actiongroup
  - sysgenpro.odoo.edge
requirements:
  - Traefik 3.7 with its file provider or its provider for Kubernetes' CRDs, and its API
  - Gateway API 1.6 and Traefik's provider for it, for O(output=http_route)
  - Python's kubernetes, for O(provider=kubernetes), where the module runs
  - Python's cryptography, where certificates are given
  - Python's idna, where names of hosts have other letters than ASCII's
notes:
  - Answers 429, 502, 503 and 504 of Odoo itself are shown as the edge's page, too; Odoo 14 to 19 give none of them
    in ordinary
    use. All other answers pass unchanged.
seealso:
  - module: sysgenpro.odoo.traefik_route_info
"""

EXAMPLES = r"""
- name: Route all instances of the machine
  sysgenpro.odoo.traefik_route:
    absent: [closed-shop]
    routes:
      - name: acme-production
        hosts: [shop.example.test, www.example.test]
        front: 172.28.1.2
        tls:
          certificate: "{{ acme_certificate }}"
          private_key: "{{ acme_private_key }}"
      - name: bodega-production
        hosts: [bodega.example.test]
        front: 172.28.2.2
        exposure: partner
        allow_list: [192.0.2.0/24]
        tls:
          resolver: letsencrypt
        hold:
          timeout: 120
          requests: 200

- name: Route all instances of a cluster
  sysgenpro.odoo.traefik_route:
    provider: kubernetes
    context: k8s-eu-1
    routes:
      - name: acme-production
        hosts: [shop.example.test]
        tls:
          secret: shop-example-test
      - name: bodega-production
        hosts: [bodega.example.test]
        tls:
          certificate: "{{ bodega_certificate }}"
          private_key: "{{ bodega_private_key }}"

- name: Route all instances of a cluster by Gateway API, but for one that has a certificate of its own
  sysgenpro.odoo.traefik_route:
    provider: kubernetes
    context: k8s-eu-1
    output: http_route
    gateway:
      namespace: sysgenpro-edge
      name: traefik
    routes:
      - name: acme-production
        hosts: [shop.example.test]
      - name: bodega-production
        hosts: [bodega.example.test]
        output: ingress_route
        tls:
          secret: bodega-example-test

- name: Show what would be written
  sysgenpro.odoo.traefik_route:
    state: rendered
    routes: "{{ edge_routes }}"
  register: rendered

- name: Take an instance off the edge
  sysgenpro.odoo.traefik_route:
    state: absent
    routes:
      - name: acme-production
"""

RETURN = r"""
plan:
  description: Steps, before, after and digest. Keys never show; certificates only as fingerprints.
  returned: unless O(state=rendered)
  type: dict
  sample: {"digest": "sha256:4f1c", "steps": [{"name": "write", "title": "change the route of acme-production"}]}
routes:
  description: The routes asked for.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The instance.
      type: str
      sample: acme-production
    hosts:
      description: Its host names.
      type: list
      elements: str
      sample: [shop.example.test]
    exposure:
      description: Who may reach it.
      type: str
      sample: public
    entry_point:
      description: Traefik's entry point.
      type: str
      sample: websecure
    namespace:
      description: Its namespace, in a cluster.
      type: str
      sample: acme-production
    output:
      description: What the route is, in a cluster.
      type: str
      sample: ingress_route
    secret:
      description: The TLS Secret that somebody else keeps, or null; in a cluster.
      type: str
      sample: null
    file:
      description: The file, on a machine.
      type: str
      sample: /etc/traefik/dynamic/acme-production.yml
    service:
      description: Traefik's name of the service for HTTP. In a cluster C(acme-production_acme-production_0_lb@kubernetescrd), where Traefik's C(safeNaming)
        is on; of an HTTPRoute a name that ends in C(-wrr@kubernetesgateway).
      type: str
      sample: acme-production@file
    websocket_service:
      description: Traefik's name of the service for the bus, websocket or longpolling.
      type: str
      sample: acme-production-websocket@file
    resolver:
      description: The ACME resolver, or null.
      type: str
      sample: letsencrypt
    certificate:
      description: The given certificate, or null.
      type: dict
      sample:
        subject: CN=shop.example.test
        names: [shop.example.test]
        not_before: "2026-10-01T00:00:00+00:00"
        not_after: "2026-12-30T00:00:00+00:00"
        fingerprint: 9b74c9897bac770ffc029102a200c5de
rendered:
  description: Text of each file by its path, or each object by kind, namespace and name; a Secret without its data.
  returned: O(state=rendered)
  type: dict
  sample: {"/etc/traefik/dynamic/acme-production.yml": "..."}
api_calls:
  description: Calls of Traefik's API that were made.
  returned: success
  type: int
  sample: 3
cluster_calls:
  description: Requests to the cluster's API by method, with O(provider=kubernetes).
  returned: success
  type: dict
  sample: {"GET": 9}
api_reachable:
  description: Whether Traefik's API answered. Only in check mode may it not.
  returned: unless O(state=rendered)
  type: bool
  sample: true
timings:
  description: Seconds by phase.
  returned: unless O(state=rendered)
  type: dict
  sample: {"plan": 0.02, "write": 0.01, "verify": 2.1, "total": 2.2}
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._kernel.errors import DomainError
from ..module_utils._kernel.run import fail, run
from ..module_utils._routing import arguments


def main() -> None:
    module = AnsibleModule(argument_spec=arguments.module_spec(), supports_check_mode=True)
    if module.params["state"] == "rendered":
        rendered(module)
    run(module, lambda: arguments.operation(module.params, module.check_mode))


def rendered(module: AnsibleModule) -> None:
    try:
        found = arguments.rendered(module.params)
    except DomainError as error:
        fail(module, error)
    module.exit_json(changed=False, api_calls=0, **found)


if __name__ == "__main__":
    main()
