"""SpamAssassin's lint: what it says about its own rules, with the place in our files."""

import shutil
from pathlib import Path

import pytest

from gateway.policy.shipped import shipped_rules
from gateway.system.cflint import is_installed, lint

pytestmark = [pytest.mark.spamd, pytest.mark.skipif(not is_installed(), reason="spamassassin is not installed")]

SHIPPED = shipped_rules() / "spamassassin"


def test_shipped_rules_are_clean() -> None:
    assert lint([SHIPPED]) == []


def test_objections_have_their_place(tmp_path: Path) -> None:
    shutil.copytree(SHIPPED, tmp_path, dirs_exist_ok=True)
    (tmp_path / "50-site.cf").write_text("# ours\nheader OURS_X Subject =~ /(unclosed/\nscroe OURS_X 1\n")
    places = {str(problem).partition(": ")[0]: problem.message for problem in lint([tmp_path])}
    assert f"{tmp_path}/50-site.cf:2:1" in places
    assert "failed to parse line: scroe OURS_X 1" in places[f"{tmp_path}/50-site.cf:3:1"]


def test_files_of_a_site_are_read_after_the_shipped_ones_and_told_by_their_own_names(tmp_path: Path) -> None:
    (tmp_path / "00-ours.cf").write_text("score AUTHRES_DMARC_FAIL 1.8\nscroe AUTHRES_DMARC_FAIL 1\n")
    [problem] = lint([SHIPPED, tmp_path, tmp_path / "missing"])
    assert str(problem).startswith(f"{tmp_path}/00-ours.cf:2:1: ")


def test_where_there_are_no_files_there_is_nothing_wrong(tmp_path: Path) -> None:
    assert lint([tmp_path, tmp_path / "missing"]) == []
