"""Vocabulary: every fact that rules can read, gathered from the modules that declare them."""

from gateway import author, connection, envelope, timefacts
from gateway.checks import attachments, dmarc, dnslists, iprev, spamresult, spf
from gateway.checks.arc import result as arc
from gateway.checks.dkim import result as dkim
from gateway.policy import profiles

FACTS = (
    *timefacts.FACTS,
    *connection.FACTS,
    *envelope.FACTS,
    *dnslists.FACTS,
    *iprev.FACTS,
    *spf.FACTS,
    *author.FACTS,
    *author.MESSAGE_FACTS,
    *dkim.FACTS,
    *arc.FACTS,
    *dmarc.FACTS,
    *attachments.FACTS,
    *spamresult.FACTS,
    *profiles.FACTS,
)
