# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose signature a commit bears, by real Git and real keys; and every commit that only looks signed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._image.commits import seen, signers_file, verified
from ansible_collections.sysgenpro.odoo.plugins.module_utils._image.source import Folder, Source, folder_digest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError

PEOPLE = ("anna", "vera", "mallory")


class Repository:
    """A repository whose people sign with keys of their own; mallory is on no list."""

    def __init__(self, directory: Path) -> None:
        self.path, self.keys = directory / "shop", directory / "keys"
        self.keys.mkdir()
        for name in PEOPLE:
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.keys / name)], check=True)
        self.signers = directory / "signers"
        self.list("anna", "vera")
        self.git("init", "-q", "-b", "main", str(self.path), at=directory)
        self.commit("anna", "one")

    def list(self, *names: str, options: str = 'namespaces="git"') -> None:
        self.signers.write_text("".join(f"{name}@example.com {options} {(self.keys / f'{name}.pub').read_text()}" for name in names))

    def git(self, *words: str, by: str = "anna", at: Path | None = None, signs: bool = True, author: str = "") -> str:
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.keys), "GIT_CONFIG_NOSYSTEM": "1", "GIT_COMMITTER_NAME": by, "GIT_COMMITTER_EMAIL": f"{by}@example.com",
                       "GIT_AUTHOR_NAME": author or by, "GIT_AUTHOR_EMAIL": f"{author or by}@example.com"}
        sign = ["-c", "gpg.format=ssh", "-c", f"user.signingkey={self.keys / by}", "-c", f"commit.gpgsign={str(signs).lower()}"]
        return subprocess.run(["git", *sign, *words], cwd=at or self.path, env=environment, check=True, capture_output=True, text=True).stdout.strip()

    def commit(self, by: str, name: str, signs: bool = True, author: str = "") -> str:
        (self.path / name).write_text(name)
        self.git("add", ".")
        self.git("commit", "-q", "-m", name, by=by, signs=signs, author=author)
        return self.head

    @property
    def head(self) -> str:
        return self.git("rev-parse", "HEAD")

    def branch(self, *work: tuple[str, bool]) -> None:
        """A branch beside main: who commits, and whether signed."""
        self.git("checkout", "-q", "-b", "work")
        for number, (by, signs) in enumerate(work):
            self.commit(by, f"work-{number}", signs)
        self.git("checkout", "-q", "main")

    def merge(self, by: str, *more: str, signs: bool = True) -> str:
        self.git("merge", "-q", "--no-ff", "-m", "merged", *more, "work", by=by, signs=signs)
        return self.head

    def told(self) -> dict[str, object]:
        return dict(verified(str(self.path), "shop", self.head, str(self.signers)))


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


def test_signed(repository: Repository) -> None:
    told = repository.told()
    assert told["signed_by"] == "anna@example.com" and str(told["key"]).startswith("SHA256:") and told["reviewed"] is False


def plain(repository: Repository) -> None:
    repository.branch(("anna", True), ("anna", True))
    repository.merge("vera")


def by_who_wrote(repository: Repository) -> None:
    repository.branch(("anna", True), ("vera", True))
    repository.merge("vera")


def unsigned_part(repository: Repository) -> None:
    repository.branch(("anna", True), ("anna", False))
    repository.merge("vera")


def strangers_part(repository: Repository) -> None:
    repository.branch(("anna", True), ("mallory", True))
    repository.merge("vera")


def another_author(repository: Repository) -> None:
    """Anybody can write any name of an author."""
    repository.commit("vera", "alone", author="anna")


def evil_merge(repository: Repository) -> None:
    """The merge holds what neither side had."""
    repository.branch(("anna", True))
    repository.git("merge", "-q", "--no-ff", "--no-commit", "work", by="vera")
    repository.commit("vera", "smuggled")


def merge_of_nothing(repository: Repository) -> None:
    tree, head = repository.git("rev-parse", "HEAD^{tree}"), repository.head
    older = repository.head
    repository.commit("vera", "own")
    tree = repository.git("rev-parse", "HEAD^{tree}")
    made = repository.git("commit-tree", "-S", "-m", "empty", "-p", "HEAD", "-p", older, tree, by="vera")
    assert head == older
    repository.git("reset", "-q", "--hard", made)


@pytest.mark.parametrize(("history", "reviewed"), [
    (plain, True), (by_who_wrote, False), (unsigned_part, False), (strangers_part, False), (another_author, False), (evil_merge, False), (merge_of_nothing, False)])
def test_reviewed_is_what_two_keys_signed(repository: Repository, history: Callable[[Repository], None], reviewed: bool) -> None:
    history(repository)
    told = repository.told()
    assert (told["signed_by"], told["reviewed"]) == ("vera@example.com", reviewed)


def unsigned(repository: Repository) -> None:
    repository.commit("anna", "two", signs=False)


def strangers(repository: Repository) -> None:
    repository.commit("mallory", "two")


def other_namespace(repository: Repository) -> None:
    repository.list("anna", options='namespaces="file"')


def not_valid_any_more(repository: Repository) -> None:
    repository.list("anna", options='namespaces="git",valid-before="20200101Z"')


def not_valid_yet(repository: Repository) -> None:
    repository.list("anna", options='namespaces="git",valid-after="20900101Z"')


def pasted(repository: Repository) -> None:
    """The signature of one commit on another."""
    raw = repository.git("cat-file", "commit", "HEAD").replace("one", "two")
    made = subprocess.run(["git", "hash-object", "-t", "commit", "-w", "--stdin"], cwd=repository.path, input=raw + "\n", check=True, capture_output=True, text=True).stdout.strip()
    repository.git("reset", "-q", "--hard", made)


def squashed(repository: Repository) -> None:
    """An unsigned merge of what is all signed."""
    repository.branch(("anna", True))
    repository.merge("vera", signs=False)


@pytest.mark.parametrize("history", [unsigned, strangers, other_namespace, not_valid_any_more, not_valid_yet, pasted, squashed])
def test_not_signed(repository: Repository, history: Callable[[Repository], None]) -> None:
    history(repository)
    with pytest.raises(DomainError) as error:
        repository.told()
    assert error.value.code == "commit_not_signed" and repository.head in error.value.message


def test_a_checkout_that_is_something_else(repository: Repository) -> None:
    first = repository.head
    repository.commit("anna", "two")
    with pytest.raises(DomainError) as error:
        verified(str(repository.path), "shop", first, str(repository.signers))
    assert error.value.code == "commit_differs"
    (repository.path / "slipped_in.py").write_text("x")
    with pytest.raises(DomainError) as error:
        repository.told()
    assert error.value.code == "commit_differs" and "other files" in error.value.message


def test_git_that_does_not_know(repository: Repository, tmp_path: Path) -> None:
    with pytest.raises(DomainError) as error:
        verified(str(tmp_path / "keys"), "shop", "ab" * 20, str(repository.signers))
    assert error.value.code == "git_failed"


@pytest.mark.parametrize("content", [None, "", "\n"])
def test_a_list_that_is_none(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "signers"
    if content is not None:
        path.write_text(content)
    with pytest.raises(DomainError) as error:
        signers_file(str(path))
    assert error.value.code == "bad_input" and "commit_signers" in error.value.message


def test_what_is_returned(repository: Repository, tmp_path: Path) -> None:
    folder = Folder("shop", str(repository.path), "opt/addons/shop", "https://git.example.com/shop.git", repository.head)
    source = Source("r1", "19.0", (Folder("sysgenpro", str(tmp_path), "opt/sysgenpro/addons"), folder), "", {})
    assert seen(source, "", str(repository.signers)) == {}
    assert seen(source, str(tmp_path), "") == {"shop": {"digest": folder_digest(str(repository.path))}}
    found = seen(source, str(tmp_path), str(repository.signers))["shop"]
    assert found["signed_by"] == "anna@example.com" and found["signers"].startswith("sha256:")
