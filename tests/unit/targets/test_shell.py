"""When a shell in a container is replaced by another one."""

from __future__ import annotations

import pytest

from harness.targets import shell as shell_module
from harness.targets.machine_pace import MachinePace
from harness.targets.shell import LastingShell, ShellLostError, ShellOutput


class LostShell:
    """Stands for a shell that ends with its first script; the next one runs it."""

    opened = 0

    def __init__(self, *_: object, is_next: bool = False) -> None:
        LostShell.opened += 1
        self._runs = is_next

    def run(self, script: str, **_: object) -> ShellOutput:
        """Give the script as its output, or end."""
        if not self._runs:
            raise ShellLostError("c", "it ended")
        return ShellOutput(0, script)

    def replace(self) -> LostShell:
        """The next one."""
        return LostShell(is_next=True)

    def close(self) -> None:
        """End it."""


@pytest.fixture
def lasting(monkeypatch: pytest.MonkeyPatch) -> LastingShell:
    """A shell that is lost when it is used."""
    monkeypatch.setattr(shell_module, "Shell", LostShell)
    monkeypatch.setattr(LostShell, "opened", 0)
    return LastingShell(object(), MachinePace())


def test_a_lost_shell_is_replaced_and_its_script_runs_again(lasting: LastingShell) -> None:
    """Protects a build's cells: a shell that is killed costs none."""
    assert lasting.run("echo").output == "echo"
    assert LostShell.opened == 2


def test_a_closed_shell_is_not_replaced(lasting: LastingShell) -> None:
    """Protects the end of a run: what still runs then is not begun again in a new shell."""
    lasting.close()
    with pytest.raises(ShellLostError):
        lasting.run("postfix check")
    assert LostShell.opened == 1
