"""Reply: what an SMTP client is told. Turns codes and text into the octets of RFC 5321 section 4.2."""

import re
from functools import lru_cache

from msgspec import Struct

from gateway.printable import printable, printable_lines

MAX_REPLY_LINE = 512  # octets with the CRLF, RFC 5321 section 4.5.3.1.5
KEPT_REPLIES = 128  # whose octets are kept ready: most are our own, and said again and again
MAX_REPLY_LINES = 20  # of a downstream's text that we pass on; more is noise to a sender's administrator

_enhanced_re = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?:\s|\Z)")


class Reply(Struct, frozen=True):
    """One SMTP reply (RFC 5321 section 4.2, RFC 2034).

    `detail` is the enhanced code without its class ("7.1" of "5.7.1"), so that code and class cannot disagree;
    it is empty where RFC 2034 has none (banner, EHLO, 3yz). `lines` are printable ASCII without line ends.
    """

    code: int
    detail: str
    lines: tuple[str, ...]

    @property
    def enhanced(self) -> str:
        """The enhanced status code (RFC 3463), such as "5.7.1", or "" where the reply has none."""
        return f"{self.code // 100}.{self.detail}" if self.detail else ""

    @property
    def text(self) -> str:
        return " ".join(self.lines)

    @property
    def is_success(self) -> bool:
        return 200 <= self.code < 300

    @property
    def is_temporary(self) -> bool:
        return 400 <= self.code < 500

    @property
    def is_permanent(self) -> bool:
        return self.code >= 500

    def __str__(self) -> str:
        return " ".join(filter(None, (str(self.code), self.enhanced, self.text)))

    @lru_cache(KEPT_REPLIES)  # noqa: B019  a reply is a value: what is kept are a few octets
    def to_bytes(self) -> bytes:
        """The reply as it goes to the client, every line with the code and CRLF (RFC 5321 section 4.2.1)."""
        prefix = f"{self.enhanced} " if self.detail else ""
        room = MAX_REPLY_LINE - 6 - len(prefix)
        *before, last = self.lines or ("",)
        going_on = "".join([f"{self.code}-{prefix}{line[:room]}\r\n" for line in before])
        return f"{going_on}{self.code} {prefix}{last[:room]}\r\n".encode("ascii")


def reply(status: str, text: str) -> Reply:
    """Build a reply of our own: reply("550 5.7.1", "Relaying denied"). The status is "CODE" or "CODE X.Y.Z"."""
    code, _, enhanced = status.partition(" ")
    if enhanced and enhanced[0] != code[0]:
        raise ValueError(f"reply code {code} and enhanced code {enhanced} are of different classes")
    return Reply(code=int(code), detail=enhanced[2:], lines=tuple(printable_lines(text).split("\n")))


def foreign(code: int, lines: tuple[str, ...]) -> Reply:
    """Take over a reply of another server: its enhanced code if it has one of the right class, else X.0.0."""
    kept = tuple([printable(line.replace("\n", " ")) for line in lines[:MAX_REPLY_LINES]]) or ("",)
    match = _enhanced_re.match(kept[0])
    if match is None or match[1][0] != str(code)[0]:
        return Reply(code=code, detail="0.0", lines=kept)
    enhanced = match[1]
    return Reply(
        code=code,
        detail=enhanced[2:],
        lines=tuple([line.removeprefix(enhanced).lstrip(" ") for line in kept]),
    )
