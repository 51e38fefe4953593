"""A scenario's answer, for pasting into a forum: three sentences, the table, how to repeat it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from harness.counts import format_count
from harness.observations.project_url import project_url
from harness.observations.run_folder import RunData
from harness.observations.run_json import ScenarioInfo
from harness.postfix_config.logical_lines import end_line
from harness.reports.plain_text import escape_markdown, fence_code
from harness.verdicts.judging import (
    Mismatch,
    Standing,
)
from harness.verdicts.since import describe_dependence
from harness.verdicts.verdict import BuildVerdict, ScenarioVerdict, Verdict

_SENTENCES = {
    Verdict.CONFIRMED: "It does what it promises",
    Verdict.REFUTED: "It does not do what it promises",
    Verdict.NO_EFFECT: "It changes nothing",
    Verdict.HARMFUL: "It makes something worse than without it",
    Verdict.NOT_APPLICABLE: "It does not apply",
    Verdict.UNMEASURED: "It could not be measured",
}


def render_answer(data: RunData, verdict: ScenarioVerdict) -> str:
    """One scenario's answer in Markdown."""
    info = data.run.scenarios[verdict.scenario]
    parts = [
        " ".join(_answer_sentences(data, verdict)),
        fence_code(settings_text(info)),
        _verdict_table(verdict),
        f"Each cell is a real handshake with a real Postfix, with both sides' evidence kept "
        f"({_name_tool(data)}, {data.run.started[:10]}). To repeat it:",
        fence_code(_repeat_command(data, verdict.scenario)),
    ]
    return "\n\n".join(parts) + "\n"


def _name_tool(data: RunData) -> str:
    """The tool and its version, as a link where the project has an address."""
    name = f"postfix-matrix {data.run.tool.version}"
    url = project_url()
    return f"[{escape_markdown(name)}]({url})" if url else name


def _answer_sentences(data: RunData, verdict: ScenarioVerdict) -> Iterator[str]:
    measured = [build for build in verdict.builds if build.verdict is not Verdict.UNMEASURED]
    count = f"{format_count(len(measured), 'build')} of Postfix and OpenSSL"
    claim = escape_markdown(data.run.scenarios[verdict.scenario].claim)
    yield f"Claim: {claim}"
    if verdict.verdict is Verdict.DEPENDS:
        yield f"Measured on {count}, it depends: {'; '.join(describe_dependence(verdict))}."
    else:
        yield f"{_SENTENCES[verdict.verdict]}, measured on {count}."
    example = _example_sentence(measured)
    yield example if example else _coverage_sentence(measured)


def _example_sentence(builds: Sequence[BuildVerdict]) -> str:
    """The cell that shows most: what became worse, or what is not as promised."""
    for build in builds:
        for regression in build.regressions:
            change = escape_markdown(regression.what)
            return f"For example {_describe_cell(regression.cell)}: {change}."
    wrong = [
        mismatch
        for build in builds
        for judged in build.judged
        for mismatch in judged.mismatches
        if _shows_cause(mismatch)
    ]
    if wrong:
        return f"For example {_describe_cell(wrong[0].cell)}: {escape_markdown(wrong[0].what)}."
    return ""


def _shows_cause(mismatch: Mismatch) -> bool:
    return not mismatch.what.startswith("the same")


def _coverage_sentence(builds: Sequence[BuildVerdict]) -> str:
    judged = [judgement for build in builds for judgement in build.judged]
    cells = sum(len(judgement.witnesses) for judgement in judged)
    held = sum(judgement.standing is Standing.HOLDS for judgement in judged)
    confirm = "confirms" if cells == 1 else "confirm"
    return f"{format_count(cells, 'cell')} {confirm} {format_count(held, 'expectation')}."


def _describe_cell(cell: str) -> str:
    build, _, service, client, offer = cell.split("/", 4)
    return f"`{client}` offering {escape_markdown(offer)} to {service} of {escape_markdown(build)}"


def settings_text(info: ScenarioInfo) -> str:
    """The lines of main.cf and master.cf as they were advised."""
    main = end_line(info.main_cf)
    return main + (f"# master.cf\n{info.master_cf}" if info.master_cf else "")


def _verdict_table(verdict: ScenarioVerdict) -> str:
    lines = ["| build | Postfix | OpenSSL | verdict | why |", "|---|---|---|---|---|"]
    for build in verdict.builds:
        why = build.why.replace(f"{build.build}/{verdict.scenario}/", "")
        versions = (str(build.postfix or ""), str(build.openssl or ""))
        cells = (build.build, *versions, build.verdict, why)
        lines.append("| " + " | ".join(escape_markdown(cell) for cell in cells) + " |")
    return "\n".join(lines)


def _repeat_command(data: RunData, scenario: str) -> str:
    builds = ",".join(data.run.axes.builds)
    command = ["postfix-matrix", "run", "-s", scenario, "-b", builds]
    return f"{shlex.join(command)} && postfix-matrix answer {scenario}"
