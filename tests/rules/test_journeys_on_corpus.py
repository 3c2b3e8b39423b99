"""500 spam and 500 ham messages on their whole way, by the shipped rules and others that read and change messages; then
the same from the journal: explained, replayed by the rules in force and by others, and as a directory of tests.

There is no spamd: the score follows from the size, so that it is the same each time. What rules read is compared with
what a few lines of regular expressions find in the octets.
"""

import asyncio
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.checks.base import Subject
from gateway.cli import main
from gateway.cli.rules.comparison import Comparison, recorded
from gateway.journal.entry import Entry
from gateway.lines import to_crlf
from gateway.policy.account import Standing, accounts
from gateway.policy.language import Explained, Operator, Part
from gateway.policy.profiles import Profiles
from gateway.policy.replay import Outcome, Replay
from gateway.policy.rule import Rule
from gateway.record import Record
from gateway.rulesets import load_candidate, load_profiles, load_with_site
from gateway.system.fixeddns import FixedDns
from tests.support.checking import Said
from tests.support.examining import UNBOUND
from tests.support.journal import journal_at
from tests.support.journeys import settings_of, walking
from tests.support.rulefacts import written

pytestmark = pytest.mark.suites

ROOMY = UNBOUND | {"header_size": 1 << 20}
DNS = FixedDns(
    {
        "7.2.0.192.in-addr.arpa": {"PTR": ["mail.sender.example"]},
        "mail.sender.example": {"A": ["192.0.2.7"]},
        "sender.example": {"TXT": ["v=spf1 ip4:192.0.2.7 -all"]},
        "_dmarc.yahoo.com": {"TXT": ["v=DMARC1; p=reject"]},
        "_dmarc.hotmail.com": {"TXT": ["v=DMARC1; p=quarantine"]},
    }
)
FREEMAIL = "# who gives mailboxes away\r\nYahoo.com   # the first one\r\n\r\nhotmail.com\r\nexcite.com\r\n"

READING = """
[[rule]]
id = "mailer"
why = "Names its program"
when = 'len(header("X-Mailer")) > 0'
then = "accept"

[[rule]]
id = "answer"
why = "Is an answer"
when = 'matches(subject, r"(?i)^re:")'
then = "accept"

[[rule]]
id = "freemail"
why = "Comes from a mailbox that anybody can have"
when = 'under(author.domain, listed("freemail"))'
then = "tag"

[[rule]]
id = "pictures"
why = "Brings pictures"
when = '"gif" in attachments.suffixes or "jpg" in attachments.suffixes'
then = "quarantine"
"""
CHANGING = """
[[rule]]
id = "lists"
why = "Mail of lists is marked, and not told what it goes by"
when = 'len(header("List-Id")) > 0'
add = { "X-Class" = "list {author.domain}" }
remove = ["X-Mailer", "Precedence"]

[[rule]]
id = "money"
why = "Speaks of money"
when = '"$" in subject'
prefix_subject_breaking_signatures = "[money]"

[[rule]]
id = "loud"
why = "Shouts"
when = '"!!" in subject'
then = "reject"
reply = "5.7.1 {author.address} shouts: {subject}"
"""
WATCHING = """
[[rule]]
id = "large"
why = "Is long"
when = 'message.size > 6000'
then = "reject"
mode = "shadow"
"""
SITE = READING + CHANGING + WATCHING

# Another threshold, a rule less, a rule more on facts that were recorded, and one on a field that was not.
OTHER = SITE.replace("message.size > 6000", "message.size > 60000").replace('mode = "shadow"', "")
UNDECIDED = (
    SITE
    + """
[[rule]]
id = "errors"
why = "x"
when = 'len(header("Errors-To")) > 0 and message.size > 3000'
then = "reject"
"""
)


@dataclass(frozen=True)
class Journey:
    """A message, what was noted of it, and what was delivered; "" where it was refused."""

    file: Path
    octets: bytes
    record: Record
    answer: str
    delivered: bytes


@dataclass(frozen=True)
class Run:
    root: Path
    journeys: Sequence[Journey]
    entries: Sequence[Entry]

    @property
    def profiles(self) -> Profiles:
        return load_profiles(settings_of(self.root))

    def outcomes(self) -> Iterator[tuple[Entry, Outcome]]:
        replay = Replay(self.profiles)
        return ((entry, replay.outcome(recorded(entry))) for entry in self.entries)

    def by_other_rules(self, text: str) -> Comparison:
        """With `changes` counted."""
        site = written(self.root / "other", text)
        comparison = Comparison(Replay(load_with_site(settings_of(self.root), site)))
        for change in comparison.changed(self.entries):
            assert change.then != change.now
        return comparison


class SizedScore:
    """Scores by the size."""

    name = "spam"
    facts = ()

    async def __call__(self, subject: Subject) -> Said:
        assert subject.message is not None
        score = subject.message.size % 170 / 10
        return Said({"spam.result": "scored", "spam.score": score, "spam.required": 5.0, "spam.symbols": ("SIZED",)})


@pytest.fixture(scope="module")
def run(suites: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    root = tmp_path_factory.mktemp("corpus")
    (root / "lists").mkdir()
    (root / "lists" / "freemail").write_text(FREEMAIL)
    written(root / "candidate", OTHER)
    files = sorted(path for path in (suites / "corpus").rglob("*") if path.is_file())
    journeys = asyncio.run(_walked(root, files))
    with journal_at(f"sqlite://{root}/journal.db") as journal:
        journal.write(*(journey.record for journey in journeys))
        return Run(root, journeys, list(journal.reader.since(0)))


async def _walked(root: Path, files: Sequence[Path]) -> list[Journey]:
    journeys = []
    async with walking(root, DNS, rules=SITE, candidate=root / "candidate", limits=ROOMY) as walk:
        walk.with_wave("scoring", SizedScore())
        for file in files:
            octets = to_crlf(file.read_bytes())
            await walk.connect()
            answer = await walk.send(octets)
            new = list(walk.mail.rglob("new/*"))
            journeys.append(Journey(file, octets, walk.records[-1], answer, b"".join(one.read_bytes() for one in new)))
            for one in new:
                one.unlink()
    return journeys


def fields(octets: bytes) -> list[bytes]:
    """The header's fields as they came, each with its line ends."""
    header = octets.partition(b"\r\n\r\n")[0] + b"\r\n"
    return re.findall(rb"[^\n]*\n(?:[ \t][^\n]*\n)*", header)


def values(octets: bytes, name: bytes) -> list[bytes]:
    return [raw.partition(b":")[2].strip() for raw in fields(octets) if raw.lower().startswith(name + b":")]


def matched(run: Run, rule: str) -> set[Path]:
    return {one.file for one in run.journeys if rule in one.record.rules + one.record.shadow}


def test_every_message_comes_to_a_verdict(run: Run) -> None:
    assert len(run.journeys) >= 1000
    assert {one.answer[:3] for one in run.journeys} == {"250", "550"}
    actions = Counter(one.record.action for one in run.journeys)
    assert min(actions[action] for action in ("accept", "tag", "quarantine", "reject")) >= 10, actions
    assert not [one.file for one in run.journeys if bool(one.delivered) is (one.record.action == "reject")]


def test_header_gives_the_fields_that_are_there(run: Run) -> None:
    named = {one.file for one in run.journeys if values(one.octets, b"x-mailer")}
    assert len(named) >= 300
    assert matched(run, "mailer") == named


def test_expressions_find_what_subjects_begin_with(run: Run) -> None:
    """Of those that stand there as they are, and not in encoded words."""
    plain = {one.file: b"".join(values(one.octets, b"subject")[:1]).lower() for one in run.journeys}
    plain = {file: subject for file, subject in plain.items() if b"=?" not in subject}
    answers = {file for file, subject in plain.items() if subject.startswith(b"re:")}
    assert len(answers) >= 100
    assert matched(run, "answer") & plain.keys() == answers


def test_listed_domains_are_those_of_authors_and_those_below(run: Run) -> None:
    listed = {b"yahoo.com", b"hotmail.com", b"excite.com"}
    plain = [one for one in run.journeys if one.record.author]
    found = {
        one.file
        for one in plain
        if re.search(rb"@(?:[a-z0-9-]+\.)*(" + b"|".join(listed) + rb")\Z", one.record.author.encode())
    }
    assert len(found) >= 30
    assert matched(run, "freemail") == found


def test_attachments_are_found_by_the_ends_of_their_names(run: Run) -> None:
    named = re.compile(rb'name\s*=\s*"?[^";\r\n]*\.(?:gif|jpg)"?\s*[;\r]', re.IGNORECASE)
    assert {one.file for one in run.journeys if named.search(one.octets)} >= matched(run, "pictures")
    assert len(matched(run, "pictures")) >= 5


def test_what_is_only_judged_is_delivered_as_it_came(run: Run) -> None:
    unchanged = [one for one in run.journeys if one.delivered and not {"lists", "money"} & set(one.record.rules)]
    assert len(unchanged) >= 300
    assert not [one.file for one in unchanged if not one.delivered.endswith(one.octets)]


def test_what_rules_take_out_and_put_before_the_subject_is_all_that_changes(run: Run) -> None:
    changed = [one for one in run.journeys if one.delivered and {"lists", "money"} & set(one.record.rules)]
    assert len(changed) >= 300
    assert not [
        one.file for one in changed if not unfolded(one.delivered).endswith(edited(one.octets, one.record.rules))
    ]


def unfolded(octets: bytes) -> bytes:
    """A subject that is long goes on in a line of its own."""
    return octets.replace(b"Subject: [money]\r\n ", b"Subject: [money] ", 1)


def edited(octets: bytes, rules: Sequence[str]) -> bytes:
    """What the two rules make of a message."""
    taken = (b"x-mailer:", b"precedence:") if "lists" in rules else ()
    kept = b"".join(raw for raw in fields(octets) if not raw.lower().startswith(taken))
    if "money" in rules:
        kept = re.sub(rb"(?im)^subject:", b"Subject: [money]", kept)
    return kept + octets[len(b"".join(fields(octets))) :]


def test_added_fields_say_what_the_rule_says(run: Run) -> None:
    lists = [one for one in run.journeys if one.delivered and "lists" in one.record.rules]
    assert len(lists) >= 300
    for one in lists:
        domain = str(one.record.basis.facts["author.domain"]) if one.record.basis else ""
        assert values(one.delivered, b"x-class")[0].decode().split() == ["list", *domain.split()]


def test_refusals_are_one_line_whatever_the_subject(run: Run) -> None:
    refused = [one for one in run.journeys if one.answer.startswith("550") and "loud" in one.record.rules]
    assert len(refused) >= 3
    for one in refused:
        assert re.fullmatch(r"550 5\.7\.1 [\x20-\x7e]{,300}", one.answer)
        assert "shouts: " in one.answer or one.record.total >= 15


def test_shadow_rules_and_the_candidate_are_recorded_and_never_act(run: Run) -> None:
    large = {one.file for one in run.journeys if len(one.octets) > 6000}
    assert matched(run, "large") == large
    assert {one.file for one in run.journeys if "large" in one.record.rules} == set()
    candidate = load_candidate(settings_of(run.root, candidate=run.root / "candidate"))
    assert candidate is not None
    replay = Replay(candidate)
    for one, entry in zip(run.journeys, run.entries, strict=True):
        outcome = replay.outcome(recorded(entry))
        assert (one.record.candidate_action, one.record.candidate_rules) == (
            outcome.verdict.action.value,
            outcome.verdict.enforced,
        )
    assert sum(one.record.candidate_action != one.record.action for one in run.journeys) >= 3


def test_replay_by_the_same_rules_changes_nothing(run: Run) -> None:
    for entry, outcome in run.outcomes():
        assert outcome.is_certain
        assert not outcome.undecidable
        verdict = outcome.verdict
        assert (verdict.action.value, verdict.enforced) == (entry.action, entry.rules), entry.id
        assert outcome.total is None or outcome.total == pytest.approx(entry.total)
    assert sum(outcome.total is not None for _, outcome in run.outcomes()) >= 800


def test_replay_by_other_rules_changes_what_they_say_and_nothing_else(run: Run) -> None:
    comparison = run.by_other_rules(OTHER)
    expected = Counter(
        (one.record.action, "reject")
        for one in run.journeys
        if len(one.octets) > 60000 and one.record.action != "reject"
    )
    assert sum(expected.values()) >= 3
    assert (comparison.changes, comparison.undecidable, comparison.unread) == (expected, 0, {})


def test_a_rule_on_what_was_not_recorded_is_undecidable_wherever_it_could_matter(run: Run) -> None:
    """The other half of its condition settles it for short messages; refused ones would be so in any case."""
    comparison = run.by_other_rules(UNDECIDED)
    open_ones = [one for one in run.journeys if len(one.octets) > 3000 and one.record.action != "reject"]
    assert len(open_ones) >= 200
    assert comparison.changes == {}
    assert comparison.undecidable == len(open_ones)
    assert comparison.unread["errors"].facts == {"header.errors-to"}
    assert comparison.unread["errors"].messages == comparison.verdicts


def test_every_rule_is_explained_by_parts_that_agree_with_it(run: Run) -> None:
    explained: Counter[Standing] = Counter()
    for entry, outcome in run.outcomes():
        hits = {hit.rule for hit in outcome.verdict.hits}
        for account in accounts(outcome):
            explained[account.standing] += 1
            assert account.standing is (Standing.MATCH if account.rule.id in hits else Standing.NO_MATCH), entry.id
            assert told(account.rule, account.parts) is (account.standing is Standing.MATCH), entry.id
    assert explained[Standing.MATCH] >= 1000
    assert explained[Standing.NO_MATCH] >= 20_000


def told(rule: Rule, parts: Sequence[Explained]) -> bool:
    """What the values of the parts come to, put together as the condition has them."""
    given = iter(parts)

    def value(part: Part) -> bool:
        if part in tuple(part.told()):
            explained = next(given)
            assert explained.text == part.text
            assert explained.value is not None
            return explained.value
        inner = [value(one) for one in part.parts]
        if part.operator is Operator.NOT:
            return not inner[0]
        return all(inner) if part.operator is Operator.AND else any(inner)

    return value(rule.condition.whole)


def test_messages_of_a_directory_are_judged_as_they_were(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    chosen = [one for one in run.journeys[::20] if one.record.basis]
    cases = run.root / "cases"
    cases.mkdir()
    (cases / "cases.toml").write_text("\n".join(map(case, chosen)))
    config = run.root / "mailward.toml"
    config.write_text(
        f'hostname = "mx.example.org"\ndomains = ["example.org"]\nstate_directory = "{run.root}"\n'
        f'[rules]\nsite = "{run.root}/rules.d"\nlists = "{run.root}/lists"\n'
        f'[route.default]\nhosts = ["maildir://{run.root}/mail"]\n[limits]\nheader_size = 1000000\n'
    )
    assert main(["rules", "test", "--messages", str(cases), "--config", str(config)]) == 0
    told = capsys.readouterr()
    assert told.out == f"{len(chosen)} of {len(chosen)} messages are judged as expected\n"
    assert told.err == ""


def case(one: Journey) -> str:
    assert one.record.basis is not None
    facts = one.record.basis.facts
    given = {
        name: facts[name] for name in ("spam.score", "spf.result", "dmarc.result", "dmarc.policy") if name in facts
    }
    inline = ", ".join(f"{name} = {value!r}".replace("'", '"') for name, value in given.items())
    rules = ", ".join(f'"{name}"' for name in one.record.rules)
    return (
        f'[[case]]\nfile = "{one.file}"\nip = "192.0.2.7"\nhelo = "mail.sender.example"\n'
        f'mail_from = "ann@sender.example"\nrcpt = ["alice@example.org"]\nfacts = {{ {inline} }}\n'
        f'action = "{one.record.action}"\nrules = [{rules}]\n'
    )
