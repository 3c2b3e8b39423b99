"""Why a message that fails DMARC is treated more mildly than is published, in the words of RFC 9990."""

from typing import Any

import pytest

from gateway.policy.override import Override, disposition, override
from gateway.policy.verdict import Action, Verdict

FAILS = {"dmarc.result": "fail", "dmarc.policy": "reject", "dmarc.published": "reject"}
TESTED = {"dmarc.result": "fail", "dmarc.policy": "quarantine", "dmarc.published": "reject", "dmarc.testing": True}
MILD = (Action.ACCEPT, Action.TAG)


def reason(facts: dict[str, Any], action: Action) -> Override | None:
    return override(facts, Verdict(action=action))


@pytest.mark.parametrize("action", [*MILD, Action.QUARANTINE])
def test_what_our_rules_spare_is_local_policy(action: Action) -> None:
    assert reason(FAILS, action) is Override.LOCAL_POLICY


@pytest.mark.parametrize("action", [*MILD, Action.QUARANTINE])
@pytest.mark.parametrize("known", [{"arc.trusted": True}, {"client.role": "relay"}])
def test_what_a_trusted_forwarder_accounts_for_is_said_so(action: Action, known: dict[str, Any]) -> None:
    assert reason(FAILS | known, action) is Override.TRUSTED_FORWARDER


def test_a_sealer_that_is_not_trusted_and_a_client_of_our_own_account_for_nothing() -> None:
    for known in ({"arc.trusted": False, "arc.result": "pass"}, {"client.role": "internal"}):
        assert reason(FAILS | known, Action.ACCEPT) is Override.LOCAL_POLICY


@pytest.mark.parametrize("published", ["none", "quarantine", "reject", ""])
def test_what_is_treated_as_is_published_is_no_override(published: str) -> None:
    facts = FAILS | {"dmarc.published": published, "dmarc.policy": published}
    assert reason(facts, Action.REJECT) is None
    assert (reason(facts, Action.QUARANTINE) is None) is (published != "reject")
    assert (reason(facts, Action.ACCEPT) is None) is (published in ("none", ""))


def test_what_is_deferred_has_not_been_treated_yet() -> None:
    assert reason(FAILS, Action.DEFER) is None


@pytest.mark.parametrize("result", ["pass", "none", "temperror", "permerror", "unavailable"])
def test_only_what_fails_is_overridden(result: str) -> None:
    assert reason(FAILS | {"dmarc.result": result}, Action.ACCEPT) is None
    assert reason({}, Action.ACCEPT) is None


def test_a_policy_under_test_is_one_level_milder() -> None:
    assert reason(TESTED, Action.QUARANTINE) is Override.POLICY_TEST_MODE
    assert reason(TESTED, Action.REJECT) is None
    softened = TESTED | {"dmarc.policy": "none", "dmarc.published": "quarantine"}
    assert reason(softened, Action.ACCEPT) is Override.POLICY_TEST_MODE
    assert reason(softened, Action.QUARANTINE) is None
    nothing = TESTED | {"dmarc.policy": "none", "dmarc.published": "none"}
    assert reason(nothing, Action.ACCEPT) is None


def test_what_is_spared_beyond_a_policy_under_test_is_ours_or_a_forwarders() -> None:
    assert reason(TESTED, Action.ACCEPT) is Override.LOCAL_POLICY
    assert reason(TESTED | {"arc.trusted": True}, Action.ACCEPT) is Override.TRUSTED_FORWARDER


def test_the_words_are_those_of_the_report_format() -> None:
    assert {word.value for word in Override} < {
        "local_policy",
        "mailing_list",
        "other",
        "policy_test_mode",
        "trusted_forwarder",
    }


@pytest.mark.parametrize(
    ("published", "action", "done"),
    [
        ("reject", Action.REJECT, "reject"),
        ("reject", Action.QUARANTINE, "quarantine"),
        ("reject", Action.TAG, "none"),
        ("quarantine", Action.REJECT, "quarantine"),  # the rest is other rules' work
        ("quarantine", Action.ACCEPT, "none"),
        ("none", Action.REJECT, "none"),
        ("reject", Action.DEFER, "none"),
    ],
)
def test_what_dmarc_had_done_is_at_most_what_is_published(published: str, action: Action, done: str) -> None:
    assert disposition(FAILS | {"dmarc.published": published}, action) == done


@pytest.mark.parametrize(("published", "done"), [("none", "none"), ("quarantine", "pass"), ("reject", "pass")])
@pytest.mark.parametrize("action", list(Action))
def test_what_passes_a_policy_that_asks_for_something_is_a_pass(published: str, done: str, action: Action) -> None:
    assert disposition({"dmarc.result": "pass", "dmarc.published": published}, action) == done


def test_what_was_not_found_out_had_nothing_done() -> None:
    assert disposition({"dmarc.result": "temperror", "dmarc.published": "reject"}, Action.REJECT) == "none"
