"""What SpamAssassin's AuthRes plugin reads in our field, whatever a sender puts into its values.

It takes a field wholly or not at all, so a value that it stumbled over would cost every result.
"""

import shutil
import subprocess

import pytest

from gateway.authres.field import AuthenticationResults, MethodResult, Property, build
from tests.support.breakouts import BREAKOUTS

pytestmark = pytest.mark.spamd

PARSE = r"""
use Mail::SpamAssassin::Plugin::AuthRes;
my $plugin = bless {}, "Mail::SpamAssassin::Plugin::AuthRes";
local $/ = "\x00";
while (my $value = <STDIN>) {
  chomp $value;
  my $pms = {conf => {authres_trusted_authserv => {"mx.example.org" => 1}, authres_ignored_authserv => {}}};
  eval { $plugin->parse_authres($pms, "Authentication-Results", $value); 1 } or print "refused: $@";
  my $found = $pms->{authres_parsed};
  print join(" ", map { my $method = $_; map { "$method=$_->{result}" } @{$found->{$method}} } sort keys %$found), "\n";
}
"""


def test_plugin_reads_our_results_and_no_others() -> None:
    if shutil.which("spamd") is None:
        pytest.skip("SpamAssassin is not installed")
    values = []
    for text in BREAKOUTS:
        failed = (
            MethodResult("spf", "fail", text, (Property("smtp", "mailfrom", text),), text),
            MethodResult("dkim", "fail", text, (Property("header", "d", text), Property("header", "b", text)), text),
            MethodResult("dmarc", "fail", properties=(Property("header", "from", text),)),
        )
        unfolded = build(AuthenticationResults("mx.example.org", failed)).replace(b"\r\n", b"")
        values.append(unfolded.partition(b":")[2].strip())
    run = subprocess.run(["perl", "-e", PARSE], input=b"\x00".join(values), capture_output=True, check=True)
    assert run.stdout.decode().splitlines() == ["dkim=fail dmarc=fail spf=fail"] * len(values)
