"""A private spamd: its configuration and its command. SpamAssassin's own linter judges what we ship."""

import re
import subprocess
from pathlib import Path

import pytest

from gateway.system import private_spamd, spamd_site
from gateway.system.private_spamd import NoSpamd, PrivateSpamd
from gateway.system.spamd_site import NotOurs, write_site
from tests.support.spamd import SHIPPED, TRUST, is_installed

ROOT = Path(__file__).parents[3]
needs_spamd = pytest.mark.skipif(not is_installed(), reason="spamd is not installed")


@pytest.fixture
def private(tmp_path):
    spamd = PrivateSpamd(directory=tmp_path / "spamd", listen="127.0.0.1:1783", children=3)
    spamd.prepare(rules=[SHIPPED], trust=TRUST)
    return spamd


def lint(site: Path, *options: str) -> str:
    """What SpamAssassin has to say against a configuration; it says nothing of a good one."""
    command = ["spamassassin", f"--siteconfigpath={site}", "--lint", "--nocreate-prefs", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr + (f"exit status {done.returncode}" if done.returncode else "")


@needs_spamd
@pytest.mark.spamd
@pytest.mark.parametrize("options", [(), ("--local",)])
def test_what_is_written_has_no_fault_in_spamassassins_eyes(private, options):
    assert lint(private.directory / "site", *options) == ""


@needs_spamd
@pytest.mark.spamd
def test_shipped_files_suit_a_spamd_that_loads_every_plugin(private, monkeypatch):
    monkeypatch.setattr(spamd_site, "_plugins_of_ours_re", re.compile(r"(?!)"))
    private.prepare(rules=[SHIPPED], trust=TRUST)
    assert lint(private.directory / "site") == ""


def test_a_directory_among_the_files_is_passed_over(tmp_path):
    (tmp_path / "rules/old").mkdir(parents=True)
    (tmp_path / "rules/50-site.cf").touch()
    spamd = PrivateSpamd(directory=tmp_path / "spamd", listen="127.0.0.1:1783")
    spamd.prepare(rules=[tmp_path / "rules"], trust="")
    assert (spamd.site / "50-site.cf").is_file()
    assert not (spamd.site / "old").exists()


def test_files_of_a_site_are_read_after_all_shipped_ones(tmp_path):
    for name in ("shipped/10-authres.cf", "shipped/mailward.pre", "own/10-authres.cf", "own/00-x.pre", "own/X.pm"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"# {name}\n")
    (tmp_path / "own/10-authres.cf").chmod(0o600)
    spamd = PrivateSpamd(directory=tmp_path / "spamd", listen="127.0.0.1:1783")
    spamd.prepare(rules=[tmp_path / "shipped", tmp_path / "missing", tmp_path / "own"], trust="")
    assert (spamd.site / "10-authres.cf").read_text() == "# shipped/10-authres.cf\n"
    assert (spamd.site / "50-10-authres.cf").read_text() == "# own/10-authres.cf\n"
    assert {file.name for file in spamd.site.iterdir()} >= {"50-00-x.pre", "X.pm", "mailward.pre"}
    assert (spamd.site / "50-10-authres.cf").stat().st_mode & 0o777 == 0o644


def test_a_directory_of_somebody_else_is_not_emptied(tmp_path):
    (tmp_path / "local.cf").touch()
    with pytest.raises(NotOurs, match="name another directory"):
        write_site(tmp_path, rules=[], further={})
    assert (tmp_path / "local.cf").exists()


def test_plugins_whose_work_the_gateway_does_are_not_loaded(tmp_path, monkeypatch):
    plugins = tmp_path / "v312.pre"
    plugins.write_text("loadplugin Mail::SpamAssassin::Plugin::DKIM\nloadplugin Mail::SpamAssassin::Plugin::SPF\n")
    monkeypatch.setattr(spamd_site, "SYSTEM_CONFIGURATIONS", (tmp_path / "none", tmp_path))
    spamd = PrivateSpamd(directory=tmp_path / "spamd", listen="127.0.0.1:1783")
    spamd.prepare(rules=[SHIPPED], trust=TRUST)
    assert (tmp_path / "spamd" / "site" / "v312.pre").read_text() == (
        "# loadplugin Mail::SpamAssassin::Plugin::DKIM\nloadplugin Mail::SpamAssassin::Plugin::SPF\n"
    )


def test_preparing_again_leaves_nothing_of_the_last_time(private):
    stale = private.directory / "site" / "stale.cf"
    stale.write_text("score GTUBE 0\n")
    private.prepare(rules=[SHIPPED], trust=TRUST)
    assert not stale.exists()


@needs_spamd
def test_command_names_the_place_the_children_and_further_options(private):
    command = private.command("--local")
    assert command[0].endswith("/spamd")
    assert "--listen=127.0.0.1:1783" in command
    assert {"--max-children=3", "--min-children=3", "--max-spare=3"} <= set(command)
    assert command[-1] == "--local"


def test_without_spamd_it_says_how_to_get_it(private, monkeypatch):
    monkeypatch.setattr(private_spamd.shutil, "which", lambda name, path: None)
    with pytest.raises(NoSpamd, match="apt-get install spamd"):
        private.command()
