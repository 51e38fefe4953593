"""What ``tool`` reports, for other programs: docs/schemas/tool.schema.json."""

from __future__ import annotations

from typing import Any

from harness.reports.comparison_json import comparison_data
from harness.reports.tool_report import BuildReport, ToolReport
from harness.snapshots.recorded_candidate import SettingChange
from harness.tools.file_changes import FileChange
from harness.tools.result import Complaint, ToolExecution, ToolFault

#: Version of the form; raised when a field changes its meaning.
SCHEMA = 1


def tool_data(report: ToolReport, policies: dict[str, Any] | None = None) -> dict[str, Any]:
    """The whole report; ``policies`` is what ``verify --format json`` prints."""
    return {
        "schema": SCHEMA,
        "title": report.title,
        "path": report.path,
        "builds": {build.result.build: _build_data(build) for build in report.builds},
        "clients": None if report.clients is None else comparison_data(report.clients),
        "policies": policies,
        "snapshot": None if report.snapshot is None else comparison_data(report.snapshot),
    }


def _build_data(build: BuildReport) -> dict[str, Any]:
    result = build.result
    return {
        "skip": result.skip or None,
        "trouble": build.trouble or None,
        "base": result.base,
        "network": result.network,
        "config_directory": result.config_directory,
        "runs": [_execution_data(run) for run in result.runs],
        "changes": [_change_data(change) for change in result.changes],
        "second_changes": [_change_data(change) for change in result.second_changes],
        "passed_over": result.passing,
        "complaints": [_complaint_data(complaint) for complaint in result.new_complaints],
        "log": list(build.log),
        "no_effect": [_setting_data(change) for change in build.idle],
        "faults": [_fault_data(fault) for fault in build.faults],
    }


def _execution_data(run: ToolExecution) -> dict[str, Any]:
    return {
        "status": run.status,
        "seconds": round(run.seconds, 3),
        "output": run.output,
        "service_calls": [
            {"command": call.command, "action": call.action, "unit": call.unit}
            for call in run.calls
        ],
    }


def _change_data(change: FileChange) -> dict[str, Any]:
    return {
        "path": change.path,
        "kind": str(change.kind),
        "modes": change.modes or None,
        "note": change.note or None,
        "diff": list(change.diff),
    }


def _complaint_data(complaint: Complaint) -> dict[str, Any]:
    return {"text": complaint.text, "file": complaint.file or None, "line": complaint.line}


def _setting_data(change: SettingChange) -> dict[str, Any]:
    return {
        "setting": change.text,
        "before": change.before,
        "now": change.now,
        "file": change.file,
        "line": change.line,
    }


def _fault_data(fault: ToolFault) -> dict[str, Any]:
    return {
        "kind": str(fault.kind),
        "warning": fault.kind.is_warning,
        "text": fault.text,
        "lines": list(fault.lines),
        "next_step": fault.next_step or None,
    }
