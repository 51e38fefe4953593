"""The folder of a site: what is refused, and that no reader sees half of one."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import InfrastructureError, UsageError
from harness.site.site_folder import MARKER, SITE_VERSION, check_site_folder, replace_site


def _write_site(into: Path, text: str) -> None:
    with replace_site(into) as site:
        (site / "index.html").write_text(text, encoding="utf-8")


def _leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(".site")]


def test_a_new_site_takes_the_old_ones_place(tmp_path: Path) -> None:
    """The second publication replaces the first, and nothing stays beside it."""
    _write_site(tmp_path / "site", "old")
    _write_site(tmp_path / "site", "new")
    assert (tmp_path / "site/index.html").read_text(encoding="utf-8") == "new"
    assert _leftovers(tmp_path) == []


def test_an_error_leaves_the_old_site_whole(tmp_path: Path) -> None:
    """What was written until the error is removed."""
    _write_site(tmp_path / "site", "old")

    def fail() -> None:
        with replace_site(tmp_path / "site") as site:
            (site / "index.html").write_text("half", encoding="utf-8")
            raise UsageError("stopped")

    with pytest.raises(UsageError, match="stopped"):
        fail()
    assert (tmp_path / "site/index.html").read_text(encoding="utf-8") == "old"
    assert _leftovers(tmp_path) == []


def test_a_killed_publication_leaves_the_old_site_whole(tmp_path: Path) -> None:
    """After SIGKILL the old site is there; the next publication removes what was left."""
    site = tmp_path / "site"
    _write_site(site, "old")
    program = (
        "import os, signal, sys; from pathlib import Path\n"
        "from harness.site.site_folder import replace_site\n"
        "with replace_site(Path(sys.argv[1])) as new:\n"
        "    (new / 'index.html').write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(site)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert (site / "index.html").read_text(encoding="utf-8") == "old"
    _write_site(site, "new")
    assert (site / "index.html").read_text(encoding="utf-8") == "new"
    assert _leftovers(tmp_path) == []


def test_the_old_site_comes_back_after_a_kill_between_the_renames(tmp_path: Path) -> None:
    """Where folders cannot change places in one step, the next publication restores the site."""
    site = tmp_path / "site"
    _write_site(site, "old")
    (site / "CNAME").write_text("example.org", encoding="utf-8")
    site.rename(tmp_path / ".site.old-123")
    _write_site(site, "new")
    assert (site / "index.html").read_text(encoding="utf-8") == "new"
    assert (site / "CNAME").read_text(encoding="utf-8") == "example.org"
    assert _leftovers(tmp_path) == []


def test_what_is_not_the_sites_own_stays(tmp_path: Path) -> None:
    """A checkout's .git and a host's CNAME survive every publication; own old files go."""
    site = tmp_path / "site"
    (site / ".git").mkdir(parents=True)
    _write_site(site, "old")
    (site / "CNAME").write_text("example.org", encoding="utf-8")
    with replace_site(site) as new:
        (new / "other.html").write_text("new", encoding="utf-8")
    assert sorted(path.name for path in site.iterdir()) == [".git", "CNAME", "other.html", MARKER]


def test_a_folder_that_is_no_site_is_refused(tmp_path: Path) -> None:
    """Nothing of it is touched; an empty folder is fine."""
    (tmp_path / "home").mkdir()
    assert not check_site_folder(tmp_path / "home")
    (tmp_path / "home/thesis.txt").write_text("years of work", encoding="utf-8")
    with pytest.raises(UsageError, match=r"is not a site and not empty: it has thesis.txt"):
        _write_site(tmp_path / "home", "x")
    assert (tmp_path / "home/thesis.txt").read_text(encoding="utf-8") == "years of work"


@pytest.mark.parametrize(
    ("version", "text"), [(SITE_VERSION + 1, "newer postfix-matrix"), (0, "older postfix-matrix")]
)
def test_a_site_of_another_version_is_refused(tmp_path: Path, version: int, text: str) -> None:
    """With a sentence that says what to do."""
    site = tmp_path / "site"
    _write_site(site, "old")
    marker = json.loads((site / MARKER).read_text(encoding="utf-8"))
    (site / MARKER).write_text(json.dumps({**marker, "version": version}), encoding="utf-8")
    with pytest.raises(UsageError) as error:
        _write_site(site, "new")
    assert text in str(error.value)
    assert "next step" in str(error.value)
    assert (site / "index.html").read_text(encoding="utf-8") == "old"


def test_two_publications_at_once_are_refused(tmp_path: Path) -> None:
    """The second one says so; the first goes on."""
    site = tmp_path / "site"
    with replace_site(site) as new:
        (new / "index.html").write_text("first", encoding="utf-8")
        with pytest.raises(InfrastructureError, match="another process publishes"):
            _write_site(site, "second")
    assert (site / "index.html").read_text(encoding="utf-8") == "first"


def test_a_refused_publication_does_not_open_the_way_for_a_third(tmp_path: Path) -> None:
    """The lock stays that of the first, however often others are refused."""
    site = tmp_path / "site"
    with replace_site(site) as new:
        (new / "index.html").write_text("first", encoding="utf-8")
        for text in ("second", "third"):
            with pytest.raises(InfrastructureError, match="another process publishes"):
                _write_site(site, text)
    assert (site / "index.html").read_text(encoding="utf-8") == "first"
    assert _leftovers(tmp_path) == []


def test_a_kill_just_after_the_switch_loses_nothing(tmp_path: Path) -> None:
    """.git and CNAME are still in the old folder then; the next publication brings them along."""
    site = tmp_path / "site"
    (site / ".git").mkdir(parents=True)
    _write_site(site, "old")
    (site / "CNAME").write_text("example.org", encoding="utf-8")
    program = (
        "import os, signal, sys; from pathlib import Path\n"
        "from harness.site import site_folder\n"
        "exchange = site_folder._exchange_folders\n"
        "def exchange_and_end(first, second):\n"
        "    exchange(first, second)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "site_folder._exchange_folders = exchange_and_end\n"
        "with site_folder.replace_site(Path(sys.argv[1])) as new:\n"
        "    (new / 'index.html').write_text('new')\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(site)], check=False)
    assert done.returncode == -signal.SIGKILL
    _write_site(site, "newest")
    assert sorted(path.name for path in site.iterdir()) == [".git", "CNAME", "index.html", MARKER]
    assert _leftovers(tmp_path) == []


def test_a_symbolic_link_to_a_site_stays_one(tmp_path: Path) -> None:
    """What it names is replaced, with all that is not the site's own."""
    real = tmp_path / "disk/site"
    (real / ".git").mkdir(parents=True)
    (tmp_path / "site").symlink_to(real)
    for text in ("old", "new"):
        _write_site(tmp_path / "site", text)
    assert (tmp_path / "site").is_symlink()
    assert (real / "index.html").read_text(encoding="utf-8") == "new"
    assert (real / ".git").is_dir()
