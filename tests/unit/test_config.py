"""mailward.toml: what it may say, and what is said of its errors."""

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from gateway.checks.dnslists import DnsListSettings
from gateway.checks.spamd import SpamdSettings
from gateway.config import ConfigError, ProfileSettings, Settings, load
from gateway.delivery.settings import DomainSettings, RouteSettings
from gateway.scoring.hosts import SpamdHost
from gateway.tomlfile import Problem
from tests.support import configpage
from tests.support.documents import examples

LEAST = """\
hostname = "mx.example.org"
domains = ["example.org"]
[route.default]
hosts = ["smtp://127.0.0.1:10025"]
"""
EMPTY_MEANS_NONE = ("certificate", "key", "directory", "candidate")  # paths whose absence the page shows as ""

_commented_key_re = re.compile(r"^#(\[|[a-z_]+ = )", re.MULTILINE)


def loaded(tmp_path: Path, text: str) -> Settings:
    (tmp_path / "mailward.toml").write_text(text)
    return load(tmp_path / "mailward.toml")


def problems(tmp_path: Path, text: str) -> list[str]:
    """What is wrong with it, without the name of the file."""
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, text)
    assert str(caught.value) == "\n".join(map(str, caught.value.problems))
    return [str(problem).removeprefix(f"{tmp_path}/mailward.toml:") for problem in caught.value.problems]


def test_nobody_is_believed_about_others_unless_he_is_named(tmp_path: Path) -> None:
    settings = loaded(tmp_path, LEAST)
    assert (settings.networks.balancers, settings.networks.xclient, settings.listen_tls) == ((), (), ())
    [example] = [block for block in examples("operating.md", "toml") if "balancers" in block]
    networks = loaded(tmp_path, LEAST + example).networks
    assert [len(networks.balancers), len(networks.xclient)] == [2, 1]


def test_the_shipped_file_is_what_the_settings_say() -> None:
    assert configpage.PAGE.read_text() == configpage.page(), "run python -m tests.support.configpage"


def test_the_shipped_file_loads() -> None:
    settings = load(configpage.PAGE)
    assert settings.hostname == "mx.example.org"
    assert settings.domains == ("example.org", ".example.org")
    assert settings.route == {"default": RouteSettings(hosts=("smtp://127.0.0.1:10025",))}


def test_every_key_of_the_shipped_file_shows_its_default(tmp_path: Path) -> None:
    text = _commented_key_re.sub(r"\1", configpage.PAGE.read_text())
    for key in EMPTY_MEANS_NONE:
        text = text.replace(f'\n{key} = ""\n', "\n")
    settings = loaded(tmp_path, text)
    examples = {
        "dnslist": {"zen": DnsListSettings(zone="zen.spamhaus.org")},
        "domain": {"lists.example.org": DomainSettings()},
        "profile": {"strict": ProfileSettings(rules=Path("/etc/mailward/profiles/strict"))},
        "spamd": SpamdSettings(hosts=(SpamdHost(address="127.0.0.1:783"),)),
    }
    assert settings == load(configpage.PAGE).model_copy(update=examples)


def test_an_unknown_key_is_told_with_the_nearest_right_name(tmp_path: Path) -> None:
    text = (
        LEAST.replace("[route", '[limits]\nheader_sise = 1\n[[spamd.hosts]]\nadress = "a:1"\n[route') + "max_hold = 1\n"
    )
    assert problems(tmp_path, text) == [
        '4:1: unknown key "header_sise" (did you mean "header_size"?)',
        '5:1: the key "address" is missing',
        '6:1: unknown key "adress" (did you mean "address"?)',
        '9:1: unknown key "max_hold" (did you mean "max_held"?)',
    ]


def test_an_unknown_table_is_told(tmp_path: Path) -> None:
    assert problems(tmp_path, LEAST + "[dsn]\nservers = []\n") == ['5:1: unknown key "dsn" (did you mean "dns"?)']


def test_a_key_in_the_wrong_table_is_told_its_own(tmp_path: Path) -> None:
    found = problems(tmp_path, LEAST + "[session]\nbalancers = []\n")
    assert found == ['6:1: unknown key "balancers" (balancers is a key of [networks])']


def test_every_error_is_told_at_once_in_the_words_of_a_file(tmp_path: Path) -> None:
    text = """\
hostname = "not a name"
domains = "example.org"
listen = ["127.0.0.1", 5]
authserv_id = "a b"
dns = 3
[networks]
own = ["192.168.1.1/24", "here", "::1"]
[limits]
header_size = "big"
received = 3.5
own_received = 0
check_timeout = "soon"
[spamd]
enabled = "perhaps"
hosts = [{ address = "nowhere" }]
[route.default]
hosts = []
tls = "sometimes"
[route.other]
hosts = ["http://a:1"]
[domain."not a domain"]
verify = true
[tls]
certificate = 5
[rules]
shipped = 2
"""
    assert problems(tmp_path, text) == [
        '1:1: "not a name" is not a domain name',
        "2:1: must be a list in square brackets",
        "3:11: must be HOST:PORT, an IPv6 host in square brackets: 127.0.0.1:25 or [::1]:25",
        "3:24: must be text in quotes",
        '4:1: "a b" is no name of letters and digits, with dots, hyphens and underscores between them',
        "5:1: must be a table",
        "7:8: 192.168.1.1/24 has host bits set",
        "7:26: 'here' does not appear to be an IPv4 or IPv6 network",
        "9:1: must be a whole number",
        "10:1: must be a whole number",
        "11:1: must be at least 1",
        "12:1: must be a number",
        "14:1: must be true or false",
        "15:12: must be HOST:PORT, an IPv6 host in square brackets: 127.0.0.1:25 or [::1]:25",
        "17:1: must not be empty",
        "18:1: must be 'never', 'opportunistic', 'required' or 'verified'",
        "20:10: 'http://a:1' is not of the form smtp://host:port, lmtp://host:port or lmtp+unix:///path",
        '21:1: "not a domain" is not a domain name',
        "24:1: must be a path in quotes",
        "26:1: must be true or false",
    ]


def test_what_must_be_said_is_asked_for(tmp_path: Path) -> None:
    assert problems(tmp_path, "") == [
        '1:1: the key "hostname" is missing',
        '1:1: the key "domains" is missing',
        '1:1: the key "route" is missing',
    ]


def test_a_table_that_lacks_a_key_is_where_it_is_missed(tmp_path: Path) -> None:
    assert problems(tmp_path, LEAST + "[route.other]\nhold = 1\n") == ['5:1: the key "hosts" is missing']


def test_without_a_default_route_accepted_mail_has_nowhere_to_go(tmp_path: Path) -> None:
    told = problems(tmp_path, LEAST.replace("default", "main"))
    assert told == ["3:1: there is no [route.default]: say where accepted mail goes"]


def test_a_route_that_is_not_there_is_told_at_each_domain_that_names_it(tmp_path: Path) -> None:
    text = (
        LEAST
        + """
[route.mailinglists]
hosts = ["smtp://127.0.0.1:10026"]
[domain."example.org"]
verify = false
route = "mailinglist"
[domain.".example.org"]
route = "elsewhere"
[domain."good.example.org"]
route = "mailinglists"
"""
    )
    assert problems(tmp_path, text) == [
        '10:1: there is no [route.mailinglist] (did you mean "mailinglists"?)',
        "12:1: there is no [route.elsewhere]",
    ]


def test_a_profile_that_is_not_there_is_told_at_the_domain_that_names_it(tmp_path: Path) -> None:
    domains = '[domain."example.org"]\nprofile = "strikt"\n[domain."b.example.org"]\nprofile = ""\n'
    text = f"{LEAST}[profile.strict]\n{domains}"
    assert problems(tmp_path, text) == ['7:1: there is no [profile.strikt] (did you mean "strict"?)']


def test_no_error_hides_a_missing_route(tmp_path: Path) -> None:
    text = LEAST.replace("mx.example.org", "?") + '[domain."example.org"]\nroute = "nope"\n'
    assert problems(tmp_path, text) == ['1:1: "?" is not a domain name', "6:1: there is no [route.nope]"]


def test_broken_routes_are_not_told_again_where_they_are_named(tmp_path: Path) -> None:
    text = (
        LEAST.replace("[route.default]\n", "[route.default]\nx = 1\n") + '[domain."example.org"]\nroute = "default"\n'
    )
    assert problems(tmp_path, text) == ['4:1: unknown key "x"']


def test_a_file_that_is_no_toml_has_its_place(tmp_path: Path) -> None:
    assert problems(tmp_path, "hostname = \n") == ["1:12: invalid value"]


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "nothing.toml")
    assert caught.value.problems == (
        Problem(str(tmp_path / "nothing.toml"), 1, 1, "cannot be read: No such file or directory"),
    )


def test_domains_are_kept_in_one_form(tmp_path: Path) -> None:
    settings = loaded(tmp_path, LEAST.replace('["example.org"]', '["EXAMPLE.org.", ".Bücher.example"]'))
    assert settings.domains == ("example.org", ".xn--bcher-kva.example")


def test_the_identity_is_the_hostname_unless_it_is_given(tmp_path: Path) -> None:
    assert loaded(tmp_path, LEAST).identity == "mx.example.org"
    assert loaded(tmp_path, 'authserv_id = "mail.example.org"\n' + LEAST).identity == "mail.example.org"


def test_settings_are_frozen(tmp_path: Path) -> None:
    settings = loaded(tmp_path, LEAST)
    for section, name in ((settings, "hostname"), (settings.limits, "received"), (settings.route["default"], "hosts")):
        with pytest.raises(ValidationError, match="frozen"):
            setattr(section, name, getattr(section, name))


def test_sealing_is_configured_whole_or_not_at_all(tmp_path: Path) -> None:
    for given, missing in (
        ('key = "/k"', "no domain and no selector"),
        ('domain = "a.example"\nkey = "/k"', "no selector"),
    ):
        told = problems(tmp_path, f"{LEAST}[arc.seal]\n{given}\n")
        assert told == [f"5:1: domain, selector and key are given together, or none of them: {missing}"]
    assert loaded(tmp_path, f"{LEAST}[arc.seal]\n").arc.seal.key is None
    whole = '[arc.seal]\ndomain = "Example.org"\nselector = "S1"\nkey = "/k"\n'
    assert loaded(tmp_path, LEAST + whole).arc.seal.key_name == "s1._domainkey.example.org"


def test_what_cannot_be_sealed_is_told_at_its_place(tmp_path: Path) -> None:
    text = '[arc.seal]\ndomain = "a b"\nselector = "s_1"\nkey = 5\nheaders = ["from", "ARC-Seal", "x;y"]\n'
    assert problems(tmp_path, LEAST + text) == [
        '6:1: "a b" is not a domain name',
        "8:1: must be a path in quotes",
        '9:20: "ARC-Seal" must not be signed: it is changed or removed on the way',
        '9:32: "x;y" is not the name of a header field',
    ]
    for headers, told in (
        ('["subject"]', '"from" must be among them (RFC 6376 section 5.4)'),
        (str(["from"] * 51).replace("'", '"'), "must have at most 50 entries"),
    ):
        assert problems(tmp_path, f"{LEAST}[arc.seal]\nheaders = {headers}\n") == [f"6:1: {told}"]


def test_the_examples_of_arc_in_the_docs_are_right(tmp_path: Path) -> None:
    (trust, sealing) = (block for block in examples("authentication.md", "toml") if block.startswith("[arc"))
    settings = loaded(tmp_path, LEAST + trust + sealing)
    assert settings.arc.trusted_sealers == ("lists.example.net", "forward.example.com")
    assert settings.arc.seal.key_name == "arc2026._domainkey.example.org"


def test_what_is_no_dns_list_is_told_at_its_place(tmp_path: Path) -> None:
    text = """\
[dnslist."Zen x"]
zone = "a b"
kind = "blok"
about = "clients"
listed = ["128.0.0.1", "127.0.0.[9..2]"]
names = { "127.0.0.300" = "pbl", "127.0.0.2" = "A b" }
timeout = 31
time = 3
[dnslist.empty]
listed = []
"""
    assert problems(tmp_path, LEAST + text) == [
        "5:1: must have the form ^[a-z0-9][a-z0-9._-]{0,63}$",
        '6:1: "a b" is not a domain name',
        "7:1: must be 'block' or 'allow'",
        "8:1: must be 'client', 'helo' or 'sender'",
        '9:11: "128.0.0.1" is no answer of a list, such as 127.0.0.2 or 127.0.[0..255].[1..3]',
        '9:24: "127.0.0.[9..2]" has a range that is none: 9..2',
        '10:11: "127.0.0.300" has a range that is none: 300..300',
        "10:34: must have the form ^[a-z0-9][a-z0-9_-]{0,31}$",
        "11:1: must be at most 30",
        '12:1: unknown key "time" (did you mean "timeout"?)',
        '13:1: the key "zone" is missing',
        "14:1: must not be empty",
    ]
