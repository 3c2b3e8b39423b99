"""Divisions: the multiparts that are open where a message is read, and which of them a line divides or ends (RFC 2046
section 5.1.1)."""

from msgspec import Struct


class Delimiter(Struct, frozen=True):
    """What a line is: of which open multipart, counted from the outermost, and whether it is the last of that."""

    place: int
    is_last: bool


class Divisions:
    """A stack of boundaries, each with the type of its multipart. Of boundaries that are alike the innermost counts."""

    def __init__(self) -> None:
        self._open: list[tuple[bytes, str]] = []
        self._lines: dict[bytes, Delimiter] = {}

    def __len__(self) -> int:
        return len(self._open)

    @property
    def innermost_type(self) -> str:
        """The media type of the multipart that is read; "" outside of all."""
        return self._open[-1][1] if self._open else ""

    def enter(self, boundary: bytes, media_type: str) -> None:
        self._open.append((boundary, media_type))
        self._learn()

    @property
    def are_clear(self) -> bool:
        """No line can mean two things."""
        return len(self._lines) == 2 * len(self._open)

    def recognise(self, line: bytes) -> Delimiter | None:
        """What a line is that begins with two dashes, without its end. White space after a boundary means nothing."""
        return self._lines.get(line[2:].rstrip(b" \t\r"))

    def may_begin(self, line: bytes) -> bool:
        """Whether a line of which only the beginning is there may be a delimiter."""
        return any(line.startswith(boundary, 2) for boundary, _ in self._open)

    def pass_by(self, delimiter: Delimiter) -> int:
        """Go on behind a delimiter; the number of multiparts within that had not ended."""
        unended = len(self._open) - delimiter.place - 1
        del self._open[delimiter.place if delimiter.is_last else delimiter.place + 1 :]
        self._learn()
        return unended

    def _learn(self) -> None:
        self._lines = {}
        for place, (boundary, _) in enumerate(self._open):
            self._lines[boundary] = Delimiter(place, is_last=False)
            self._lines[boundary + b"--"] = Delimiter(place, is_last=True)
