"""The shipped rules, and one that reads the message itself, on 500 spam and 500 ham messages as they were received."""

from collections import Counter
from collections.abc import Callable
from contextlib import closing
from ipaddress import ip_address
from pathlib import Path

import pytest

from gateway.casebook import unscored
from gateway.inspection import Case, Inspector
from gateway.policy.verdict import Action
from gateway.system.fixeddns import FixedDns
from tests.support.examining import UNBOUND
from tests.support.journeys import NOW, settings_of
from tests.support.rulefacts import written

pytestmark = pytest.mark.suites

CLIENT = ip_address("192.0.2.7")
DNS = FixedDns(
    {"7.2.0.192.in-addr.arpa": {"PTR": ["mail.sender.example"]}, "mail.sender.example": {"A": ["192.0.2.7"]}}
)

# Every kind of fact that reads the message itself.
READING = """
[[rule]]
id    = "content"
why   = "x"
when  = '''
    len(header("Received")) > 0 and attachments.count >= 0 and message.size > 0
    and not matches(header("Subject"), r"^\\s*$") and now.weekday != ""
'''
score = 0.1
"""


@pytest.mark.parametrize("kind", ["ham", "spam"])
async def test_real_messages_are_judged(
    suites: Path, tmp_path: Path, kind: str, score: Callable[[str, int, int], None]
) -> None:
    """Without spamd and without DNS nothing is refused: no rule takes a check that had no answer for a fail."""
    written(tmp_path / "rules.d", READING)
    (tmp_path / "lists").mkdir()
    settings = unscored(settings_of(tmp_path, limits=UNBOUND | {"header_size": 1 << 20}))
    files = sorted(path for path in (suites / "corpus" / kind).rglob("*") if path.is_file())
    actions: Counter[Action] = Counter()
    words: Counter[str] = Counter()
    matched = 0
    with closing(Inspector(settings, resolver=DNS, clock=lambda: NOW)) as inspector:
        for file in files:
            case = Case.of(
                file.read_bytes(),
                ip=CLIENT,
                helo="mail.sender.example",
                mail_from="ann@sender.example",
                recipients=["alice@example.org"],
            )
            examination = (await inspector.inspect(case)).examination
            matched += "content" in examination.verdict.rules
            actions[examination.verdict.action] += 1
            words[str(examination.facts["attachments.result"])] += 1
    assert len(files) >= 500
    assert set(actions) <= {Action.ACCEPT, Action.TAG, Action.QUARANTINE}
    assert matched > 0.9 * len(files)
    assert words["unavailable"] == 0
    assert words["complete"] > 0.9 * len(files)
    score(f"corpus {kind}: messages with a complete structure", words["complete"], len(files))
