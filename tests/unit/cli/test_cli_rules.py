"""mailward rules: what is printed where, and the exit status."""

import argparse
from pathlib import Path

import pytest

from gateway.cli import rules
from gateway.policy.origin import Origin
from gateway.system import cflint
from tests.support.rulefacts import DECLARED, written

RULE = """\
[[rule]]
id = "x"
why = "x"
when = "spam.score > 5"
then = "reject"
"""
KEPT = "example = [{ match = true, facts = { spam.score = 6 } }, { match = false, facts = { spam.score = 5 } }]\n"
BROKEN = "example = [{ match = true, facts = { spam.score = 5 } }]\n"


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    rules.add_parser(parser.add_subparsers())
    options = parser.parse_args(["rules", *arguments])
    status: int = options.run(options)
    return status


def test_check_of_right_rules_is_content(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert rules.check([Origin((written(tmp_path, RULE + KEPT),))], DECLARED) == 0
    summary, read_from = capsys.readouterr().out.splitlines()
    assert summary.endswith(": no errors, 0 warnings")
    assert read_from.startswith(f"read from {tmp_path}")


def test_check_prints_warnings_and_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert rules.check([Origin((written(tmp_path, RULE),))], DECLARED) == 0
    assert capsys.readouterr().err.startswith(f'{tmp_path}/10-test.toml:4:1: warning: rule "x" has no example')


def test_check_counts_the_warnings_and_files_of_each_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bare, right = written(tmp_path / "bare", RULE), written(tmp_path / "right", RULE + KEPT)
    written(right, "# nothing", "20-more.toml")
    missing = tmp_path / "nothing"
    assert rules.check([Origin((bare,)), Origin((right, missing))], DECLARED) == 0
    counted, read, counted_more, read_more = capsys.readouterr().out.splitlines()
    assert (counted[-10:], read) == ("1 warnings", f"read from {bare} (1 file)")
    assert (counted_more[-10:], read_more) == ("0 warnings", f"read from {right} (2 files), {missing} (not there)")


def test_check_warns_of_files_that_are_not_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(tmp_path, RULE + KEPT)
    for name in ("20.TOML", "30.toml.txt", "40.tml", ".50.toml.txt", "60.toml~", "70.toml.bak", "schema.json"):
        written(tmp_path, "no rules", name)
    assert rules.check([Origin((tmp_path,))], DECLARED) == 0
    told = capsys.readouterr().err.splitlines()
    assert [line.removeprefix(f"{tmp_path}/") for line in told] == [
        f"{name}:1:1: warning: this file is not read (its name does not end in .toml)"
        for name in ("20.TOML", "30.toml.txt", "40.tml")
    ]


def test_messages_are_judged_by_the_configuration_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("test", "--messages", str(tmp_path), str(tmp_path)) == 2
    assert "no DIR goes with --messages" in capsys.readouterr().err


@pytest.mark.parametrize("action", ["check", "test"])
def test_rules_stand_in_place_of_the_site_s_before_they_are_put_there(
    action: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What they change are shipped rules; a candidate and what the site has now are another matter."""
    changed = '[[rule]]\nid = "spam-reject"\nwhen = "total >= 12"\n' + KEPT.replace("spam.score = 6", "spam.score = 12")
    written(tmp_path / "site", "broken")
    config = tmp_path / "mailward.toml"
    config.write_text(
        'hostname = "mx.example.org"\ndomains = ["example.org"]\n[route.default]\nhosts = ["maildir:///nowhere"]\n'
        f'[rules]\nsite = "{tmp_path}/site"\ncandidate = "{tmp_path}/site"\n'
    )
    instead = str(written(tmp_path / "next", changed.replace("facts = { ", "facts = { total = 12, ", 1)))
    assert run(action, "--config", str(config), "--rules", instead) == 0
    assert run(action, "--config", str(config)) == 2
    capsys.readouterr()
    assert run(action, "--config", str(config), "--rules", str(tmp_path / "nothing")) == 2
    assert capsys.readouterr().err == f"{tmp_path}/nothing:1:1: is no directory\n"
    assert run(action, "--rules", instead, instead) == 2
    assert "no DIR goes with it" in capsys.readouterr().err


def test_check_prints_every_error_where_editors_look_for_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(tmp_path, RULE.replace("spam.score", "spam.scroe").replace("reject", "rejct"))
    assert rules.check([Origin((tmp_path,))], DECLARED) == 2
    assert capsys.readouterr().err.splitlines() == [
        f'{tmp_path}/10-test.toml:4:9: unknown fact "spam.scroe" (did you mean "spam.score"?)',
        f'{tmp_path}/10-test.toml:5:1: then is not "rejct" (did you mean "reject"?)',
    ]


def test_test_runs_the_examples(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert rules.test([Origin((written(tmp_path, RULE + KEPT),))], DECLARED) == 0
    assert capsys.readouterr().out == "2 of 2 examples pass; 0 of 1 rules have none\n"


def test_test_tells_which_example_is_not_kept_and_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert rules.test([Origin((written(tmp_path, RULE + BROKEN),))], DECLARED) == 1
    printed = capsys.readouterr()
    assert "10-test.toml:6:12: example says" in printed.err
    assert "spam.score > 5 is false with spam.score = 5" in printed.err
    assert printed.out == "0 of 1 examples pass; 0 of 1 rules have none\n"


def test_command_checks_the_shipped_rules(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check", "rules") == 0
    assert run("test", "rules") == 0
    assert "examples pass" in capsys.readouterr().out


def test_directory_that_is_none_is_a_problem(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check", str(tmp_path / "nothing")) == 2
    assert capsys.readouterr().err == f"{tmp_path}/nothing:1:1: is no directory\n"


def test_broken_configuration_is_a_problem(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mailward.toml").write_text("hostname = ")
    assert run("check", "--config", str(tmp_path / "mailward.toml")) == 2
    assert "mailward.toml:1:12: " in capsys.readouterr().err


@pytest.mark.parametrize("identity", ['id = "Not An Id"\n', ""])
def test_a_rule_without_a_right_id_has_its_other_errors_told_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], identity: str
) -> None:
    broken = f"[[rule]]\n{identity}when = 'nonsense > 1'\nthen = 'tagg'\n"
    assert rules.check([Origin((written(tmp_path, broken),))], DECLARED) == 2
    told = capsys.readouterr().err
    assert "id" in told
    assert 'unknown fact "nonsense"' in told
    assert 'then is not "tagg"' in told
    assert 'needs "why"' in told


@pytest.mark.spamd
@pytest.mark.skipif(not cflint.is_installed(), reason="spamassassin is not installed")
def test_check_has_spamassassin_look_at_its_own_rules(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    directory = written(tmp_path / "rules", RULE + KEPT)
    (directory / "spamassassin").mkdir()
    (directory / "spamassassin" / "10-ours.cf").write_text("scroe X 1\n")
    assert rules.check([Origin((directory,))], DECLARED) == 2
    assert f"{directory}/spamassassin/10-ours.cf:1:1: " in capsys.readouterr().err
