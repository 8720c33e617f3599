# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images from Debian by mmdebstrap: machines with systemd, and Odoo's base images. Each is made once per recipe."""

from __future__ import annotations

import hashlib
import json
import shlex
import shutil
import subprocess
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from . import host
from .base import LabError, cache, locked, run, say

REPOSITORY = "sgp-lab"
FILES = Path(__file__).resolve().parent / "files"

_MACHINE = (
    "systemd", "systemd-sysv", "dbus", "udev", "kmod", "procps", "iproute2", "iputils-ping", "nftables", "iptables", "sudo",
    "openssh-server", "ca-certificates", "curl", "less", "python3", "python3-apt",
)  # fmt: skip
_WARM = (
    "docker.io", "docker-cli", "docker-registry", "postgresql-17", "redis-server", "redis-tools", "acl", "rsync", "unattended-upgrades",
    "apparmor", "chrony", "logrotate", "python3-boto3", "python3-docker", "python3-psycopg2", "restic", "python3-redis", "python3-requests", "python3-yaml", "openssl",
    "nginx", "pigz", "python3-cryptography", "python3-packaging", "python3-venv",
)  # fmt: skip
_ODOO = ("ca-certificates", "curl", "procps", "python3-redis", "python3-pip")

_TOOLBOX = (
    "ca-certificates", "openssh-client", "postgresql-client-17", "procps", "python3", "python3-boto3", "python3-cryptography", "python3-kubernetes",
    "python3-dateutil", "python3-icalendar", "python3-jmespath", "python3-packaging", "python3-psycopg2", "python3-requests", "python3-yaml", "restic",
    "tzdata",
)  # fmt: skip

#: Never start daily package updates in a test machine: they hold dpkg's lock. A role may enable them.
_QUIET = "systemctl --root=\"$1\" disable apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer fstrim.timer man-db.timer 2>/dev/null || true"
#: Modules belong to the host's kernel, a container's console is nobody's.
_MASK = 'systemctl --root="$1" mask systemd-modules-load.service console-getty.service getty.target systemd-firstboot.service'
_BOOT = 'systemctl --root="$1" enable lab-hosts.service ssh.service'
_JOURNAL = 'mkdir -p "$1/var/log/journal" "$1/etc/lab"'
_MACHINE_HOOKS = (_MASK, _QUIET, _BOOT, _JOURNAL)
#: A warm machine has the packages, and nothing of them running but Docker: the roles decide.
_WARM_HOOKS = ('systemctl --root="$1" disable redis-server.service docker-registry.service chrony.service nginx.service 2>/dev/null || true',)
#: Servers for pods: nobody's root, the root file system read-only; what they write is in /data, /run and /tmp. The user's number is one that a pod can name.
_POSTGRESQL = (
    "usermod --uid 999 postgres", "groupmod --gid 999 postgres", "rm -rf /var/lib/postgresql /etc/postgresql",
    "install -d -o 999 -g 999 /data /var/run/postgresql /var/lib/postgresql",
)  # fmt: skip
_REDIS = ("usermod --uid 999 redis", "groupmod --gid 999 redis", "install -d -o 999 -g 999 /data")
#: Of the tree of wkhtmltopdf nothing runs but that.
_PRINT = ('chmod 755 "$1/usr/local/bin/wkhtmltopdf"; cd "$1/opt/wkhtmltopdf" && rm -rf dev var sbin usr/sbin usr/share/doc usr/share/man usr/share/locale'
          ' usr/share/icons usr/share/perl* usr/lib/systemd usr/lib/x86_64-linux-gnu/perl* usr/lib/x86_64-linux-gnu/dri usr/lib/x86_64-linux-gnu/libLLVM*')


@dataclass(frozen=True)
class Recipe:
    """What an image is made of."""

    name: str
    suites: tuple[str, ...]
    packages: tuple[str, ...]
    hooks: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    keep_lists: bool = False
    setup: tuple[str, ...] = ()
    # A tree of another Debian inside: its directory, suite and packages.
    inside: tuple[str, str, tuple[str, ...]] | None = None


def _machine(name: str, suite: str, extra: tuple[str, ...] = (), hooks: tuple[str, ...] = ()) -> Recipe:
    return Recipe(
        name,
        (suite, f"{suite}-updates", f"{suite}-security"),
        _MACHINE + extra,
        hooks=_MACHINE_HOOKS + hooks,
        files=("etc/systemd/system/lab-hosts.service",),
        changes=('CMD ["/sbin/init"]',),
        keep_lists=bool(extra),
        # As roles do before they install PostgreSQL: no cluster "main" of the package's own.
        setup=('mkdir -p "$1/etc/postgresql-common"; echo "create_main_cluster = false" > "$1/etc/postgresql-common/createcluster.conf"',) if extra else (),
    )


def _server(name: str, packages: tuple[str, ...], commands: tuple[str, ...], program: str, path: str) -> Recipe:
    """An image of one server, started by a program of this lab."""
    return Recipe(
        name, ("trixie", "trixie-updates", "trixie-security"), ("ca-certificates", *packages), files=(f"usr/local/bin/{program}",),
        hooks=(*(f'chroot "$1" {command}' for command in commands), f'chmod 755 "$1/usr/local/bin/{program}"'),
        changes=(f'ENTRYPOINT ["/usr/local/bin/{program}"]', "USER 999:999", "WORKDIR /data", f"ENV PATH={path}:/usr/local/bin:/usr/bin:/bin"),
    )  # fmt: skip


_WARM12 = tuple("postgresql-15" if package == "postgresql-17" else package for package in _WARM if package != "docker-cli")

RECIPES = {
    recipe.name: recipe
    for recipe in (
        _machine("debian13", "trixie"),
        _machine("debian13-warm", "trixie", _WARM, _WARM_HOOKS),
        _machine("debian12", "bookworm"),
        _machine("debian12-warm", "bookworm", _WARM12, _WARM_HOOKS),
        # Odoo 19 is packaged in sid only and needs trixie's Python 3.13: all from trixie but Odoo itself.
        Recipe("odoo-19.0", ("trixie", "sid"), (*_ODOO, "odoo-19", "tzdata-legacy"), files=("etc/apt/preferences.d/sid",)),
        _server("postgresql-17", ("postgresql-17",), _POSTGRESQL, "run-postgresql", "/usr/lib/postgresql/17/bin"),
        _server("redis-8", ("redis-server", "redis-tools"), _REDIS, "run-redis", "/usr/sbin"),
        Recipe("odoo-14.0", ("bullseye",), (*_ODOO, "odoo-14")),
        # What an instance has in a cluster in place of its machine.
        Recipe("toolbox", ("trixie", "trixie-updates", "trixie-security"), _TOOLBOX),
    )
}
RECIPES["odoo-19.0-print"] = replace(
    RECIPES["odoo-19.0"], name="odoo-19.0-print", files=("etc/apt/preferences.d/sid", "usr/local/bin/wkhtmltopdf"),
    hooks=(_PRINT,), inside=("opt/wkhtmltopdf", "bookworm", ("wkhtmltopdf", "fonts-dejavu-core")))
#: What demo and tests need; the others are made when somebody asks for them.
DEFAULT = ("debian13", "debian13-warm", "odoo-19.0")


def key(recipe: Recipe) -> str:
    """Return the recipe's digest, which also covers the files and what the host gives."""
    files = {name: (FILES / name).read_text(encoding="utf-8") for name in recipe.files}
    parts = {name: value for name, value in asdict(recipe).items() if value is not None}
    text = json.dumps([parts, files, host.overlay(), host.apt_options()], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def ensure(name: str) -> str:
    """Return the reference of the image ``name``; make it if this host does not have it yet."""
    recipe = RECIPES.get(name)
    if recipe is None:
        raise LabError(f"image {name!r} is unknown; there are {', '.join(RECIPES)}")
    reference = f"{REPOSITORY}/{name}:{key(recipe)}"
    with locked(f"image-{name}"):
        if run(["docker", "image", "inspect", reference], check=False).returncode:
            _build(recipe, reference)
        run(["docker", "tag", reference, f"{REPOSITORY}/{name}:latest"])
    return reference


def digest(name: str) -> str:
    """Return the id of the image ``name``, ``sha256:…``; make it if needed."""
    return run(["docker", "image", "inspect", "--format", "{{.Id}}", ensure(name)]).stdout.strip()


def _overlay(recipe: Recipe, directory: Path) -> Path:
    """Lay the files that go into the image and return their root."""
    files = host.overlay()
    files |= {f"/{name}": (FILES / name).read_text(encoding="utf-8") for name in recipe.files}
    root = directory / "overlay"
    root.mkdir()
    for name, content in files.items():
        path = root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
        path.chmod(0o644)
    return root


def _tree(directory: str, suite: str, packages: tuple[str, ...]) -> str:
    """A hook that unpacks packages of another Debian, with all they need, and runs nothing of them."""
    sources = [shlex.quote(line) for line in host.sources_list([suite])]
    options = [shlex.quote(f"--aptopt={line}") for line in host.apt_options()]
    return " ".join(["mmdebstrap", "--quiet", "--variant=extract", f"--include={','.join(packages)}", *options, suite, f'"$1/{directory}"', *sources])


def _build(recipe: Recipe, reference: str) -> None:
    for tool in ("mmdebstrap", "docker"):
        if shutil.which(tool) is None:
            raise LabError(f"{tool} is not installed; script/common installs what the lab needs")
    say(f"building image {recipe.name} from Debian {'+'.join(recipe.suites)}")
    with tempfile.TemporaryDirectory(dir=cache()) as directory:
        root = _overlay(recipe, Path(directory))
        copy = f'cp -r --no-preserve=ownership "{root}/." "$1/"'
        command = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(recipe.packages)}"]
        command += ["--dpkgopt=force-confold", *(f"--aptopt={line}" for line in host.apt_options())]
        command += [f"--setup-hook={hook}" for hook in (copy, *recipe.setup)]
        # Packages bring their own version of a directory's mode; the files come once more on top of them.
        command += [f"--customize-hook={hook}" for hook in (copy, 'chroot "$1" update-ca-certificates >/dev/null')]
        # Host keys and the machine's id are made per machine.
        command += ['--customize-hook=rm -f "$1"/etc/ssh/ssh_host_*; : > "$1/etc/machine-id"']
        if recipe.inside:
            command.append("--customize-hook=" + _tree(*recipe.inside))
        # What takes away of it comes after it.
        command += [f"--customize-hook={hook}" for hook in recipe.hooks]
        if recipe.keep_lists:
            command.append("--skip=cleanup/apt/lists")
        archive = Path(directory) / "image.tar"
        command += [recipe.suites[0], str(archive), *host.sources_list(list(recipe.suites))]
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            raise LabError(f"mmdebstrap could not make {recipe.name}:\n{done.stderr[-4000:]}")
        changes = [part for change in recipe.changes for part in ("--change", change)]
        run(["docker", "import", *changes, str(archive), reference])
    say(f"built {reference}")
