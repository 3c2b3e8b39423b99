"""The marks that mail readers and filters behind us go by."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.authres.marks import MAX_SYMBOLS, marks, spam_fields
from gateway.message import split_fields
from gateway.policy.verdict import UNDECIDED, Action, Hit, Mode, Verdict

SCORED = {"spam.result": "scored", "spam.score": 5.25, "spam.required": 5.0, "spam.symbols": ("BAYES_99", "URIBL_X")}


def hit(rule: str, action: Action, mode: Mode = Mode.ENFORCE) -> Hit:
    return Hit(rule=rule, why="", mode=mode, action=action, score=0.0)


def test_spam_is_marked_as_spamassassin_does() -> None:
    assert spam_fields(score=5.25, required=5.0, symbols=("BAYES_99", "URIBL_X")) == (
        b"X-Spam-Flag: YES\r\n"
        b"X-Spam-Score: 5.2\r\n"
        b"X-Spam-Status: Yes, score=5.2 required=5.0\r\n"
        b" tests=BAYES_99,URIBL_X\r\n"
    )


def test_ham_is_marked_too() -> None:
    assert spam_fields(score=-1.0, required=5.0, symbols=()) == (
        b"X-Spam-Flag: NO\r\nX-Spam-Score: -1.0\r\nX-Spam-Status: No, score=-1.0 required=5.0\r\n tests=none\r\n"
    )


def test_score_just_below_the_threshold_does_not_look_like_it() -> None:
    assert b"X-Spam-Score: 4.9\r\n" in spam_fields(score=4.99, required=5.0, symbols=())


def test_many_symbols_are_broken_over_lines_behind_commas() -> None:
    octets = spam_fields(score=1, required=5, symbols=[f"A_RATHER_LONG_NAME_{number}" for number in range(500)])
    lines = octets.split(b"\r\n")
    assert all(len(line) <= 78 for line in lines)
    assert octets.count(b"A_RATHER") == MAX_SYMBOLS
    assert b"tests=A_RATHER_LONG_NAME_0,A_RATHER_LONG_NAME_1," in octets


def test_verdict_names_the_rules_that_asked_for_it() -> None:
    verdict = Verdict(
        action=Action.QUARANTINE,
        hits=(
            hit("one", Action.QUARANTINE),
            hit("shadow", Action.QUARANTINE, Mode.SHADOW),
            hit("milder", Action.TAG),
            hit("two", Action.QUARANTINE),
        ),
    )
    assert marks(verdict, SCORED).startswith(b"X-Mailward-Quarantine: one, two\r\nX-Spam-Flag: YES\r\n")


def test_site_that_only_tags_still_names_the_rules() -> None:
    verdict = Verdict(action=Action.TAG, hits=(hit("severe", Action.REJECT),))
    assert marks(verdict, SCORED).startswith(b"X-Mailward-Tag: severe\r\n")


def test_message_without_a_score_says_so() -> None:
    assert marks(UNDECIDED, {"spam.result": "busy"}) == b"X-Mailward-Unscored: busy\r\n"
    assert marks(UNDECIDED, {}) == b"X-Mailward-Unscored: unavailable\r\n"


@given(st.text(min_size=1), st.lists(st.text()), st.text())
def test_no_rule_id_symbol_or_result_breaks_out(rule: str, symbols: list[str], result: str) -> None:
    verdict = Verdict(action=Action.TAG, hits=(hit(rule, Action.TAG),))
    scored = split_fields(marks(verdict, {**SCORED, "spam.symbols": tuple(symbols)}))
    assert [field.name for field in scored] == ["x-mailward-tag", "x-spam-flag", "x-spam-score", "x-spam-status"]
    unscored = split_fields(marks(verdict, {"spam.result": result}))
    assert unscored[0].name == "x-mailward-tag"
