"""What a local store asks of the kernel before it says 250, as strace saw it.

A killed process proves nothing about a disk, since the kernel still has what was written; so the calls themselves are
looked at.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STRACE = ["strace", "-f", "-y", "-qq", "-s", "0", "-e", "trace=write,fsync,fdatasync,rename,mkdir,unlink"]

STORE = """
import asyncio, sys
from pathlib import Path
from gateway.delivery.maildir import MaildirHop, MaildirNames
from gateway.delivery.quarantine import Quarantine, QuarantineSettings
from gateway.policy.verdict import UNDECIDED
from tests.support.deliveries import CONNECTION, disk_threads, envelope, stamped

async def main(kind, directory):
    with disk_threads() as disk:
        if kind == "maildir":
            hop = MaildirHop("files", directory, disk=disk, names=MaildirNames("mx"))
            outcome = await hop.open(CONNECTION, envelope(), "").send(envelope("bob@example.org"), stamped())
        else:
            quarantine = Quarantine(QuarantineSettings(directory=directory), disk)
            outcome = await quarantine.store(CONNECTION, envelope("bob@example.org"), stamped(), UNDECIDED)
        print(outcome.reply, flush=True)

asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
"""

_fd_call_re = re.compile(r"(write|fsync)\(\d+<(/[^>]*)>")
_path_call_re = re.compile(r"(rename|mkdir|unlink)\(\"(/[^\"]*)\"(?:, \"(/[^\"]*)\")?.* = 0")

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not here")


def calls_of(kind: str, directory: Path, log: Path) -> list[tuple[str, ...]]:
    """The calls that touched `directory`, in their order, with paths relative to it."""
    command = [*STRACE, "-s", "4096", "-o", str(log), sys.executable, "-c", STORE, kind, str(directory)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout.startswith("250"), done.stderr
    calls = []
    for line in log.read_text(errors="replace").splitlines():
        match = _fd_call_re.search(line) or _path_call_re.search(line)
        if match and (match[2].startswith(f"{directory}") or match[2] == str(directory.parent)):
            paths = (str(Path(path).relative_to(directory.parent)) for path in match.groups()[1:] if path)
            calls.append((match[1], *paths))
        elif "write(1<" in line and "250 " in line:
            calls.append(("250",))
    return calls


@pytest.mark.parametrize(("kind", "maildir"), [("maildir", "store/example.org/bob"), ("quarantine", "store")])
def test_a_file_and_its_name_are_on_the_disk_before_the_250(kind: str, maildir: str, tmp_path: Path) -> None:
    calls = calls_of(kind, tmp_path / "store", tmp_path / "log")
    (rename,) = (call for call in calls if call[0] == "rename")
    _, written, shown = rename
    assert (written.rpartition("/")[0], shown.rpartition("/")[0]) == (f"{maildir}/tmp", f"{maildir}/new")
    assert calls[calls.index(("write", written)) :] == [
        *[call for call in calls if call == ("write", written)],
        ("fsync", written),
        rename,
        ("fsync", f"{maildir}/new"),
        ("250",),
    ]


def test_the_names_of_new_directories_are_on_the_disk_as_well(tmp_path: Path) -> None:
    calls = calls_of("maildir", tmp_path / "store", tmp_path / "log")
    for made in [path for call, path, *_ in filter(lambda call: call[0] == "mkdir", calls)]:
        parent = made.rpartition("/")[0] or "."
        assert calls.index(("fsync", parent), calls.index(("mkdir", made))) < len(calls)
    assert len([call for call in calls if call[0] == "mkdir"]) == 6
