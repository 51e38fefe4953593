"""The recorders: run for real by sh, they answer like a running system and write down calls."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from harness.tools.recorders import FOLDER, RECORDED, SCRIPT, ServiceCall, parse_calls


class Recorders:
    """The recorders in a folder of this machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in RECORDED:
            script = folder / name
            script.write_text(SCRIPT.replace(FOLDER, str(folder / "log")))
            script.chmod(0o755)
        (folder / "log").mkdir()

    def call(self, *command: str) -> tuple[int, str]:
        """The exit status and output of a call."""
        name, *arguments = command
        done = subprocess.run(
            [str(self.folder / name), *arguments], capture_output=True, text=True, check=False
        )
        assert done.stderr == ""
        return done.returncode, done.stdout

    @property
    def calls(self) -> tuple[ServiceCall, ...]:
        """What was recorded."""
        return parse_calls((self.folder / "log" / "services").read_text())


@pytest.fixture
def recorders(tmp_path: Path) -> Recorders:
    """Fresh recorders."""
    return Recorders(tmp_path)


def test_a_service_runs_until_it_is_stopped(recorders: Recorders) -> None:
    """Protects tools that ask before and after: the state follows what they did."""
    assert recorders.call("systemctl", "is-active", "postfix") == (0, "active\n")
    assert recorders.call("systemctl", "stop", "postfix.service") == (0, "")
    assert recorders.call("systemctl", "is-active", "postfix") == (3, "inactive\n")
    assert recorders.call("service", "postfix", "start") == (0, "")
    assert recorders.call("service", "postfix", "status") == (0, "postfix is running\n")


def test_show_has_what_ansible_reads(recorders: Recorders) -> None:
    """Protects ansible.builtin.systemd, which parses LoadState and ActiveState."""
    status, out = recorders.call("systemctl", "show", "postfix")
    assert status == 0
    assert {"LoadState=loaded", "ActiveState=active"} <= set(out.splitlines())
    assert recorders.call("systemctl", "--version")[1].startswith("systemd 252")


def test_disabled_and_enabled(recorders: Recorders) -> None:
    """Protects tools that enable a service only where it is not."""
    assert recorders.call("systemctl", "is-enabled", "postfix") == (0, "enabled\n")
    recorders.call("systemctl", "disable", "--now", "postfix")
    assert recorders.call("systemctl", "is-enabled", "postfix") == (1, "disabled\n")


def test_calls_are_recorded_with_action_and_unit(recorders: Recorders) -> None:
    """Protects the report: what was restarted, however it was said, and no mere question."""
    recorders.call("systemctl", "--quiet", "reload", "postfix.service")
    recorders.call("service", "postfix", "restart")
    recorders.call("invoke-rc.d", "postfix", "reload")
    recorders.call("rc-service", "postfix", "status")
    recorders.call("systemctl", "daemon-reload")
    assert [(call.action, call.unit, call.is_question) for call in recorders.calls] == [
        ("reload", "postfix", False),
        ("restart", "postfix", False),
        ("reload", "postfix", False),
        ("status", "postfix", True),
        ("daemon-reload", "", False),
    ]
