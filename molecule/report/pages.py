# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare the report's pages, as a browser would read them, with the journals: pages.py DIRECTORY <journals.json. Fails with what differs."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from html.parser import HTMLParser
from pathlib import Path

#: Elements of HTML that have no end.
VOID = ("meta", "link", "br", "img", "input", "hr")


class Page(HTMLParser):
    """What a page shows and where it leads; elements must end as they began."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.name, self.words, self.links, self.loads, self.moments, self._open = path.name, [], [], [], [], []
        self.feed(path.read_text(encoding="utf-8"))
        self.close()
        assert not self._open, f"{self.name}: {self._open} do not end"
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self._open.append(tag)
        found = dict(attrs)
        self.loads += [value for key, value in found.items() if key in ("src", "srcset", "data") or (tag == "link" and key == "href")]
        if tag == "a":
            self.links.append(found["href"])
        if tag == "time":
            self.moments.append(found["datetime"])

    def handle_endtag(self, tag: str) -> None:
        assert self._open and self._open.pop() == tag, f"{self.name}: </{tag}> where another element is open"

    def handle_data(self, data: str) -> None:
        if self._open[-1:] not in (["style"], ["script"]):
            self.words.append(data)

    def says(self, *texts: object) -> None:
        missing = [str(text) for text in texts if " ".join(str(text).split()) not in self.text]
        assert not missing, f"{self.name} does not say {missing}: {self.text}"


def main() -> None:
    directory, journals = Path(sys.argv[1]), json.load(sys.stdin)
    pages = {path.name: Page(path) for path in directory.iterdir()}
    index = pages.pop("index-molecule.html")
    assert sorted(index.links) == sorted(pages), f"the index leads to {index.links}; there are {sorted(pages)}"
    releases = {journal[0]["name"] for journal in journals}
    assert len(pages) == len(releases) > 1, f"{sorted(pages)} for {sorted(releases)}"
    for page in (index, *pages.values()):
        assert not page.loads, f"{page.name} loads {page.loads}"
    changed = [journal for journal in journals if journal[0]["state"] in ("released", "rolled_back") and journal[-1]["outcome"] == "done"]
    last = changed[-1][0]["name"]
    index.says(f"acme-molecule {last}", "bodega-molecule nothing")
    for journal in journals:
        header, end = journal[0], journal[-1]
        name = header["name"]
        page = next(page for page in pages.values() if page.name.startswith(f"molecule-{name}-"))
        page.says(f"{name} in molecule", header["release"], header["plan"], header["class"], end["outcome"],
                  f"by {header['who']}", header.get("why", ""), f"Took {end['seconds']:.1f} s")
        # Exact for a program, to the second and in the reader's zone for people.
        page.says(*(datetime.fromisoformat(moment["at"]).astimezone().strftime("%Y-%m-%d %H:%M:%S") for moment in (header, end)))
        assert {header["at"], end["at"]} <= set(page.moments), f"{page.name} has {page.moments}"
        page.says(*(entry["title"] for entry in journal if entry["event"] == "begin"))
        assert page.links == [index.name], page.links


if __name__ == "__main__":
    main()
