import tomllib
from pathlib import Path

import pytest
from pydantic import ValidationError

from gateway.delivery.downstream import SmtpRoute
from gateway.delivery.maildir import MaildirHop
from gateway.delivery.routes import DomainSettings, Routes, RouteSettings, Surroundings, build_routes
from tests.support.deliveries import disk_threads
from tests.support.documents import example

ROUTES = {
    "default": RouteSettings(hosts=("smtp://127.0.0.1:10025",)),
    "lmtp": RouteSettings(hosts=("lmtp+unix:///run/lmtp",)),
    "files": RouteSettings(hosts=("maildir:///var/mail/mailward",)),
}


def build(**domains: DomainSettings) -> Routes:
    with disk_threads() as disk:
        named = {name.replace("__", "."): settings for name, settings in domains.items()}
        return build_routes(ROUTES, named, Surroundings(hostname="mx.example.org", disk=disk))


def name_of(routes: Routes, domain: str) -> str:
    hop = routes.hop_for(domain)
    assert hop is not None
    return hop.name


def test_the_nearest_entry_decides() -> None:
    routes = build(
        example__org=DomainSettings(route="files"),
        __example__org=DomainSettings(route="lmtp"),
        __a__example__org=DomainSettings(route="files"),
    )
    assert name_of(routes, "example.org") == "files"
    assert name_of(routes, "b.example.org") == "lmtp"
    assert name_of(routes, "x.y.b.example.org") == "lmtp"
    assert name_of(routes, "b.a.example.org") == "files"
    assert name_of(routes, "a.example.org") == "lmtp"
    assert name_of(routes, "notexample.org") == "default"
    assert name_of(routes, "") == "default"


def test_domains_of_one_route_share_its_next_hop() -> None:
    routes = build(a__org=DomainSettings(), b__org=DomainSettings())
    assert routes.hop_for("a.org") is routes.hop_for("b.org") is routes.hop_for("c.org")


def test_rules_may_choose_the_routes_that_they_name_alone() -> None:
    with disk_threads() as disk:
        unverified = {"a.org": DomainSettings(verify=False)}
        around = Surroundings(hostname="mx.example.org", disk=disk)
        routes = build_routes(ROUTES, unverified, around, by_rules={"files", "default"})
    files, default, unverified_default = (
        routes.named(name, domain) for name, domain in (("files", "b.org"), ("default", "b.org"), ("default", "a.org"))
    )
    assert isinstance(files, MaildirHop)
    assert default is routes.hop_for("b.org")
    assert unverified_default is routes.hop_for("a.org")
    assert routes.named("lmtp", "b.org") is None
    assert not routes.are_one


def test_domains_without_verification_are_apart_but_share_the_connections() -> None:
    routes = build(a__org=DomainSettings(verify=False))
    unverified, live = routes.hop_for("a.org"), routes.hop_for("b.org")
    assert isinstance(unverified, SmtpRoute)
    assert isinstance(live, SmtpRoute)
    assert (unverified.shares_transactions, live.shares_transactions) == (False, True)
    assert unverified.pool is live.pool


def test_lmtp_takes_one_recipient_at_a_time() -> None:
    hop = build(a__org=DomainSettings(route="lmtp")).hop_for("a.org")
    assert hop is not None
    assert hop.shares_transactions is False


def test_a_maildir_is_a_route() -> None:
    hop = build(a__org=DomainSettings(route="files")).hop_for("a.org")
    assert isinstance(hop, MaildirHop)
    assert hop.root == Path("/var/mail/mailward")


@pytest.mark.parametrize(
    "hosts",
    [
        (),
        ("mail.example.org",),
        ("maildir://relative",),
        ("smtp://a", "lmtp://b"),
        ("maildir:///a", "maildir:///b"),
        ("maildir:///a", "smtp://b"),
    ],
)
def test_hosts_that_do_not_go_together_are_refused(hosts: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError):
        RouteSettings(hosts=hosts)


def test_the_documented_routes_are_valid() -> None:
    settings = tomllib.loads(example("downstream.md", "toml"))
    routes = {name: RouteSettings.model_validate(table) for name, table in settings["route"].items()}
    domains = {name: DomainSettings.model_validate(table) for name, table in settings["domain"].items()}
    with disk_threads() as disk:
        built = build_routes(routes, domains, Surroundings(hostname="mx.example.org", disk=disk))
    assert name_of(built, "lists.example.org") == "mailboxes"
    assert name_of(built, "example.org") == "default"
