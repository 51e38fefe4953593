"""What ``tool`` reports as annotations: on the tool's file, since its configuration is in none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from harness.errors import FileLocation
from harness.reports.annotations import Annotation, AnnotationLevel
from harness.reports.comparison_annotations import comparison_annotations
from harness.reports.tool_report import ToolReport, group_builds, name_builds


def tool_annotations(
    report: ToolReport, answers: Iterable[Annotation] = ()
) -> Iterator[Annotation]:
    """Faults of the tool, builds without it, policies that are not met, what is not as recorded.

    ``answers`` are those of the policies (``verify_annotations``). What the tool changed for
    clients is no finding: without a snapshot or a policy nothing else was expected.
    """
    place = FileLocation(Path(report.path))
    for build in report.builds:
        for fault in build.faults:
            level = AnnotationLevel.WARNING if fault.kind.is_warning else AnnotationLevel.ERROR
            lines = (fault.text, *fault.lines, fault.next_step)
            message = "\n".join(line for line in lines if line)
            yield Annotation(level, f"tool: {fault.kind}", message, place)
    untried = [build for build in report.builds if build.trouble]
    for group in group_builds(untried, lambda build: build.trouble):
        message = f"not tried on {name_builds(group)}: {group[0].trouble}"
        yield Annotation(AnnotationLevel.WARNING, "tool: not tried", message, place)
    of_snapshot = () if report.snapshot is None else comparison_annotations(report.snapshot)
    for annotation in (*answers, *of_snapshot):
        yield replace(annotation, place=place)
