"""The status page: answers GET /metrics and GET /healthz over HTTP/1.1 (RFC 9112) on a loopback address."""

import asyncio
import logging
import socket
from collections.abc import Callable, Mapping

from msgspec import Struct

PATIENCE = 5.0  # seconds in which a request must be here and its answer gone
MAX_REQUEST = 8192  # octets of a request's head

PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
PLAIN = "text/plain; charset=utf-8"


class Page(Struct, frozen=True):
    body: bytes
    media_type: str = PLAIN
    status: str = "200 OK"


NOT_FOUND = Page(b"not found\n", status="404 Not Found")
NOT_ALLOWED = Page(b"only GET\n", status="405 Method Not Allowed")
BAD_REQUEST = Page(b"bad request\n", status="400 Bad Request")
FAILED = Page(b"it could not be made; the log says why\n", status="500 Internal Server Error")

log = logging.getLogger("mailward.supervisor")


async def serve_pages(sock: socket.socket, pages: Mapping[str, Callable[[], Page]]) -> asyncio.Server:
    """Answer requests at a listening socket until the server is closed. `pages` maps a path to what makes its page."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                writer.write(_response(_page(await _request_line(reader), pages)))
                await writer.drain()
        except (TimeoutError, ConnectionError):
            writer.transport.abort()
        finally:
            writer.close()

    return await asyncio.start_server(answer, sock=sock, limit=MAX_REQUEST)


async def _request_line(reader: asyncio.StreamReader) -> bytes:
    """The first line of a request, once its head is complete; b"" for one that is too long or torn."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return b""
    return head.partition(b"\r\n")[0]


def _page(line: bytes, pages: Mapping[str, Callable[[], Page]]) -> Page:
    parts = line.decode("latin-1").split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
        return BAD_REQUEST
    method, target, _ = parts
    if method != "GET":
        return NOT_ALLOWED
    path = target.partition("?")[0]
    make = pages.get(path)
    if make is None:
        return NOT_FOUND
    try:
        return make()
    except Exception:
        log.exception("%s could not be shown", path)
        return FAILED


def _response(page: Page) -> bytes:
    head = (
        f"HTTP/1.1 {page.status}",
        f"Content-Type: {page.media_type}",
        f"Content-Length: {len(page.body)}",
        "Connection: close",
        "",
        "",
    )
    return "\r\n".join(head).encode("ascii") + page.body
