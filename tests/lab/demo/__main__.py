# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m demo``: exits with 1 when a claim did not hold."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time

from . import prepare
from .cluster_story import ClusterStory
from .governance import GovernanceStory
from .playbook import Playbooks
from .recovery import RecoveryStory
from .story import Story

STORIES: dict[str, type[Story] | type[RecoveryStory] | type[GovernanceStory]] = {
    "release": Story, "kubernetes": ClusterStory, "recovery": RecoveryStory, "governance": GovernanceStory}


def main() -> int:
    """Tell the story."""
    parser = argparse.ArgumentParser(prog="demo", description="A shop's ERP released under load.")
    parser.add_argument("story", nargs="?", choices=sorted(STORIES), default="release",
                        help="releases under load (default), the same in a cluster, recovery points and the ways back, or gates, approvals and audit")
    parser.add_argument("--keep", action="store_true", help="go on with what is there")
    parser.add_argument("--prepare", action="store_true", help="with kubernetes: only have the cluster, its services and the releases in its registry")
    parser.add_argument("--only", metavar="RELEASE,...", default="", help="with --prepare: of the releases these")
    arguments = parser.parse_args()
    started = time.monotonic()
    state = prepare.state_directory(arguments.story)
    state.mkdir(parents=True, exist_ok=True)
    playbooks = Playbooks(state, started)
    story = STORIES[arguments.story](playbooks, state)
    if arguments.prepare and isinstance(story, ClusterStory):
        story.prepare([name for name in arguments.only.split(",") if name])
        return 0
    try:
        if isinstance(story, Story):
            story.tell(fresh=not arguments.keep)
        else:
            story.tell()
    except (RuntimeError, subprocess.CalledProcessError) as error:
        story.claims.check(False, str(error))
        playbooks.say(str(error), "!")
    try:
        if story.addresses:
            story.end()
    except (RuntimeError, subprocess.CalledProcessError) as error:
        story.claims.check(False, str(error))
        playbooks.say(str(error), "!")
    playbooks.say("everything claimed held" if story.claims.held else "not everything claimed held")
    return 0 if story.claims.held else 1


if __name__ == "__main__":
    sys.exit(main())
