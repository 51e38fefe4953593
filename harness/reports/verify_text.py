"""The answer of ``verify``: a sentence a service, the table, what to change."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.observations.rundir import RunData
from harness.reports.explain_text import levels_of
from harness.reports.plain import plain
from harness.verdicts.claims import Standing
from harness.verdicts.policy import ServiceAnswer

_WORDS = {Standing.HOLDS: "yes", Standing.FAILS: "no", Standing.UNMEASURED: "not measured"}
#: Findings that are named for one service; the rest is counted.
MOST = 3


def sentences(data: RunData, scenario: str, found: Sequence[ServiceAnswer]) -> Iterator[str]:
    """A service's answer each, with what is wrong and where."""
    levels = levels_of(data, scenario)
    for answer in found:
        level = f" ({levels[answer.service]})" if answer.service in levels else ""
        yield plain(f"{answer.service}{level}: {_sentence(answer)}")
        shown: dict[str, str] = {}
        for judged, mismatch in answer.mismatches:
            build, _, spot = mismatch.cell.partition("/")
            _, _, client, offer = spot.split("/", 3)
            text = f"{client} offers {offer}: {mismatch.what} (asked: {judged.expectation.text})"
            shown.setdefault(text, build)
        for text in list(shown)[:MOST]:
            yield plain(f"  {text}")
        if len(shown) > MOST:
            yield f"  and {len(shown) - MOST} more"
        for build, judged_all in answer.builds.items():
            gap = next((one.why for one in judged_all if one.why), "")
            if gap and answer.of(build) is Standing.UNMEASURED:
                yield plain(f"  {build} not measured: {gap}")


def _sentence(answer: ServiceAnswer) -> str:
    failing = [build for build in answer.builds if answer.of(build) is Standing.FAILS]
    count = len(answer.builds)
    match answer.standing:
        case Standing.HOLDS:
            return f"yes, on {_all(count)}"
        case Standing.FAILS:
            where = _all(count) if len(failing) == count else ", ".join(failing)
            return f"no, on {where}"
    return "not measured on every build"


def _all(count: int) -> str:
    return "the one build" if count == 1 else f"all {count} builds"


def table(found: Sequence[ServiceAnswer]) -> list[str]:
    """Builds × services, in columns."""
    builds = list(found[0].builds) if found else []
    width = max((len(build) for build in builds), default=0)
    services = [answer.service for answer in found]
    lines = [" ".join(["".ljust(width), *(one.ljust(13) for one in services)]).rstrip()]
    for build in builds:
        cells = [_WORDS[answer.of(build)].ljust(13) for answer in found]
        lines.append(" ".join([build.ljust(width), *cells]).rstrip())
    return lines


def remedy(
    lines: Sequence[str], before: Sequence[ServiceAnswer], after: Sequence[ServiceAnswer]
) -> Iterator[str]:
    """What to change, and what came of it when it was tried."""
    if not lines:
        yield "what to change: no remedy is known; see 'postfix-matrix explain'"
        return
    yield "what to change, in main.cf:"
    yield from (f"    {line}" for line in lines)
    now = {answer.service: answer for answer in after}
    for answer in before:
        if answer.standing is Standing.FAILS and answer.service in now:
            tried = now[answer.service]
            met = {
                Standing.HOLDS: f"met, on {_all(len(tried.builds))}",
                Standing.FAILS: "still not met; look for a -o option of the service in master.cf",
                Standing.UNMEASURED: "not measured on every build",
            }[tried.standing]
            yield f"  tried: {answer.service} is then {met}"
