# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation holds: every link leads somewhere, and every fenced block uses only playbooks, options, variables and plugins that there are.

``console`` is what a terminal shows: of it only the commands of this collection are checked. ``text`` is what a program prints, or a drawing. Every
other block is checked by its language.
"""

from __future__ import annotations

import configparser
import importlib.util
import itertools
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.cli.playbook import PlaybookCLI
from ansible.cli.vault import VaultCLI
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.sysgenpro.odoo.plugins.module_utils._image import source
from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).resolve().parents[2]
_spec = importlib.util.spec_from_file_location("generate", ROOT / "tests" / "reference" / "generate.py")
assert _spec and _spec.loader
generate = importlib.util.module_from_spec(_spec)
sys.modules["generate"] = generate
_spec.loader.exec_module(generate)

CHECKED = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINKING = [*CHECKED, *sorted(ROOT.glob("roles/*/README.md")), *sorted(ROOT.glob("tests/*/README.md")), *sorted(ROOT.glob("**/molecule/README.md"))]
UNCHECKED = {"text"}
# Programs that are not this collection's; the shell alone looks at how they are called.
OTHERS = {"apt", "apt-get", "awk", "cat", "cd", "chmod", "chown", "cp", "curl", "docker", "echo", "export", "git", "grep", "head", "install", "kubectl", "ls", "mkdir", "openssl",
          "ansible-builder", "ansible-runner", "pip", "printf", "python3", "scp", "sed", "source", "ssh", "ssh-keygen", "sudo", "systemctl", "umask", "uv", "."}
GALAXY = {"ansible-galaxy", "ansible-doc", "ansible-inventory", "ansible"}

VERBS: dict[str, dict[str, Any]] = {name: spec["argument_specs"][name].get("options") or {} for name, spec in generate.verb_specs().items()}
ROLES: dict[str, Any] = generate.role_specs()
MODULES: dict[str, Any] = generate.module_docs()
NAMES: dict[str, Any] = generate.inventory_names()
INVENTORY = {name: one for group in ("machines", "clusters", "instances", "controller") for name, one in NAMES[group].items()}
ROLE_VARIABLES = {name: option for spec in ROLES.values() for entry in spec.values() for name, option in (entry.get("options") or {}).items()}
PLUGINS = {path.stem for kind in ("filter", "lookup", "modules") for path in (ROOT / "plugins" / kind).iterdir()} | set(VERBS) | set(ROLES) | {
    name for path in (ROOT / "plugins" / "filter").glob("*.py") for name in re.findall(r'"([a-z_]+)": [a-z_]+[,}]', path.read_text())}
# Of an inventory's groups and of what its examples may say besides the collection's own variables.
FREE = re.compile(r"ansible_\w+|vault_\w+|inventory_\w+|instance_(tier|runtime)$")
GROUPS = {"machines", "clusters", "instances", "builders", "registries", "object_stores", "all"}
# The dictionaries of an inventory whose keys another argument spec names.
INSIDE = {
    "instance_processes": MODULES["odoo_release"]["options"]["processes"]["suboptions"],
    "instance_bounds": MODULES["odoo_release"]["options"]["bounds"]["suboptions"],
    "instance_share_of_cluster": MODULES["tenant_quota"]["options"]["tenants"]["suboptions"],
    "cluster_overcommit": MODULES["tenant_quota"]["options"]["overcommit"]["suboptions"],
    "instance_edge": MODULES["odoo_release"]["options"]["edge"]["suboptions"],
    "instance_registry": MODULES["odoo_release"]["options"]["registry"]["suboptions"],
    "instance_route": MODULES["traefik_route"]["options"]["routes"]["suboptions"],
    "instance_tls": MODULES["traefik_route"]["options"]["routes"]["suboptions"]["tls"]["suboptions"],
    "instance_postgresql": ROLES["postgresql"]["main"]["options"]["postgresql_clusters"]["options"],
    "instance_recovery": dict.fromkeys(NAMES["recovery"]),
}
PARSER = MarkdownIt("commonmark").enable("table")


class Wrong(Exception):
    """Something that a block says and that is not so."""


def tokens(path: Path) -> list[Token]:
    return list(PARSER.parse(path.read_text()))


def fences(path: Path) -> Iterator[tuple[int, str, str]]:
    """Line, language and text of each fenced block."""
    for token in tokens(path):
        if token.type == "code_block":
            raise AssertionError(f"{path}:{token.map}: a block without a fence")
        if token.type == "fence" and token.map:
            yield token.map[0] + 1, token.info.strip(), token.content


def inline(path: Path, kind: str) -> Iterator[Token]:
    for token in tokens(path):
        yield from (child for child in token.children or [] if child.type == kind)


def slugs(path: Path) -> set[str]:
    """The anchors of a page's headings, by GitHub's rule."""
    found, before = set(), None
    for token in tokens(path):
        if before == "heading_open":
            text = "".join(child.content for child in token.children or [] if child.type in ("text", "code_inline")).lower()
            found.add(re.sub(r"[^\w\- ]", "", text).replace(" ", "-"))
        before = token.type
    return found


def links(path: Path) -> Iterator[str]:
    for token in inline(path, "link_open"):
        target = str(token.attrGet("href"))
        if not re.match(r"[a-z]+:", target):
            yield target


# Blocks


def variable(name: str, value: Any, allowed: Iterable[str] = ()) -> None:
    """:raises Wrong: for a variable that nobody reads, a key that it cannot have or a value that is no choice."""
    if name in INVENTORY:
        if name in INSIDE and isinstance(value, Mapping):
            options(name, value, INSIDE[name])
    elif name in ROLE_VARIABLES:
        option(name, value, ROLE_VARIABLES[name])
    elif name not in allowed and not FREE.match(name):
        raise Wrong(f"nobody reads the variable {name}")


def options(where: str, given: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    for name, value in given.items():
        if name not in known:
            raise Wrong(f"{where} has no {name}, but {', '.join(known)}")
        option(f"{where}.{name}", value, known[name] or {})


def option(where: str, value: Any, spec: Mapping[str, Any]) -> None:
    if isinstance(value, str) and "{{" in value:
        return
    inner = spec.get("options") or spec.get("suboptions") or {}
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, Mapping) and inner:
            options(where, one, inner)
        if spec.get("choices") and one not in spec["choices"]:
            raise Wrong(f"{where} is {one!r}, expected one of {spec['choices']}")


def inventory(value: Mapping[str, Any]) -> None:
    for group, content in value.items():
        if group not in GROUPS or not isinstance(content, Mapping):
            raise Wrong(f"{group} is no group that the playbooks use")
        for variables in [*(content.get("hosts") or {}).values(), content.get("vars")]:
            for name, given in (variables or {}).items():
                variable(name, given)
        inventory(content.get("children") or {})


def play(value: Mapping[str, Any]) -> None:
    own = set(value.get("vars") or {})
    for role in value.get("roles") or []:
        the_role(role if isinstance(role, Mapping) else {"role": role}, "role", own)
    for one in [*(value.get("tasks") or []), *(value.get("pre_tasks") or [])]:
        task(one, own)


def the_role(value: Mapping[str, Any], key: str, own: set[str]) -> None:
    if value[key].removeprefix("sysgenpro.odoo.") not in ROLES:
        raise Wrong(f"there is no role {value[key]}")
    for name, given in {**{name: given for name, given in value.items() if name not in (key, "vars", "tags", "when")}, **(value.get("vars") or {})}.items():
        variable(name, given, own)


def task(value: Mapping[str, Any], own: set[str]) -> None:
    for key, given in value.items():
        if key.startswith("sysgenpro.odoo."):
            name = key.removeprefix("sysgenpro.odoo.")
            if name not in MODULES:
                raise Wrong(f"there is no module {key}")
            options(name, given, MODULES[name]["options"])
        elif key in ("ansible.builtin.include_role", "ansible.builtin.import_role"):
            the_role({**given, "vars": value.get("vars") or {}}, "name", own)
        elif key in ("block", "rescue", "always"):
            for one in given:
                task(one, own)


class Loader(yaml.SafeLoader):
    """YAML with Ansible's tags."""


Loader.add_multi_constructor("!", lambda loader, suffix, node: loader.construct_scalar(node))


def check_yaml(text: str) -> None:
    for name in re.findall(r"sysgenpro\.odoo\.([a-z_]+)", text):
        if name not in PLUGINS:
            raise Wrong(f"there is no sysgenpro.odoo.{name}")
    for value in yaml.load_all(text, Loader):
        if isinstance(value, list):
            for one in value:
                play(one) if "hosts" in one else task(one, set())
        elif set(value) <= {"major_changes", "minor_changes", "breaking_changes", "bugfixes", "security_fixes", "trivial"}:
            continue
        elif {"version", "dependencies", "images"} <= set(value):
            continue  # of an execution environment; tests/integration/awx builds one of the same kind
        elif {"series", "base"} <= set(value):
            if set(value) - source.KEYS:
                raise Wrong(f"a release source has no {set(value) - source.KEYS}")
        elif set(value) & GROUPS:
            inventory(value)
        else:
            for name, given in value.items():
                variable(name, given)


def commands(text: str) -> Iterator[list[str]]:
    """The commands of a block, without its here documents."""
    end = None
    for line in text.replace("\\\n", " ").splitlines():
        if end:
            end = None if line.strip() == end else end
            continue
        begun = re.search(r"<<-?\s*['\"]?(\w+)", line.replace("<<<", ""))
        end = begun.group(1) if begun else None
        lexer = shlex.shlex(line, posix=True, punctuation_chars=";&|")
        lexer.whitespace_split = True
        for between, found in itertools.groupby(lexer, lambda word: bool(re.fullmatch(r"[;&|]+", word))):
            words = list(itertools.dropwhile(re.compile(r"\w+=.*").fullmatch, found))
            if words and not between:
                yield words


def check_bash(text: str) -> None:
    done = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Wrong(done.stderr.strip())
    for words in commands(text):
        program = words[1] if words[0] == "sudo" and len(words) > 1 else words[0]
        if program == "ansible-playbook":
            playbook(words[words.index(program) + 1:])
        elif program == "ansible-vault":
            parsed(VaultCLI, words)
        elif program.startswith("script/"):
            script(program, words[1:])
        elif program not in OTHERS | GALAXY:
            raise Wrong(f"{program} is neither this collection's nor a program that tests/unit/test_docs.py knows")


def parsed(cli: type, words: list[str]) -> Any:
    made = cli(words)
    made.init_parser()
    try:
        return made.parser.parse_args(words[1:])
    except SystemExit:
        raise Wrong(f"{words[0]} does not take {shlex.join(words[1:])}") from None


def script(program: str, words: list[str]) -> None:
    path = ROOT / program
    if not path.is_file():
        raise Wrong(f"there is no {program}")
    for word in words:
        if not re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", path.read_text()):
            raise Wrong(f"{program} knows nothing of {word}")


def playbook(words: list[str]) -> None:
    given = parsed(PlaybookCLI, ["ansible-playbook", *words])
    if len(given.args) != 1:
        raise Wrong(f"one playbook is expected, not {given.args}")
    name = given.args[0].removeprefix("sysgenpro.odoo.")
    if name not in VERBS:
        if given.args[0].startswith("sysgenpro.odoo."):
            raise Wrong(f"there is no playbook {given.args[0]}")
        return  # one of the reader's own
    document = (ROOT / "playbooks" / f"{name}.yml").read_text()
    reads = {variable for role in ROLES if f"sysgenpro.odoo.{role}\n" in document for entry in ROLES[role].values() for variable in entry.get("options") or {}}
    tags = set(re.findall(r"\w+", " ".join(re.findall(r"tags: \[(.*)\]", document)))) | {tag for role in ROLES for tag in tags_of(role)}
    if set(given.tags) - tags:
        raise Wrong(f"{name} has no tag {set(given.tags) - tags}")
    for text in given.extra_vars:
        for key, value in extra(text).items():
            if key in VERBS[name]:
                typed(name, key, value)
            elif key not in reads and key not in INVENTORY:
                raise Wrong(f"{name} reads no {key}")


def tags_of(role: str) -> set[str]:
    return {tag for path in (ROOT / "roles" / role / "tasks").glob("*.yml") for found in re.findall(r"tags: \[(.*)\]", path.read_text())
            for tag in re.findall(r"\w+", found)}


def extra(text: str) -> dict[str, Any]:
    """What ``-e`` gives."""
    if text.startswith("@"):
        return {}
    if text.startswith(("{", "[")):
        return dict(yaml.safe_load(text))
    return dict(word.split("=", 1) for word in shlex.split(text))


def typed(playbook: str, name: str, value: Any) -> None:
    option = {key: given for key, given in VERBS[playbook][name].items() if key in ("type", "elements", "choices")}
    found = ArgumentSpecValidator({name: option}).validate({name: value})
    if found.error_messages:
        raise Wrong(f"{playbook}: {'; '.join(found.error_messages)}")


def check_ini(text: str) -> None:
    configparser.ConfigParser().read_string(text if text.lstrip().startswith("[") else "[options]\n" + text)


def check_console(text: str) -> None:
    for line in text.replace("\\\n", " ").splitlines():
        words = line.strip().removeprefix("$ ").split()
        if words and (words[0] in ("ansible-playbook", "ansible-vault") or words[0].startswith("script/")):
            check_bash(line.strip().removeprefix("$ "))


CHECKS = {"yaml": check_yaml, "bash": check_bash, "console": check_console, "json": lambda text: json.loads(text), "ini": check_ini}


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", CHECKED, ids=named)
def test_every_block_is_true(path: Path) -> None:
    wrong = []
    for line, language, text in fences(path):
        if language in UNCHECKED:
            continue
        if language not in CHECKS:
            wrong.append(f"{named(path)}:{line}: {language or 'no language'} is neither checked nor one of {', '.join(UNCHECKED)}")
            continue
        try:
            CHECKS[language](text)
        except (Wrong, ValueError, yaml.YAMLError, configparser.Error) as error:
            wrong.append(f"{named(path)}:{line}: {error}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("path", LINKING, ids=named)
def test_every_link_leads_somewhere(path: Path) -> None:
    wrong = []
    for target in links(path):
        file, _hash, anchor = target.partition("#")
        page = (path.parent / file).resolve() if file else path
        if not page.exists():
            wrong.append(f"{named(path)} links {target}, and there is nothing")
        elif anchor and anchor not in slugs(page):
            wrong.append(f"{named(path)} links {target}; the page has {', '.join(sorted(slugs(page)))}")
    assert not wrong, "\n".join(wrong)


def test_every_page_can_be_reached() -> None:
    reached, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page not in reached and page.suffix == ".md" and page.is_file():
            reached.add(page)
            waiting += [(page.parent / target.partition("#")[0]).resolve() for target in links(page) if not target.startswith("#")]
    assert [named(path) for path in CHECKED if path not in reached] == []


def test_the_readme_names_every_verb() -> None:
    assert set(re.findall(r"(?m)^\| `(\w+)` \|", (ROOT / "README.md").read_text())) == set(VERBS)


@pytest.mark.parametrize("path", CHECKED, ids=named)
def test_names_in_the_text_are_names_that_there_are(path: Path) -> None:
    """``-e`` and variables of an instance in a sentence, and codes in the columns of that name."""
    known = set(INVENTORY) | set(ROLE_VARIABLES) | PLUGINS | {name for spec in VERBS.values() for name in spec}
    for token in inline(path, "code_inline"):
        names = [*re.findall(r"-e ([a-z_]+)=", token.content), *re.findall(r"^(instance_[a-z_]+)\b(?!\()", token.content)]
        assert set(names) <= known, f"{token.content}: nobody reads that"
    codes, column, heads = set(generate.error_texts()), -1, []
    for token, after in zip(tokens(path), tokens(path)[1:]):
        if token.type == "table_open":
            heads = []
        elif token.type == "th_open":
            heads.append(after.content)
        elif token.type == "tr_open":
            column = -1
        elif token.type == "td_open":
            column += 1
            if heads[column].startswith("code"):
                found = {child.content for child in after.children or [] if child.type == "code_inline" and re.fullmatch(r"[a-z_0-9]+", child.content)}
                assert found <= codes, f"{named(path)}: {found - codes} are no codes"


@pytest.mark.parametrize(("language", "text", "expected"), [
    ("yaml", "instance_numer: 1", "nobody reads the variable instance_numer"),
    ("yaml", "instance_processes: {web_worker: 2}", "has no web_worker"),
    ("yaml", "instance_recovery: {locaton: /srv}", "has no locaton"),
    ("yaml", "instances: {hosts: {a: {instance_tennant: x}}}", "instance_tennant"),
    ("yaml", "machine: {hosts: {a: {}}}", "nobody reads the variable machine"),
    ("yaml", "- hosts: a\n  roles: [{role: sysgenpro.odoo.redis, redis_sate: absent}]", "redis_sate"),
    ("yaml", "- hosts: a\n  roles: [{role: sysgenpro.odoo.redis, redis_state: gone}]", "expected one of"),
    ("yaml", "- sysgenpro.odoo.odoo_release: {bounds: {wait: 1}}", "has no wait"),
    ("yaml", "- sysgenpro.odoo.odoo_relase: {}", "there is no"),
    ("yaml", "instance_hosts: \"{{ x | sysgenpro.odoo.instance_vales }}\"", "there is no"),
    ("yaml", "{name: r1, series: '19.0', base: x, addon: []}", "addon"),
    ("bash", "ansible-playbook sysgenpro.odoo.relase -i inventories/production", "there is no playbook"),
    ("bash", "ansible-playbook sysgenpro.odoo.release --chek", "does not take"),
    ("bash", "ansible-playbook sysgenpro.odoo.release -e release_stat=absent", "reads no release_stat"),
    ("bash", "ansible-playbook sysgenpro.odoo.release -e release_state=gone", "release_state"),
    ("bash", "ansible-playbook sysgenpro.odoo.plan \\\n  -e plan_rehearse=perhaps", "plan_rehearse"),
    ("bash", "ansible-playbook sysgenpro.odoo.site --tags site_route", "has no tag"),
    ("bash", "X=1 cat a | ansible-vault peek x", "does not take"),
    ("bash", "script/dmo", "there is no script/dmo"),
    ("bash", "script/demo recover", "knows nothing of recover"),
    ("bash", "ansible-vault peek x", "does not take"),
    ("bash", "if true", "syntax error"),
    ("bash", "odooctl release", "neither"),
    ("console", "acme's: done\n$ ansible-playbook \\\n  sysgenpro.odoo.relase", "there is no playbook"),
])
def test_errors_are_found(language: str, text: str, expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Wrong, match=re.escape(expected)):
        CHECKS[language](text)


@pytest.mark.parametrize(("language", "text"), [
    ("bash", "cat >a.yml <<'END'\nodooctl release\nEND\nansible-playbook sysgenpro.odoo.release -i x -e '{\"release_serial\": 1}' -e @more.yml  # why"),
    ("console", "acme's: \"done\nprogram of nobody"),
    ("yaml", "instance_environment_variables: {X: !unsafe '{{ 1 }}'}"),
    ("yaml", "- sysgenpro.odoo.odoo_release: {bounds: {drain: 1}, state: released}"),
])
def test_what_is_right_passes(language: str, text: str) -> None:
    CHECKS[language](text)
