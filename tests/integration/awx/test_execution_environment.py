# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The execution environment, really built, and the job that takes AWX' decisions in, run in it by ansible-runner as AWX runs it.

In place of AWX' API answers the server that records (``molecule/awx/recording_awx.py``), with answers of the fields that AWX' documents name: it is no AWX.
The machine that is governed is the container itself.
"""

from __future__ import annotations

import datetime
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ansible_runner
import pytest
import yaml
from ansible_collections.sysgenpro.odoo.plugins.module_utils._documents.signing import Signer
from ansible_collections.sysgenpro.odoo.plugins.module_utils._governance.signers import AWX, ROLES
from ansible_collections.sysgenpro.odoo.plugins.module_utils._governance.statements import sealed
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.governance.house import (
    INSTANCE,
    NOW,
    OTHER,
    PLAN,
    POLICY,
    House,
    key_of,
)
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.governance.test_awx import (
    SIGNER,
    TAKEN,
    answers,
    signing,
)

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[3]
IMAGE = "sgp-test-ee"
# Of Galaxy's collections those that this one asks for; they come with the tests' own environment.
COLLECTIONS = Path(sys.prefix, "lib", f"python{sys.version_info[0]}.{sys.version_info[1]}", "site-packages", "ansible_collections")


def definition(directory: Path) -> dict[str, Any]:
    """As docs/guides/execution-environment.md has it, but with a base, collections and pip's settings of this machine."""
    sys.path.insert(0, str(ROOT / "tests" / "lab"))
    from sgplab import host, images

    base = images.ensure("debian13")
    (directory / "pip.conf").write_text(host.pip_conf())
    subprocess.run(["ansible-galaxy", "collection", "build", "--force", "--output-path", str(directory), str(ROOT)], check=True, capture_output=True)
    next(directory.glob("sysgenpro-odoo-*.tar.gz")).rename(directory / "odoo.tar.gz")
    for name in yaml.safe_load((ROOT / "galaxy.yml").read_text())["dependencies"]:
        shutil.copytree(COLLECTIONS.joinpath(*name.split(".")), directory.joinpath("collections", *name.split(".")))
    return {
        "version": 3, "images": {"base_image": {"name": base}}, "build_arg_defaults": {"ANSIBLE_GALAXY_CLI_COLLECTION_OPTS": "--no-deps"},
        "dependencies": {"python_interpreter": {"package_system": "python3", "python_path": "/usr/bin/python3"},
                         "ansible_core": {"package_pip": "ansible-core>=2.19,<2.20"}, "ansible_runner": {"package_pip": "ansible-runner"},
                         "galaxy": {"collections": [{"name": "/build/odoo.tar.gz", "type": "file"}]}},
        "options": {"package_manager_path": "/usr/bin/apt-get", "skip_pip_install": True},
        "additional_build_files": [{"src": "pip.conf", "dest": "."}, {"src": "odoo.tar.gz", "dest": "."}, {"src": "collections", "dest": "collections"}],
        "additional_build_steps": {
            "prepend_base": ["COPY _build/pip.conf /etc/pip.conf",
                             "ENV PIP_BREAK_SYSTEM_PACKAGES=1 PIP_ROOT_USER_ACTION=ignore DEBIAN_FRONTEND=noninteractive PKGMGR_OPTS=--no-install-recommends",
                             "RUN apt-get update && apt-get install --yes --no-install-recommends python3-pip python3-venv ca-certificates"],
            "prepend_galaxy": ["COPY _build/odoo.tar.gz /build/odoo.tar.gz"],
            "append_galaxy": ["COPY _build/collections /usr/share/ansible/collections/ansible_collections"]}}


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    directory = tmp_path_factory.mktemp("ee")
    (directory / "execution-environment.yml").write_text(yaml.safe_dump(definition(directory)))
    done = subprocess.run(["ansible-builder", "build", "--container-runtime", "docker", "-t", IMAGE, "--extra-build-cli-args=--network host"],
                          cwd=directory, capture_output=True, text=True, check=False, env={**os.environ, "DOCKER_BUILDKIT": "0"})
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    yield IMAGE
    subprocess.run(["docker", "image", "rm", "--force", IMAGE], check=False, capture_output=True)


@pytest.fixture
def house(tmp_path: Path) -> House:
    policy = json.loads(json.dumps(POLICY))
    policy["classes"]["production"]["awx"] = TAKEN
    house = House(tmp_path, policy)
    house.now = datetime.datetime.now(datetime.timezone.utc)
    house.lines.append(house.line(SIGNER, AWX))
    house.write()
    return house


def of_today(found: dict[str, Any]) -> dict[str, Any]:
    """The answers, with moments of the last half hour in place of those that unit tests have."""
    away = datetime.datetime.now(datetime.timezone.utc) - NOW

    def moved(match: re.Match[str]) -> str:
        at = datetime.datetime.fromisoformat(match.group().replace("Z", "+00:00")) + away
        return at.isoformat().replace("+00:00", "Z")

    return dict(json.loads(re.sub(r"2026-11-30T[0-9:.]+Z", moved, json.dumps(found))))


class Job:
    """A job of AWX: its variables and its environment as AWX gives them, in the execution environment."""

    def __init__(self, image: str, house: House, directory: Path, found: dict[str, Any]) -> None:
        self.image, self.house, self.directory = image, house, directory
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        (directory / "answers.json").write_text(json.dumps(of_today(found)))
        self.server = subprocess.Popen([sys.executable, str(ROOT / "molecule/awx/recording_awx.py"), str(self.port), str(directory / "record"),
                                        str(directory / "answers.json")])
        for _each in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    break
            time.sleep(0.1)

    def run(self, playbook: str = "sysgenpro.odoo.awx_decisions", check: bool = False, **variables: Any) -> Any:
        """As AWX: its own variables first, so that a launcher's win over them."""
        said = {"awx_job_id": 45, "tower_job_id": 45, "awx_workflow_job_id": 41, "awx_user_name": "rita", "awx_job_launch_type": "workflow",
                "release_expected_plan_digest": {INSTANCE: PLAN}, "instance_release": "r3", **variables}
        place = f"{self.directory}:{self.directory}"
        return ansible_runner.run(
            private_data_dir=str(self.directory / "job"), playbook=playbook, extravars=said, quiet=True, cmdline="--check" if check else None,
            inventory={"instances": {"hosts": {INSTANCE: {"ansible_connection": "local", "ansible_python_interpreter": "/usr/bin/python3", "ansible_become": False}}}},
            envvars={"JOB_ID": "45", "CONTROLLER_HOST": f"http://127.0.0.1:{self.port}", "CONTROLLER_OAUTH_TOKEN": "recorded", "SYSGENPRO_SIGNER": SIGNER,
                     "SYSGENPRO_SIGNING_KEY": key_of(self.house.directory, SIGNER)},
            process_isolation=True, process_isolation_executable="docker", container_image=self.image, container_options=["--network=host", "--user=root"],
            container_volume_mounts=[place, f"{self.house.place}:/etc/sysgenpro/governance", f"{self.house.kept}:/var/lib/sysgenpro/governance"])


@pytest.fixture
def job(image: str, house: House, tmp_path: Path) -> Iterator[Any]:
    jobs = []

    def start(found: dict[str, Any] | None = None) -> Job:
        jobs.append(Job(image, house, tmp_path, found or answers()))
        return jobs[-1]
    yield start
    for each in jobs:
        each.server.terminate()
        each.server.wait(10)


def plans(house: House) -> list[tuple[str, str, str]]:
    entries = [house.ledger().entry(number) for number in house.ledger().numbers()]
    return [(entry.body["by"], entry.body["role"], entry.body["plan"]) for entry in entries]


ALL = [("rita@example.com", "request", PLAN), ("jane@example.com", "app", PLAN), ("dan@example.com", "schema", PLAN)]


def test_what_the_collection_asks_for_is_in_the_image(image: str) -> None:
    told = subprocess.run(["docker", "run", "--rm", image, "sh", "-c", "git --version && ssh -V 2>&1 && python3 -c 'import cryptography, jmespath, requests' && "
                           "ansible-galaxy collection list sysgenpro.odoo && ansible --version"], capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout + told.stderr
    assert "sysgenpro.odoo" in told.stdout and "core 2.19" in told.stdout


def test_decisions_go_into_the_ledger_once(job: Any, house: House) -> None:
    first = job()
    assert first.run(check=True).rc == 0
    assert plans(house) == []
    assert first.run().rc == 0
    assert plans(house) == ALL
    again = first.run()
    assert (again.rc, again.stats["changed"], plans(house)) == (0, {}, ALL)
    assert house.ask("ledger")["findings"] == []


def test_variables_of_who_launches_override_nothing(job: Any, house: House) -> None:
    """Each wins over what AWX itself says, and none is believed."""
    done = job().run(awx_workflow_job_id=999, tower_workflow_job_id=999, awx_job_id=1, JOB_ID="1", job="1", controller_host="http://127.0.0.1:1", signer="anna@example.com",
                     release_expected_plan_digest={INSTANCE: OTHER}, governance_plan=OTHER, governance_role="schema", plan=OTHER)
    assert done.rc == 0
    assert plans(house) == ALL


def test_a_result_put_in_the_place_of_the_tasks_own_is_refused(job: Any, house: House) -> None:
    """A variable wins over what a task registers: here decisions about another plan, which somebody signed who is not AWX."""
    of_other = json.loads(json.dumps(answers()).replace(PLAN, OTHER))
    forged = [sealed(one.statement(), Signer(key_of(house.directory, "anna@example.com"), namespace=ROLES["app"]).sign) for one in signing(house, of_today(of_other)).decisions]
    done = job().run(__governance_awx={"envelopes": forged, "plan": {"steps": []}, "decisions": []})
    assert (done.rc, plans(house)) == (2, [])
    said = next(event["event_data"]["res"] for event in done.events if event["event"] == "runner_item_on_failed")
    assert said["code"] == "decision_refused"


def test_a_plan_job_with_other_variables_is_not_believed(job: Any, house: House) -> None:
    found = answers()
    found["jobs/42/"]["extra_vars"] = json.dumps({"instance_release": "r3", "release_result": {"plan": {"digest": OTHER}}})
    done = job(found).run()
    assert (done.rc, plans(house)) == (2, [])
    said = next(event["event_data"]["res"] for event in done.events if event["event"] == "runner_on_failed")
    assert (said["code"], "release_result" in said["msg"]) == ("awx_unclear", True)
