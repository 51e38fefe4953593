"""Starting an instance, by what a release's master can do."""

from __future__ import annotations

import pytest

from harness.targets.starting import start_script


@pytest.mark.parametrize(
    ("version", "waits"), [("2.3.17", False), ("2.9.15", False), ("2.10.0", True), ("3.11.7", True)]
)
def test_only_a_master_that_can_wait_is_asked_to(version: str, waits: bool) -> None:
    """Before 2.10 'master -w' is a usage error: each configuration would count as not starting."""
    script = start_script("/usr/libexec/postfix/master", "/srv/x/etc", version)
    assert (" -w " in script) is waits
    assert ("master -c /srv/x/etc &" in script) is not waits
