"""Postfix with the milters for SPF, DKIM and DMARC: those in C, and those in Python, with OpenDMARC behind both."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.peers.peer import Peer, Place, Running, daemon, listening
from tests.bench.peers.postfix import relaying

HOSTNAME = "mx.example.org"
OPENDKIM = """\
Mode v
Socket local:{socket}
AuthservID {hostname}
AlwaysAddARHeader yes
Nameservers 127.0.0.1
Background no
UserID opendkim
PidFile {root}/opendkim.pid
"""
OPENDMARC = """\
Socket local:{socket}
AuthservID {hostname}
TrustedAuthservIDs {hostname}
RejectFailures false
Background false
UserID opendmarc
PidFile {root}/opendmarc.pid
"""
DKIMPY = """\
Mode v
Socket local:{socket}
AuthservID {hostname}
UserID root
PidFile {root}/dkimpy.pid
"""
PYSPF = """\
debugLevel = 0
TestOnly = 1
HELO_reject = False
Mail_From_reject = False
Header_Type = AR
Authserv_Id = {hostname}
Socket = local:{socket}
UserID = root
PidFile = {root}/pyspf.pid
InternalHosts = 127.0.0.1
skip_addresses = 127.0.0.0/8
"""


@dataclass(frozen=True, slots=True)
class _Milter:
    socket: Path
    pid: int


@contextlib.contextmanager
def _milter(root: Path, command: Sequence[str], config: str) -> Iterator[_Milter]:
    name = command[0]
    path, milter = root / f"{name}.conf", root / f"{name}.socket"
    path.write_text(config.format(socket=milter, hostname=HOSTNAME, root=root))
    with daemon(root, name, [*command, str(path)], listening(milter)) as pid:
        milter.chmod(0o666)
        yield _Milter(milter, pid)


@contextlib.contextmanager
def _behind(place: Place, *milters: _Milter) -> Iterator[Running]:
    with relaying(place, [milter.socket for milter in milters]) as postfix:
        yield Running(postfix.port, (postfix.pid, *(milter.pid for milter in milters)))


@contextlib.contextmanager
def run_c(place: Place) -> Iterator[Running]:
    """OpenDMARC looks SPF up itself."""
    root = place.directory
    root.chmod(0o777)
    with (
        _milter(root, ["opendkim", "-f", "-x"], OPENDKIM) as dkim,
        _milter(root, ["opendmarc", "-f", "-c"], OPENDMARC + "SPFSelfValidate true\n") as dmarc,
        _behind(place, dkim, dmarc) as running,
    ):
        yield running


@contextlib.contextmanager
def run_python(place: Place) -> Iterator[Running]:
    """DKIM before SPF: dkimpy-milter removes what stands there in this host's name."""
    root = place.directory
    root.chmod(0o777)
    with (
        _milter(root, ["pyspf-milter"], PYSPF) as spf,
        _milter(root, ["dkimpy-milter"], DKIMPY) as dkim,
        _milter(root, ["opendmarc", "-f", "-c"], OPENDMARC + "SPFSelfValidate false\n") as dmarc,
        _behind(place, dkim, spf, dmarc) as running,
    ):
        yield running


OPEN_MILTERS = Peer("Postfix, OpenDKIM, OpenDMARC", run_c)
PYTHON_MILTERS = Peer("Postfix, pyspf-milter, dkimpy-milter, OpenDMARC", run_python)
