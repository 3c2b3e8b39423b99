"""Structure: the octets of a body, as they pass by, to the outline of a message (RFC 2046). Nothing is decoded or kept
but the header sections of parts. Its work is linear, and all that it keeps has a bound. Pure.
"""

from collections.abc import Sequence

from gateway.message import Field, split_fields
from gateway.mime.divisions import Delimiter, Divisions
from gateway.mime.heading import DEFAULT_TYPE, Heading, read_heading
from gateway.mime.outline import Entity, Outline, Soundness

MAX_PARTS = 500  # honest messages have fewer than 50
MAX_DEPTH = 30  # multiparts within each other
MAX_PART_HEADER = 16 * 1024  # octets of the header section of a part
MAX_HEADERS = 256 * 1024  # octets of all of them
MAX_LINE = 1000  # octets of a line that may be a delimiter, RFC 5321 section 4.5.3.1.6
MAX_DASHED = 50_000  # lines that begin with "--": each is looked up among the boundaries

_DIGEST = "multipart/digest"
_ENCLOSED = "message/rfc822"


class Structure:
    """Feed it the body of the message whose header fields it was given; then ask for its outline."""

    def __init__(self, fields: Sequence[Field]) -> None:
        self._entities: list[Entity] = []
        self._soundness = Soundness.COMPLETE
        self._divisions = Divisions()
        self._dashed = 0
        self._header: list[bytes] | None = None  # the lines so far, where a header section passes by
        self._header_size = 0
        self._headers_size = 0  # of all of them
        self._default = DEFAULT_TYPE  # of a part whose header section states no type
        self._text = b""  # what has not passed yet
        self._at = 0  # how far it was looked at
        self._is_within_line = False  # of which the beginning has passed and was no delimiter
        self.is_done = False  # whatever follows adds nothing
        self._enter(read_heading(fields))

    def feed(self, octets: bytes) -> None:
        if self.is_done:
            return
        self._text, self._at = self._text[self._at :] + octets, 0
        while not self.is_done and self._step():
            pass

    def outline(self) -> Outline:
        """What was seen. A multipart that has not ended is malformed (RFC 2046 section 5.1.1)."""
        self.feed(b"\r\n")  # the last line may lack its end
        if self._header is not None and not self.is_done:
            self._end_header(self._header)
        if len(self._divisions):
            self._note(Soundness.MALFORMED)
        return Outline(tuple(self._entities), self._soundness)

    def _step(self) -> bool:
        """Look at what comes next; False where more octets are needed for that."""
        if self._is_within_line:
            return self._pass_line()
        return self._pass_body() if self._header is None else self._pass_header(self._header)

    def _pass_line(self) -> bool:
        end = self._text.find(b"\n", self._at)
        self._is_within_line = end < 0
        self._at = end + 1 if end >= 0 else len(self._text)
        return end >= 0

    def _pass_header(self, header: list[bytes]) -> bool:
        """One line of a header section, which ends with an empty line, or where a delimiter comes before that."""
        end = self._text.find(b"\n", self._at) + 1
        line = self._text[self._at : end or len(self._text)]
        if self._header_size + len(line) > min(MAX_PART_HEADER, MAX_HEADERS - self._headers_size):
            self._note(Soundness.LIMITED)
            self._end_header(header)
            return True
        if not end:
            return False
        self._at = end
        if not line.strip(b"\r\n"):
            self._end_header(header)
        elif delimiter := self._recognised(line[:-1]):
            self._note(Soundness.MALFORMED)
            self._end_header(header)
            self._divide(delimiter)
        else:
            header.append(line)
            self._header_size += len(line)
        return True

    def _pass_body(self) -> bool:
        """On to the end of the next line that begins with two dashes."""
        if not self._text.startswith(b"--", self._at):
            before = self._text.find(b"\n--", self._at)
            if before < 0:
                return self._keep_last_line()
            self._at = before + 1
        start, end = self._at, self._text.find(b"\n", self._at, self._at + MAX_LINE)
        if end >= 0:
            self._at = end + 1
            if delimiter := self._recognised(self._text[start:end]):
                self._divide(delimiter)
            return True
        if len(self._text) - start < MAX_LINE:
            return False
        self._is_within_line = True
        if self._divisions.may_begin(self._text[start : start + MAX_LINE]):
            self._note(Soundness.MALFORMED)
        return True

    def _keep_last_line(self) -> bool:
        """Nothing begins here; only a dash that begins the last line may become a delimiter."""
        self._at = max(self._at, self._text.rfind(b"\n", self._at) + 1)
        last = self._text[self._at :]
        self._is_within_line = last not in (b"", b"-")
        return self._is_within_line

    def _recognised(self, line: bytes) -> Delimiter | None:
        if not line.startswith(b"--"):
            return None
        self._dashed += 1
        if self._dashed > MAX_DASHED:
            self._note(Soundness.LIMITED)
            self.is_done = True
            return None
        return self._divisions.recognise(line)

    def _divide(self, delimiter: Delimiter) -> None:
        if self._divisions.pass_by(delimiter):
            self._note(Soundness.MALFORMED)
        self._header, self._header_size = (None if delimiter.is_last else []), 0
        self._default = _ENCLOSED if self._divisions.innermost_type == _DIGEST else DEFAULT_TYPE
        self.is_done = not len(self._divisions)

    def _end_header(self, lines: Sequence[bytes]) -> None:
        self._headers_size += self._header_size
        fields = split_fields(b"".join(lines))
        if any(not field.name for field in fields):
            self._note(Soundness.MALFORMED)
        self._enter(read_heading(fields, self._default))

    def _enter(self, heading: Heading) -> None:
        """Go on behind the header section of a part."""
        self._entities.append(heading.entity)
        self._note(heading.soundness)
        self._header, self._header_size = ([] if heading.is_message else None), 0
        self._default = DEFAULT_TYPE
        is_full = len(self._entities) == MAX_PARTS or (heading.boundary and len(self._divisions) == MAX_DEPTH)
        if is_full:
            self._note(Soundness.LIMITED)
        elif heading.boundary:
            self._divisions.enter(heading.boundary, heading.entity.media_type)
            self._note(Soundness.COMPLETE if self._divisions.are_clear else Soundness.MALFORMED)
        self.is_done = len(self._entities) == MAX_PARTS or not (len(self._divisions) or heading.is_message)

    def _note(self, soundness: Soundness) -> None:
        if self._soundness is not Soundness.LIMITED and soundness is not Soundness.COMPLETE:
            self._soundness = soundness
