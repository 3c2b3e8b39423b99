"""An SMTP session as simple as can be: everything at once, no time, no packets. What a real one must agree with."""

from dataclasses import dataclass, field

from gateway.envelope import Envelope
from gateway.reply import Reply
from gateway.smtp.commands import parse_mail, parse_rcpt
from gateway.smtp.offer import Extension, Offer, offer

END = b"\r\n.\r\n"
MAX_SIZE = 65536


def is_clean(message: bytes) -> bool:
    without = message.replace(b"\r\n", b"")
    return not any(octet in without for octet in (b"\r", b"\n", b"\0"))


@dataclass
class SimpleSession:
    """Reads all that a client sends. `messages` are those that it takes, `senders` how many MAIL it takes."""

    octets: bytes
    messages: list[bytes] = field(default_factory=list)
    senders: int = 0
    is_over: bool = False
    _offer: Offer | None = None
    _envelope: Envelope | None = None
    _recipients: int = 0
    _chunks: bytes | None = None

    def read(self) -> "SimpleSession":
        while not self.is_over and b"\n" in self.octets:
            line, _, self.octets = self.octets.partition(b"\n")
            if line.endswith(b"\r") and line.count(b"\r") == 1:
                self._obey(line[:-1])
        return self

    def _obey(self, line: bytes) -> None:
        try:
            verb, _, argument = line.decode().partition(" ")
        except UnicodeDecodeError:
            return
        if not any(ord(letter) < 32 or 127 <= ord(letter) < 160 for letter in line.decode()):
            method = getattr(self, f"_{verb.lower()}", None) if verb.isascii() and verb.isalpha() else None
            if method:
                method(argument.strip(" "))

    def _forget(self) -> None:
        self._envelope, self._recipients, self._chunks = None, 0, None

    def _ehlo(self, name: str, offered: Offer | None = None) -> None:
        if name and name.isascii() and " " not in name and len(name) < 256:
            self._forget()
            self._offer = offered or offer(MAX_SIZE, frozenset({Extension.CHUNKING}))

    def _helo(self, name: str) -> None:
        self._ehlo(name, Offer(max_size=MAX_SIZE))

    def _mail(self, argument: str) -> None:
        if self._offer and not self._envelope:
            envelope = parse_mail(argument, self._offer, envelope_id="x")
            if not isinstance(envelope, Reply):
                self._envelope = envelope
                self.senders += 1

    def _rcpt(self, argument: str) -> None:
        if self._offer and self._envelope and self._chunks is None:
            self._recipients += not isinstance(parse_rcpt(argument, self._offer, self._envelope), Reply)

    def _data(self, argument: str) -> None:
        if argument or not self._recipients or self._chunks is not None:
            return
        content, end, self.octets = (b"\r\n" + self.octets).partition(END)
        if end:
            self._end((content + b"\r\n").replace(b"\r\n.", b"\r\n")[2:])
        self._forget()

    def _bdat(self, argument: str) -> None:
        size, _, last = argument.partition(" ")
        if not (size.isascii() and size.isdigit() and len(size) <= 20 and last.strip(" ").upper() in ("", "LAST")):
            self.is_over = True
            return None
        count = int(size)
        if count > 2 * MAX_SIZE:
            self.is_over = True
            return None
        chunk, self.octets = self.octets[:count], self.octets[count:]
        if not (self._offer and Extension.CHUNKING in self._offer.extensions and self._envelope):
            return None
        if not self._recipients or len(chunk) < count:
            return self._forget()
        self._chunks = (self._chunks or b"") + chunk
        if not is_clean(self._chunks.removesuffix(b"\r")) or len(self._chunks) > MAX_SIZE:
            return self._forget()
        if last:
            self._end(self._chunks if self._chunks.endswith(b"\r\n") or not self._chunks else self._chunks + b"\r\n")
            self._forget()
        return None

    def _end(self, message: bytes) -> None:
        if is_clean(message) and len(message) <= MAX_SIZE:
            self.messages.append(message)

    def _rset(self, argument: str) -> None:
        if not argument:
            self._forget()

    def _quit(self, argument: str) -> None:
        self.is_over = not argument

    def _get(self, argument: str) -> None:
        self.is_over = True

    _post = _put = _head = _options = _connect = _get
