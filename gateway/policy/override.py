"""The override: turns the facts and the verdict into why a message that fails DMARC is treated more mildly than its
author's domain publishes (RFC 9990, policy override reason). Pure."""

from collections.abc import Mapping
from enum import StrEnum

from gateway.facts import Facts
from gateway.policy.verdict import Action, Verdict


class Override(StrEnum):
    """The words of RFC 9990, of which "mailing_list" and "other" do not occur: nothing here recognises lists."""

    TRUSTED_FORWARDER = "trusted_forwarder"  # a sealer that we trust, or a relay partner, accounts for the failure
    POLICY_TEST_MODE = "policy_test_mode"  # the domain is only testing (t=y), and had what it asks for then
    LOCAL_POLICY = "local_policy"  # our rules, the panic switch or the recipient (postmaster) spared it


# What is done with a message, by its severity among the policies. What was deferred comes again: nothing is done with
# it yet.
_DONE: Mapping[Action, int] = {Action.ACCEPT: 0, Action.TAG: 0, Action.QUARANTINE: 1, Action.REJECT: 2}
_POLICIES = ("none", "quarantine", "reject")


def override(facts: Facts, verdict: Verdict) -> Override | None:
    """None where the message passes, where no policy is published for it, and where it is treated as severely."""
    if facts.get("dmarc.result") != "fail" or verdict.action not in _DONE:
        return None
    done = _DONE[verdict.action]
    if done >= _severity(facts, "dmarc.published"):
        return None
    if done >= _severity(facts, "dmarc.policy"):
        return Override.POLICY_TEST_MODE
    if facts.get("arc.trusted") is True or facts.get("client.role") == "relay":
        return Override.TRUSTED_FORWARDER
    return Override.LOCAL_POLICY


def disposition(facts: Facts, action: str) -> str:
    """What DMARC had done with a message, in the words of RFC 9990: never more than the policy asks for, since whatever
    else refuses a message is not its work; "pass" where a message passes a policy that asks for something."""
    published = _severity(facts, "dmarc.published")
    if facts.get("dmarc.result") == "pass" and published:
        return "pass"
    if facts.get("dmarc.result") != "fail" or action not in _DONE:
        return _POLICIES[0]
    return _POLICIES[min(_DONE[Action(action)], published)]


def _severity(facts: Facts, name: str) -> int:
    word = facts.get(name)
    return _POLICIES.index(word) if word in _POLICIES else 0
