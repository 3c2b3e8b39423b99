"""Vocabulary: every fact that rules can read, gathered from the modules that declare them."""

from gateway import author, connection, envelope
from gateway.checks import dmarc, iprev, spamd, spf
from gateway.checks.arc import result as arc
from gateway.checks.dkim import result as dkim

FACTS = (
    *connection.FACTS,
    *envelope.FACTS,
    *iprev.FACTS,
    *spf.FACTS,
    *author.FACTS,
    *author.MESSAGE_FACTS,
    *dkim.FACTS,
    *arc.FACTS,
    *dmarc.FACTS,
    *spamd.FACTS,
)
