# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who signed a commit, and whether another person had signed what it brings: on the controller, where add-ons are checked out.

Git itself verifies, with a list of signers as ssh-keygen(1) has it (``gpg.ssh.allowedSignersFile`` of git-config(1)). Only SSH signatures are taken:
those of GnuPG would be believed by whatever keys the user happens to have.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from typing import Any

from .._kernel.commands import Ended, ProgramMissing, ProgramSlow, ended
from .._kernel.errors import DomainError, bad_input
from .source import Source, folder_digest

# Of git-log(1): the verdict, the signer, the fingerprint, parents, the tree.
_FORMAT = "%G?%x00%GS%x00%GF%x00%P%x00%T"
_SAID = {"N": "it has no signature", "B": "its signature is wrong", "U": "its key is on no line of the list", "E": "its signature cannot be checked",
         "X": "its signature has expired", "Y": "its key has expired", "R": "its key was revoked"}


def signers_file(path: str) -> tuple[str, str]:
    """A list of signers, and the SHA-256 of its content. :raises DomainError: ``bad_input``."""
    path = os.path.abspath(path)
    try:
        with open(path, "rb") as stream:
            content = stream.read()
    except OSError as error:
        raise bad_input("commit_signers", path, f"a list of signers that can be read ({error.strerror})") from None
    if not content.strip():
        raise bad_input("commit_signers", path, "a list of signers with at least one line")
    return path, "sha256:" + hashlib.sha256(content).hexdigest()


def seen(source: Source, checkouts: str, commit_signers: str) -> dict[str, dict[str, Any]]:
    """What is seen of each add-on from Git, by name; nothing where nothing is checked out.

    :param commit_signers: path of the list of people who may sign; empty where nobody has to.
    :raises DomainError: as ``verified``; ``bad_input``.
    """
    signers, digest = signers_file(commit_signers) if commit_signers else ("", "")
    found: dict[str, dict[str, Any]] = {}
    for folder in source.folders if checkouts else ():
        if folder.commit:
            found[folder.name] = {"digest": folder_digest(folder.path)}
            if signers:
                found[folder.name].update(verified(os.path.join(checkouts, folder.name), folder.name, folder.commit, signers), signers=digest)
    return found


def verified(checkout: str, name: str, commit: str, signers: str) -> Mapping[str, Any]:
    """Who signed the commit that a checkout stands at.

    Reviewed is a merge that one person signed and all of what it brings others. Who wrote a commit is no proof, since anybody can write any name there.

    :param name: of the add-ons, for errors. :param signers: path of the list.
    :raises DomainError: ``commit_differs``, ``commit_not_signed``, ``git_failed``.
    """
    head = _git(checkout, name, ["rev-parse", "HEAD"]).strip()
    if head != commit or _git(checkout, name, ["status", "--porcelain", "--ignored"]).strip():
        raise DomainError("commit_differs", f"the checkout of {name} is not what commit {commit} holds: it stands at {head}"
                          + ("" if head != commit else " and has other files"), unchanged="Nothing was built",
                          advice="Build again; the role checks it out anew")
    (verdict, signer, key, parents, tree), = _told(checkout, name, signers, ["-1", commit])
    if not _believed(verdict, key):
        why = _SAID.get(verdict, "it is not an SSH signature")
        raise DomainError("commit_not_signed", f"commit {commit} of {name} cannot be believed: {why}", unchanged="Nothing was built",
                          advice="Have it signed by somebody on the list of commit signers (git commit -S, gpg.format ssh), or name another commit",
                          signer=signer)
    return {"signed_by": signer, "key": key, "reviewed": _reviewed(checkout, name, signers, signer, parents.split(), tree)}


def _reviewed(checkout: str, name: str, signers: str, signer: str, parents: list[str], tree: str) -> bool:
    if len(parents) != 2:
        return False
    # A merge may hold what neither side had, and only its own signer saw that. Git before 2.38 cannot tell, so then nothing counts as reviewed.
    merged = _run(checkout, ["merge-tree", "--write-tree", "--no-messages", *parents])
    brought = _told(checkout, name, signers, [parents[1], f"^{parents[0]}"])
    return (merged.code == 0 and merged.output.split() == [tree] and bool(brought)
            and all(_believed(verdict, key) and by.lower() != signer.lower() for verdict, by, key, *_rest in brought))


def _told(checkout: str, name: str, signers: str, which: list[str]) -> list[list[str]]:
    trust = ["-c", f"gpg.ssh.allowedSignersFile={signers}", "-c", "gpg.program=false", "-c", "gpg.x509.program=false"]
    return [line.split("\0") for line in _git(checkout, name, [*trust, "log", "--format=" + _FORMAT, *which]).splitlines()]


def _believed(verdict: str, key: str) -> bool:
    return verdict == "G" and key.startswith("SHA256:")


def _git(checkout: str, name: str, arguments: list[str]) -> str:
    try:
        done = _run(checkout, arguments)
    except (OSError, ProgramMissing, ProgramSlow) as error:
        raise DomainError("git_failed", f"Git cannot be asked of {name}: {type(error).__name__}: {error}", unchanged="Nothing was built",
                          advice="Install Git on the controller") from error
    if done.code:
        raise DomainError("git_failed", f"Git does not know {name}: {done.first('git')}", unchanged="Nothing was built",
                          advice="See whether the commit is in that repository, then build again")
    return done.output


def _run(checkout: str, arguments: list[str]) -> Ended:
    # A user's settings of the output's look would change what is said.
    fixed = ["-c", "log.showSignature=false", "-c", "color.ui=false", "-c", "safe.directory=*"]
    return ended(["git", "-C", checkout, *fixed, *arguments], seconds=120)
