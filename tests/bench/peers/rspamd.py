"""Postfix with rspamd as its milter: SPF, DKIM and DMARC, and no other module of it."""

import contextlib
import shutil
from collections.abc import Iterator

from tests.bench.peers.peer import Peer, Place, Running, daemon, listening
from tests.bench.peers.postfix import relaying

USER = "_rspamd"
CONFIG = """\
options {{
    pidfile = "{root}/rspamd.pid";
    tempdir = "/tmp";
    filters = "dkim";
    local_addrs = ["127.0.0.0/8"];
    dns {{ nameserver = ["127.0.0.1"]; }}
}}
logging {{ type = "file"; filename = "{root}/rspamd.log"; level = "notice"; }}
worker "rspamd_proxy" {{
    bind_socket = "{milter} mode=0666";
    count = {workers};
    milter = yes;
    timeout = 120s;
    upstream "local" {{ default = yes; self_scan = yes; }}
}}
actions {{ reject = 1000; add_header = 999; greylist = 998; }}
spf {{ }}
dkim {{ }}
dmarc {{ }}
milter_headers {{ use = ["authentication-results"]; skip_local = false; }}
modules {{
    path = "/usr/share/rspamd/plugins/spf.lua";
    path = "/usr/share/rspamd/plugins/dmarc.lua";
    path = "/usr/share/rspamd/plugins/milter_headers.lua";
}}
"""


@contextlib.contextmanager
def run(place: Place) -> Iterator[Running]:
    root = place.directory
    config, milter = root / "rspamd.conf", root / "milter"
    shutil.chown(root, USER, USER)
    config.write_text(CONFIG.format(root=root, milter=milter, workers=place.workers))
    command = ["rspamd", "-f", "-c", str(config), "-u", USER, "-g", USER, f"--var=DBDIR={root}", f"--var=RUNDIR={root}"]
    with daemon(root, "rspamd", command, listening(milter)) as rspamd, relaying(place, [milter]) as postfix:
        yield Running(postfix.port, (postfix.pid, rspamd))


RSPAMD = Peer("Postfix, rspamd", run)
