"""What SpamAssassin's own parser reads out of our Received field: the client's address, confirmed name and HELO."""

import shutil
import subprocess
from ipaddress import ip_address

import pytest

from gateway.authres.received import received_field
from gateway.connection import Connection, Role, Tls
from gateway.envelope import Address, Envelope, Recipient

pytestmark = pytest.mark.spamd

READ_RELAYS = r"""
use Mail::SpamAssassin;
my $sa = Mail::SpamAssassin->new({dont_copy_prefs => 1, local_tests_only => 1, config_text => "util_rb_tld org\n"});
local $/ = "\x00";
while (my $octets = <STDIN>) {
  chomp $octets;
  my $message = $sa->parse($octets, 1);
  $message->extract_message_metadata(Mail::SpamAssassin::PerMsgStatus->new($sa, $message));
  my @relays = @{$message->{metadata}->{relays_untrusted}};
  print join("|", scalar(@relays), map { "$_->{ip} $_->{rdns} $_->{helo} $_->{by} $_->{id} $_->{auth}" } @relays), "\n";
}
"""

TLS = Tls("TLSv1.3", "TLS_AES_256_GCM_SHA384", 256)
ENVELOPE = Envelope(id="4XyZ-1", sender=None, recipients=(Recipient(Address("bob", "example.org")),))

# (HELO, confirmed name, address, TLS) -> what SpamAssassin calls the HELO. The odd ones are words by which its parser
# knows the formats of other software.
CLIENTS = {
    ("mail.example.net", "mail.example.net", "192.0.2.7", TLS): "mail.example.net",
    ("mail.example.net", "", "192.0.2.7", None): "mail.example.net",
    ("mail.example.net", "", "2001:db8::7", TLS): "mail.example.net",
    ("[192.0.2.9]", "", "192.0.2.7", None): "!192.0.2.9!",
    ("127.0.0.1", "a.example.net", "192.0.2.7", None): "127.0.0.1",
    ("", "a.example.net", "192.0.2.7", None): "unknown",
    ("a (b [127.0.0.1]) by c (Postfix) with", "", "192.0.2.7", None): "a??b?!127.0.0.1!??by?c??Postfix??with",
    **{
        (word, "a.example.net", "192.0.2.7", TLS): word
        for word in ("Exim", "x.SMTPSVC", "mapi.Exim", "by", "with", "from", "authenticated", "HELO", "CommuniGate")
    },
    **{(word, "", "192.0.2.7", None): word for word in ("Exim", "softdnserr", "a.hotmail.msn.com", "mail.gmx.net")},
}


def test_every_client_is_read_right() -> None:
    if shutil.which("spamd") is None:
        pytest.skip("SpamAssassin is not installed")
    messages = [
        received_field(
            Connection("c", ip_address(ip), 1, Role.STRANGER, 0.0, helo=helo, esmtp=True, tls=tls),
            ENVELOPE,
            hostname="mx.example.org",
            client_name=name,
            now=1764000000,
            ident=ENVELOPE.id,
        )
        + b"Subject: x\r\n\r\nbody\r\n"
        for helo, name, ip, tls in CLIENTS
    ]
    run = subprocess.run(["perl", "-e", READ_RELAYS], input=b"\x00".join(messages), capture_output=True, check=True)
    expected = [f"1|{ip} {name} {helo} mx.example.org 4XyZ-1 " for (_, name, ip, _), helo in CLIENTS.items()]
    assert run.stdout.decode().splitlines() == expected
