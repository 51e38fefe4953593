"""The fixture ``postfix_tool``: servers with what a hardening tool left on the test's build."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from harness.pytest_plugin.configurations import find_path
from harness.pytest_plugin.engine_requests import TryTool
from harness.pytest_plugin.fixture_postfix import ServersOfTest
from harness.pytest_plugin.servers import TestedServer
from harness.scenarios.candidate import make_test_id
from harness.tools.judging import judge_tool
from harness.tools.result import ToolFault
from harness.tools.tool_file import ToolBase, load_tool
from harness.tools.trial import ToolTrial


class ToolStarter(ServersOfTest):
    """Runs tools, and starts what they leave; the value of the fixture ``postfix_tool``."""

    def __call__(
        self,
        tool: str | Path,
        *,
        vars: Mapping[str, object] | None = None,
        base: str | Path | None = None,
    ) -> TestedServer:
        """Run a tool, twice, and start a Postfix with what it left.

        Args:
            tool: a description (TOOL.toml) or a script, from the test's folder.
            vars: variables of the tool: ``{NAME}`` in its command, and in its environment.
            base: what it starts from: stock, empty, debconf or a folder.

        Raises:
            AssertionError: the tool fails, is not idempotent, or leaves no configuration.
            UsageError: its description has an error.
            InfrastructureError: the build is unavailable.
        """
        loaded = load_tool(find_path(tool, self._folders)).with_variables(vars or {})
        if base is not None:
            named = str(base) in list(ToolBase)
            loaded = loaded.with_base(
                ToolBase(str(base)) if named else find_path(base, self._folders)
            )
        trial: ToolTrial = self._connection.ask(TryTool(self.build, loaded))
        if trial.result.skip:
            pytest.skip(f"{loaded.title} on {self.build}: {trial.result.skip}")
        if grave := [f for f in judge_tool(trial.result) if not f.kind.is_warning]:
            raise AssertionError("\n".join(map(_format_fault, grave)))
        assert trial.after is not None
        # What was left elsewhere belongs to the image, which the digest does not know.
        digest = hashlib.sha256(f"{trial.after.digest} {trial.after.image}".encode()).hexdigest()
        scenario = replace(trial.after, id=make_test_id(loaded.path.stem, digest))
        server = self._hold_server(scenario, trial.result)
        self._test.add_report_section("call", "postfix_tool", _describe_changes(trial))
        return server


def _format_fault(fault: ToolFault) -> str:
    return "\n".join([fault.text, *(f"    {line}" for line in fault.lines), fault.next_step])


def _describe_changes(trial: ToolTrial) -> str:
    """What the tool changed, for the test's report."""
    lines = [f"starts from {trial.result.base}"]
    for change in trial.result.changes:
        lines += [f"{change.kind} {change.path}", *change.diff]
    return "\n".join(lines)
