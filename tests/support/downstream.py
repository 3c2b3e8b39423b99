"""A scripted downstream server on loopback: an SMTP or LMTP server that answers as a test tells it, and keeps what it
heard.

A script names a stage and what is answered there, once each; afterwards the stage answers as a good server does:

    async with Downstream({"RCPT": ["550 5.1.1 Unknown user"], ".": [Fault.CLOSE]}) as server:
        ...
    assert server.sessions[0].commands == ["EHLO mx.example.org", "MAIL FROM:<a@example.org>", ...]

Stages: banner, EHLO (LHLO), STARTTLS, handshake (when the client's first octets of it come), XFORWARD, XCLIENT, MAIL,
RCPT, DATA, content (when its first octets come), "." (after the final dot), RSET, QUIT.
"""

import asyncio
import socket
import ssl
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Self, cast

from gateway.delivery.endpoint import Endpoint, Protocol


class Fault(Enum):
    CLOSE = "close"  # end the connection, in order
    RESET = "reset"  # end it with a TCP reset
    HALF_CLOSE = "half-close"  # say that nothing more will be said, and go on listening
    SILENCE = "silence"  # say nothing


@dataclass(frozen=True)
class Late:
    """An answer that is given once the event is set."""

    answer: str
    when: asyncio.Event


@dataclass(frozen=True)
class Last:
    """An answer with which the connection ends, in one packet."""

    answer: str


AS_EVER = None  # the good answer, in a script that has others at the same stage
Said = str | Fault | Late | Last | None
Script = Mapping[str, Sequence[Said]]

XFORWARD = "XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE"
OFFERS = ("PIPELINING", "SIZE 10240000", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", XFORWARD)

_GOOD = {
    "banner": "220 mail.example.org ESMTP",
    "STARTTLS": "220 2.0.0 Ready",
    "XCLIENT": "220 mail.example.org ESMTP",
    "DATA": "354 Go on",
    ".": "250 2.0.0 Ok: queued as 4F1CA1",
    "QUIT": "221 2.0.0 Bye",
}


@dataclass
class Session:
    """What was heard in one connection."""

    commands: list[str] = field(default_factory=list)  # without line ends
    reads: list[bytes] = field(default_factory=list)  # the octets, as they arrived
    messages: list[bytes] = field(default_factory=list)  # with dots unstuffed
    confirmed: list[bytes] = field(default_factory=list)  # those of them that were answered 2yz
    tls: bool = False
    ended: bool = False

    def heard(self, verb: str) -> list[str]:
        return [command for command in self.commands if command.upper().startswith(verb)]


class Downstream:
    """The server. `scripts` are for the connections in their order; the last one is for all that follow."""

    def __init__(
        self,
        *scripts: Script,
        offers: Sequence[str] = OFFERS,
        protocol: Protocol = Protocol.SMTP,
        tls: ssl.SSLContext | None = None,
        path: Path | str | None = None,
    ) -> None:
        self._scripts = [{stage: list(answers) for stage, answers in script.items()} for script in scripts or ({},)]
        self._path = path
        self._protocol = protocol
        self._server: asyncio.Server | None = None
        self.offers = (*offers, "STARTTLS") if tls else tuple(offers)
        self.tls = tls
        self.lmtp = protocol is Protocol.LMTP
        self.sessions: list[Session] = []
        self._open: set[_Conversation] = set()
        self.most_open = 0  # connections at once

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        if self._path:
            self._server = await loop.create_unix_server(self._converse, str(self._path))
            self.endpoint = Endpoint(protocol=self._protocol, path=str(self._path))
        else:
            self._server = await loop.create_server(self._converse, "127.0.0.1", 0)
            port = self._server.sockets[0].getsockname()[1]
            self.endpoint = Endpoint(protocol=self._protocol, host="127.0.0.1", port=port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.stop()

    @property
    def messages(self) -> list[bytes]:
        return [message for session in self.sessions for message in session.messages]

    @property
    def open_count(self) -> int:
        return sum(not session.ended for session in self.sessions)

    def stop(self) -> None:
        """Take no more connections, and end those there are."""
        if self._server is not None:
            self._server.close()
        self.end_sessions()

    def say(self, answer: str) -> None:
        """Say something unasked, in every connection."""
        for conversation in self._open:
            conversation.say(answer)

    def end_sessions(self, last_words: str = "") -> None:
        """End every connection, as a server does that restarts or has lost its patience."""
        for conversation in tuple(self._open):
            conversation.end(last_words)

    def _converse(self) -> "_Conversation":
        script = self._scripts[min(len(self.sessions), len(self._scripts) - 1)]
        session = Session()
        self.sessions.append(session)
        return _Conversation(self, session, script, self._open)


class _Conversation(asyncio.Protocol):
    def __init__(
        self, server: Downstream, session: Session, script: dict[str, list[Said]], opened: set["_Conversation"]
    ) -> None:
        self._server = server
        self._session = session
        self._script = script
        self._opened = opened
        self._buffer = b""
        self._content: bytearray | None = None  # while the message comes, after a CRLF
        self._accepted = 0
        self._is_shaking_hands = False  # by the script, since nothing of TLS is to follow
        self._upgrade: asyncio.Task[None] | None = None
        self._late: set[asyncio.Task[None]] = set()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._opened.add(self)
        self._server.most_open = max(self._server.most_open, len(self._opened))
        self._say("banner")

    def connection_lost(self, exc: Exception | None) -> None:
        self._session.ended = True
        self._opened.discard(self)

    def say(self, answer: str) -> None:
        assert self._transport is not None
        self._transport.write(f"{answer}\r\n".encode())

    def end(self, last_words: str) -> None:
        assert self._transport is not None
        if last_words:
            self.say(last_words)
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        self._session.reads.append(data)
        if self._is_shaking_hands:
            self._say("handshake")
            return
        self._buffer += data
        self._work()

    def _work(self) -> None:
        while self._buffer and not self._session.ended and not self._upgrade:
            if self._content is not None:
                if not self._take_content():
                    return
            elif b"\r\n" in self._buffer:
                line, _, self._buffer = self._buffer.partition(b"\r\n")
                self._command(line.decode())
            else:
                return

    def _command(self, line: str) -> None:
        self._session.commands.append(line)
        verb = line.split(" ", 1)[0].split(":")[0].upper()
        stage = {"LHLO": "EHLO"}.get(verb, verb)
        answer = self._say(stage)
        if stage == "MAIL":
            self._accepted = 0
        if stage == "RCPT" and answer.startswith("2"):
            self._accepted += 1
        if stage == "DATA" and answer.startswith("3"):
            self._content = bytearray(b"\r\n")
        if stage == "STARTTLS" and answer.startswith("2"):
            self._is_shaking_hands = bool(self._script.get("handshake"))
            if not self._is_shaking_hands:
                self._upgrade = asyncio.get_running_loop().create_task(self._start_tls())
        if stage == "QUIT" and self._transport:
            self._transport.close()

    def _take_content(self) -> bool:
        """True when the final dot was there."""
        assert self._content is not None
        if scripted := self._script.get("content"):
            if scripted[0] is AS_EVER:
                scripted.pop(0)
            else:
                return self._interrupt(scripted)
        searched = max(len(self._content) - 4, 0)
        self._content += self._buffer
        self._buffer = b""
        end = self._content.find(b"\r\n.\r\n", searched)
        if end < 0:
            return False
        self._buffer = bytes(self._content[end + 5 :])
        self._session.messages.append(bytes(self._content[: end + 2]).replace(b"\r\n..", b"\r\n.")[2:])
        self._content = None
        answers = [self._say(".") for _ in range(self._accepted if self._server.lmtp else 1)]
        if answers and all(answer.startswith("2") for answer in answers):
            self._session.confirmed.append(self._session.messages[-1])
        return True

    def _interrupt(self, scripted: list[Said]) -> bool:
        """Do in mid-message what the script says; silence is that nothing more is read."""
        assert self._transport is not None
        self._buffer = b""
        if scripted[0] is Fault.SILENCE:
            self._transport.pause_reading()
        self._say("content")
        return False

    def _say(self, stage: str) -> str:
        assert self._transport is not None
        scripted = self._script.get(stage)
        answer = (scripted.pop(0) if scripted else AS_EVER) or self._good(stage)
        if isinstance(answer, str):
            self._transport.write(answer.replace("\n", "\r\n").encode() + b"\r\n")
            return answer
        if isinstance(answer, Last):
            self.end(answer.answer)
            self._session.ended = True
            return answer.answer
        if isinstance(answer, Late):
            self._late.add(asyncio.get_running_loop().create_task(self._say_late(answer)))
            return ""
        if answer is Fault.HALF_CLOSE:
            self._transport.write_eof()
            return ""
        if answer is Fault.CLOSE:
            self._transport.close()
        elif answer is Fault.RESET:
            at_once = struct.pack("ii", 1, 0)
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
            self._transport.abort()
        self._session.ended = self._session.ended or answer is not Fault.SILENCE
        return ""

    def _good(self, stage: str) -> str:
        if stage == "EHLO":
            lines = ["mail.example.org", *self._server.offers]
            return "\n".join(f"250{'-' if line is not lines[-1] else ' '}{line}" for line in lines)
        return _GOOD.get(stage, "250 2.0.0 Ok")

    async def _say_late(self, late: Late) -> None:
        await late.when.wait()
        self.say(late.answer)

    async def _start_tls(self) -> None:
        loop = asyncio.get_running_loop()
        assert self._transport is not None
        assert self._server.tls is not None
        self._transport = await loop.start_tls(self._transport, self, self._server.tls, server_side=True)
        self._session.tls = True
        self._upgrade = None
        self._work()
