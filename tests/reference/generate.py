#!/usr/bin/env python3
# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the generated pages of docs/reference: ``tests/reference/generate.py``, from anywhere. ``tests/unit/test_reference.py`` fails where one is stale.

Verbs and roles come from their argument specs, modules from their documentation, error codes from the code (``codes.py``) and ``errors.yml``, and the
variables of an inventory from ``inventory.yml``.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import runpy
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from antsibull_docs_parser import dom
from antsibull_docs_parser.parser import Context, parse

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PAGES = ROOT / "docs" / "reference"
MADE = "Made by `tests/reference/generate.py`; do not edit.\n"
PREFIX = "sysgenpro.odoo."


def beside(name: str) -> Any:
    """The Python file of this name in this directory. It is no package, so that a test can load it from wherever it runs."""
    spec = importlib.util.spec_from_file_location("reference_" + name, HERE / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


codes = beside("codes")


def pages() -> dict[Path, str]:
    """Every generated page."""
    ends = codes.by_entry(codes.read())
    found = {PAGES / "verbs.md": verbs(), PAGES / "errors.md": errors(ends), PAGES / "modules.md": modules(ends), PAGES / "inventory.md": inventory()}
    specs = role_specs()
    found[PAGES / "roles" / "README.md"] = roles(specs)
    found |= {PAGES / "roles" / f"{name}.md": role(name, spec) for name, spec in specs.items()}
    for name, spec in specs.items():
        path = ROOT / "roles" / name / "README.md"
        if path.exists():
            found[path] = with_table(path.read_text(), table(spec["main"].get("options") or {}))
    return found


def with_table(readme: str, made: str) -> str:
    """A role's README, which people write, with its one table of variables as the argument spec has it."""
    return re.sub(r"(?m)^\| variable \| type \| default \| \|\n(\|.*\n)+", lambda _found: made, readme, count=1)


def verb_specs() -> dict[str, Any]:
    return {path.name.removesuffix(".meta.yml"): yaml.safe_load(path.read_text()) for path in sorted((ROOT / "playbooks").glob("*.meta.yml"))}


def role_specs() -> dict[str, Any]:
    return {path.parts[-3]: yaml.safe_load(path.read_text())["argument_specs"] for path in sorted((ROOT / "roles").glob("*/meta/argument_specs.yml"))}


def module_docs() -> dict[str, Any]:
    """A module's documentation with its fragments."""
    found = {}
    for path in sorted((ROOT / "plugins" / "modules").glob("*.py")):
        found[path.stem] = doc = yaml.safe_load(text_of(path, "DOCUMENTATION"))
        for name in doc.get("extends_documentation_fragment") or []:
            fragment, _dot, part = name.removeprefix(PREFIX).partition(".")
            held = runpy.run_path(str(ROOT / "plugins" / "doc_fragments" / f"{fragment}.py"))["ModuleDocFragment"]
            more = yaml.safe_load(getattr(held, part.upper() or "DOCUMENTATION"))
            doc["options"] = {**(more.get("options") or {}), **(doc.get("options") or {})}
    return found


def text_of(path: Path, name: str) -> str:
    """A text that a Python file gives a name, at its top level or in a class."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Assign) and any(isinstance(target, ast.Name) and target.id == name for target in node.targets):
            return str(ast.literal_eval(node.value))
    raise KeyError(f"{path} has no {name}")


def inventory_names() -> dict[str, Any]:
    return dict(yaml.safe_load((HERE / "inventory.yml").read_text()))


def error_texts() -> dict[str, dict[str, str]]:
    return dict(yaml.safe_load((HERE / "errors.yml").read_text()))


def verbs() -> str:
    parts = [f"# Verbs\n\n{MADE}\nEach verb is a playbook. `-i` names an inventory, `--limit` the hosts, and `-e` gives the variables of the tables. "
             "`--check --diff` shows the changes and makes none.\n"]
    for name, document in verb_specs().items():
        spec = document["argument_specs"][name]
        parts.append(f"## {name}\n\n{sentence(spec['short_description'])}\n")
        parts += [f"{paragraph}\n" for paragraph in paragraphs(spec.get("description"))]
        parts.append(table(spec.get("options") or {}))
        parts.append(f"```bash\n{str(spec['examples']).strip()}\n```\n")
    return "\n".join(parts)


def roles(specs: Mapping[str, Any]) -> str:
    lines = [f"| [{name}]({name}.md) | {text(spec['main']['short_description'])} |" for name, spec in specs.items()]
    return f"# Roles\n\n{MADE}\nThe verbs call them; each can be used alone.\n\n| role | |\n|---|---|\n" + "\n".join(lines) + "\n"


def role(name: str, spec: Mapping[str, Any]) -> str:
    parts = [f"# Role {name}\n\n{MADE}"]
    shown: list[tuple[str, Any]] = []
    for entry, its in spec.items():
        options = its.get("options") or {}
        same = next((known for known, other in shown if other == options), None)
        if entry != "main":
            parts.append(f"## tasks_from: {entry}\n")
        parts += [f"{paragraph}\n" for paragraph in [sentence(its["short_description"]), *paragraphs(its.get("description"))]]
        parts.append(f"The variables are those of {'the role' if same == 'main' else f'`{same}`'}.\n" if same else table(options))
        shown.append((entry, options))
    return "\n".join(parts)


def modules(ends: Mapping[str, list[str]]) -> str:
    parts = [f"# Modules\n\n{MADE}\nThe roles and verbs call them. `ansible-doc sysgenpro.odoo.<module>` has their options, examples and results. The codes "
             "are those that a module's code can reach; [errors](errors.md) has what they mean.\n"]
    for name, doc in module_docs().items():
        parts.append(f"## {name}\n\n{sentence(doc['short_description'])}\n")
        found = sorted(code for code, modules in ends.items() if name in modules)
        if found:
            parts.append(f"Codes: {', '.join(f'`{code}`' for code in found)}.\n")
    return "\n".join(parts)


def errors(ends: Mapping[str, list[str]]) -> str:
    head = f"""# Errors

{MADE}
A task that fails has a `code`, and a message that says the fault, the things that were left as they were, and the next thing to do. `details` has the
names and figures. `check` is the timer's check of recovery points. Of these modules the code can come:

| code | of | it means | do |
|---|---|---|---|
"""
    entries = error_texts()
    return head + "".join(
        f"| `{code}` | {', '.join(name.removesuffix(' (timer)') for name in ends[code])} | {linked(entries[code]['meaning'])} | {linked(entries[code]['do'])} |\n"
        for code in sorted(ends))


def linked(said: str) -> str:
    """A page of the documentation that a text names becomes a link."""
    return cell(re.sub(r"docs/(guides|concepts)/([a-z0-9-]+)\.md", lambda found: f"[{found[2].replace('-', ' ')}](../{found[1]}/{found[2]}.md)", said))


def inventory() -> str:
    names = inventory_names()
    parts = [f"""# Variables of an inventory

{MADE}
Machines, clusters and instances are inventory hosts of the groups `machines`, `clusters` and `instances`. An instance's `ansible_host` is its machine's; in a cluster
its connection leads to its toolbox ([Kubernetes](../guides/kubernetes.md)).
"""]
    for group, title in (("machines", "Of a machine"), ("clusters", "Of a cluster"), ("instances", "Of an instance"), ("controller", "Of all hosts, about the controller")):
        lines = [f"| `{name}` | {one['type']} | {one.get('default', 'required')} | {_code(one.get('example', ''))} | {cell(one['description'])} |"
                 for name, one in names[group].items()]
        parts.append(f"## {title}\n\n| variable | type | default | example | |\n|---|---|---|---|---|\n" + "\n".join(lines) + "\n")
    lines = [f"| `{name}` | {cell(said)} |" for name, said in names["recovery"].items()]
    parts.append("## Keys of instance_recovery\n\n| key | |\n|---|---|\n" + "\n".join(lines) + "\n")
    return "\n".join(parts)


def table(options: Mapping[str, Any]) -> str:
    if not options:
        return "It takes no variables.\n"
    return "| variable | type | default | |\n|---|---|---|---|\n" + "".join(rows(options))


def rows(options: Mapping[str, Any], before: str = "") -> Iterable[str]:
    for name, option in options.items():
        kind = option.get("type", "str") + (f" of {option['elements']}" if "elements" in option else "")
        default = "required" if option.get("required") else f"`{value(option['default'])}`" if "default" in option else ""
        said = " ".join(paragraphs(option.get("description")))
        if option.get("choices"):
            said += " One of " + ", ".join(f"`{choice}`" for choice in option["choices"]) + "."
        yield f"| `{before}{name}` | {kind} | {cell(default)} | {cell(said)} |\n"
        yield from rows(option.get("options") or {}, f"{before}{name}{'[]' if option.get('elements') else ''}.")


def value(default: Any) -> str:
    """A default on one line: a text as it is, anything else as JSON, which is YAML."""
    return default if isinstance(default, str) and default else json.dumps(default, ensure_ascii=False)


def _code(example: object) -> str:
    return f"`{example}`" if example != "" else ""


def cell(said: str) -> str:
    return " ".join(said.split()).replace("|", "\\|")


def sentence(said: str) -> str:
    return text(said).rstrip(".") + "."


def paragraphs(described: str | list[str] | None) -> list[str]:
    return [text(one) for one in ([described] if isinstance(described, str) else described or [])]


def text(said: str) -> str:
    """Ansible's markup as Markdown."""
    return " ".join("".join(_part(part) for paragraph in parse(str(said), Context()) for part in paragraph).split())


def _part(part: dom.AnyPart) -> str:
    if isinstance(part, dom.TextPart):
        return part.text
    if isinstance(part, (dom.ModulePart, dom.PluginPart)):
        name = part.fqcn if isinstance(part, dom.ModulePart) else part.plugin.fqcn
        return f"`{name.removeprefix(PREFIX)}`"
    if isinstance(part, (dom.OptionNamePart, dom.ReturnValuePart)):
        of = f" of `{part.plugin.fqcn.removeprefix(PREFIX)}`" if part.plugin else ""
        return f"`{part.name}{'' if part.value is None else f': {part.value}'}`{of}"
    if isinstance(part, dom.OptionValuePart):
        return f"`{part.value}`"
    if isinstance(part, (dom.CodePart, dom.BoldPart, dom.ItalicPart)):
        return f"`{part.text}`"
    raise ValueError(f"markup that no page has a form for: {part}")


def main() -> None:
    made = pages()
    for path, content in made.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    for path in (PAGES / "roles").glob("*.md"):
        if path not in made:
            path.unlink()


if __name__ == "__main__":
    main()
