# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes the place of the get-pip.py that ansible-test would download: pip comes from Python itself, then from the machine's index."""

from __future__ import annotations

import ensurepip
import os
import subprocess
import sys

ensurepip.bootstrap()
del os.environ["PIP_CONFIG_FILE"]  # ensurepip shuts pip's settings out
packages = [argument for argument in sys.argv[1:] if not argument.startswith("--")]
sys.exit(subprocess.call([sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages]))
