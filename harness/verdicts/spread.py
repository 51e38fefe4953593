"""How a verdict is spread over builds, in a line or two. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from harness.verdicts.verdict import SILENT, ScenarioVerdict, Verdict


def describe(verdict: ScenarioVerdict) -> Iterator[str]:
    """Where the builds differ; nothing where they do not."""
    if verdict.verdict is not Verdict.DEPENDS:
        return
    for one in dict.fromkeys(b.verdict for b in verdict.builds if b.verdict not in SILENT):
        names = ", ".join(b.build for b in verdict.of(one))
        yield f"{one}: {names}"
