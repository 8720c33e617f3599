# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A shop of some years: the instance's database grown to hundreds of megabytes, its filestore to twenty thousand files."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from estate import Estate
from estate.place import INSTANCE

from .today import PORT, SOCKET

FILESTORE = f"/var/lib/sysgenpro/instances/{INSTANCE}/data/filestore/fault_one"
DATABASE_BYTES, FILES, FILES_BYTES = 500_000_000, 20_000, 1_000_000_000
MESSAGES = 50_000
"""Messages written at a time until the database is as large as it should be."""

# Photographs and documents: half of each does not compress. Sizes spread evenly around the mean.
_FILES = """
import hashlib, os, sys
filestore, mark = sys.argv[1:3]
number, mean = int(sys.argv[3]), int(sys.argv[4])
owner = os.stat(filestore)
for each in range(number):
    size = mean * (each % 9 + 1) // 5
    text = b"%s %d of %d. " % (mark.encode(), each, number)
    content = os.urandom(size // 2) + (text * (size // 2 // len(text) + 1))[:size - size // 2]
    name = hashlib.sha1(content).hexdigest()
    folder = os.path.join(filestore, name[:2])
    if not os.path.isdir(folder):
        os.mkdir(folder)
        os.chown(folder, owner.st_uid, owner.st_gid)
    path = os.path.join(folder, name)
    with open(path, "wb") as stream:
        stream.write(content)
    os.chown(path, owner.st_uid, owner.st_gid)
    print("\\t".join((f"{mark} {each}.bin", "binary", f"{name[:2]}/{name}", str(len(content)), name, "application/octet-stream")))
"""
_MESSAGE = """
insert into mail_message (model, res_id, message_type, subject, body, date, author_id, create_uid, write_uid, create_date, write_date)
select 'res.partner', 1 + i % 40, 'comment', 'About order ' || i,
  '<p>' || (select string_agg(md5(random()::text), ' ') from generate_series(1, 12)) || repeat(' thank you for your order', 16) || '</p>',
  now() - i * interval '1 minute', 3, 1, 1, now(), now()
from generate_series(1, {number}) i
"""


@dataclass(frozen=True)
class Size:
    """Bytes of database and filestore, and the number of files."""

    database: int
    files: int
    bytes: int

    def __str__(self) -> str:
        return f"{self.database / 1e6:.0f} MB of database, {self.files} files of {self.bytes / 1e6:.0f} MB"


def size(estate: Estate) -> Size:
    """What the instance holds."""
    database, files, total = estate.machine.sql(
        "select pg_database_size(current_database()), count(distinct store_fname), sum(file_size) from ir_attachment where store_fname is not null").split("|")
    return Size(int(database), int(files), int(float(total)))


def grow(estate: Estate) -> Size:
    """Have it as large as a shop of some years; what was grown before counts."""
    now = size(estate)
    if now.files < FILES:
        files(estate, "scan", FILES - now.files, max(FILES_BYTES - now.bytes, 1) // (FILES - now.files))
    while size(estate).database < DATABASE_BYTES:
        messages(estate, MESSAGES)
    estate.machine.sql("vacuum analyze")
    return size(estate)


def one_percent(estate: Estate, mark: str) -> None:
    """One percent of its rows and files more."""
    now = size(estate)
    files(estate, mark, now.files // 100, now.bytes // now.files)
    messages(estate, int(estate.machine.sql("select count(*) from mail_message")) // 100)


def files(estate: Estate, mark: str, number: int, mean: int) -> None:
    """Attachments, as Odoo stores them."""
    columns = "name, type, store_fname, file_size, checksum, mimetype"
    program = shlex.join(["python3", "-c", _FILES, FILESTORE, mark, str(number), str(mean)])
    estate.machine.sh(
        f"{program} | psql -XAtq -v ON_ERROR_STOP=1 -h {SOCKET} -p {PORT} -U postgres -d fault_one -c 'copy ir_attachment ({columns}) from stdin'")


def messages(estate: Estate, number: int) -> None:
    """Messages of customers."""
    estate.machine.sql(_MESSAGE.format(number=number))
