"""Known forms: what a signer's signatures have in common is parsed once, and of each further one only what is its own.

From letter to letter the values of bh=, b=, t= and x= change. All other octets are the form of a signature: where one
of that form was well-formed, the next one is as it was but for these values.
"""

import re
from collections import OrderedDict
from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from gateway.checks.dkim.signature import Claim, Seal, Signature, times
from gateway.checks.dkim.status import SignatureError
from gateway.checks.dkim.tags import TagError, base64, unfolded
from gateway.message import Field

MAX_FORMS = 1000  # forms that one worker keeps, each with what was parsed of it: 1 KB as a rule, 50 KB at most
MAX_FORM = 1024  # octets of a form that is kept; honest ones take 150 to 600
MAX_LOOKED_FOR = 4096  # octets of a field; a longer one has no form that is kept, or its values make no sense

_own_re = re.compile(rb"(;[ \t\r\n]*(?:bh?|t|x)[ \t\r\n]*=)([^;]*)")  # a tag that each signature has its own value of

_NOTHING = Field(name="", raw=b"")


class Specimen(Struct, frozen=True):
    """A well-formed signature without what was its own, and the names of these tags in the order of the form."""

    signature: Signature
    own: tuple[str, ...]


class KnownForms:
    """Signatures by their form. The form unused for longest makes room for a new one."""

    def __init__(self) -> None:
        self._specimens: OrderedDict[bytes, Specimen] = OrderedDict()

    def recall(self, field: Field) -> Signature | None:
        """The signature in a DKIM-Signature field, as parsing would make it. None where it has to be parsed: its form
        is not known, or a value is malformed, or a time has white space around it."""
        if len(field.raw) > MAX_LOOKED_FOR:
            return None
        form, _, values = _taken_apart(field)
        specimen = self._specimens.get(form)
        if specimen is None:
            return None
        self._specimens.move_to_end(form)
        return _like(specimen, field, values)

    def keep(self, signature: Signature) -> None:
        """Know the form of a signature that was parsed."""
        if len(signature.field.raw) > MAX_LOOKED_FOR:
            return
        form, tags, _ = _taken_apart(signature.field)
        if len(form) > MAX_FORM:
            return
        common = replace(
            signature,
            field=_NOTHING,
            claim=replace(signature.claim, b=""),
            seal=replace(signature.seal, octets=b""),
            body_hash=b"",
        )
        self._specimens[form] = Specimen(common, tuple([tag.strip(b"; \t\r\n=").decode("ascii") for tag in tags]))
        if len(self._specimens) > MAX_FORMS:
            self._specimens.popitem(last=False)

    def __len__(self) -> int:
        return len(self._specimens)


def _taken_apart(field: Field) -> tuple[bytes, Sequence[bytes], Sequence[bytes]]:
    """The form of a signature, and the names (with what is around them) and values of the tags that are its own."""
    pieces = _own_re.split(b";" + field.raw.partition(b":")[2].removesuffix(b"\r\n"))
    values = pieces[2::3]
    del pieces[2::3]
    return b"".join(pieces), pieces[1::2], values


def _like(specimen: Specimen, field: Field, values: Sequence[bytes]) -> Signature | None:
    """None where a value is not as it mostly is."""
    common = specimen.signature
    own = dict(zip(specimen.own, values, strict=True))
    claim, seal, b = common.claim, common.seal, own["b"]
    try:
        signed, expires = times(own)
        octets, body_hash = base64(b, "b"), base64(own["bh"], "bh")
    except (SignatureError, TagError):
        return None
    text = str(unfolded(b), "ascii")
    return Signature(
        field=field,
        claim=Claim(claim.domain, claim.selector, claim.identity, claim.algorithm, text, signed, expires),
        seal=Seal(seal.domain, seal.selector, seal.algorithm, octets, seal.key_name),
        identity_domain=common.identity_domain,
        headers=common.headers,
        header_canon=common.header_canon,
        body=common.body,
        body_hash=body_hash,
        expires=expires,
    )
