"""What a person pastes under an answer: three sentences, the table, how to do it again."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from harness.observations.run_folder import (
    RunData,
    ScenarioInfo,
)
from harness.postfix_config.logical_lines import ended
from harness.reports.plain_text import (
    fenced,
    markdown,
)
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
        " ".join(_sentences(data, verdict)),
        fenced(_settings(info)),
        _table(verdict),
        f"Each cell is a real handshake with a real Postfix, with both sides' evidence kept "
        f"(postfix-matrix {data.run.tool.version}, {data.run.started[:10]}). To do it again:",
        fenced(_again(data, verdict.scenario)),
    ]
    return "\n\n".join(parts) + "\n"


def _sentences(data: RunData, verdict: ScenarioVerdict) -> Iterator[str]:
    told = [one for one in verdict.builds if one.verdict is not Verdict.UNMEASURED]
    count = f"{len(told)} build{'' if len(told) == 1 else 's'} of Postfix and OpenSSL"
    claim = markdown(data.run.scenarios[verdict.scenario].claim)
    yield f"Claim: {claim}"
    if verdict.verdict is Verdict.DEPENDS:
        yield f"Measured on {count}, it depends: {'; '.join(describe_dependence(verdict))}."
    else:
        yield f"{_SENTENCES[verdict.verdict]}, measured on {count}."
    example = _example(told)
    yield example if example else _reach(told)


def _example(told: Sequence[BuildVerdict]) -> str:
    """One cell that says most: what is worse, or what is not as promised."""
    for one in told:
        for harm in one.regressions:
            return f"For example {_spot(harm.cell)}: {markdown(harm.what)}."
    wrong = [m for one in told for j in one.judged for m in j.mismatches if _telling(m)]
    if wrong:
        return f"For example {_spot(wrong[0].cell)}: {markdown(wrong[0].what)}."
    return ""


def _telling(mismatch: Mismatch) -> bool:
    return not mismatch.what.startswith("the same")


def _reach(told: Sequence[BuildVerdict]) -> str:
    cells = sum(len(j.witnesses) for one in told for j in one.judged)
    held = sum(j.standing is Standing.HOLDS for one in told for j in one.judged)
    return f"{cells} cells bear out {held} expectations."


def _spot(cell: str) -> str:
    build, _, service, client, offer = cell.split("/", 4)
    return f"`{client}` offering {markdown(offer)} to {service} of {markdown(build)}"


def _settings(info: ScenarioInfo) -> str:
    main = ended(info.main_cf)
    return main + (f"# master.cf\n{info.master_cf}" if info.master_cf else "")


def _table(verdict: ScenarioVerdict) -> str:
    lines = ["| build | Postfix | OpenSSL | verdict | why |", "|---|---|---|---|---|"]
    for one in verdict.builds:
        why = one.why.replace(f"{one.build}/{verdict.scenario}/", "")
        cells = (one.build, str(one.postfix or ""), str(one.openssl or ""), one.verdict, why)
        lines.append("| " + " | ".join(markdown(cell) for cell in cells) + " |")
    return "\n".join(lines)


def _again(data: RunData, scenario: str) -> str:
    builds = ",".join(data.run.axes.builds)
    words = ["postfix-matrix", "run", "-s", scenario, "-b", builds]
    return f"{shlex.join(words)} && postfix-matrix answer {scenario}"
