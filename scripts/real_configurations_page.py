"""Write docs/real-configurations.md from a run of tests/data/configurations.

    python scripts/real_configurations_page.py FOLDER

FOLDER is that of a run of scenarios with ``configuration = "whole"`` and policy tls12-or-newer, as
tests/docker/test_real_configurations.py makes it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from harness.observations.run_folder import RunData, load_run
from harness.reports.plain_text import escape_markdown
from harness.reports.service_labels import service_labels
from harness.reports.stand_ins import stand_ins_of
from harness.reports.verify_findings import rejection_line, service_findings
from harness.tls import INBOUND
from harness.verdicts.policy_answers import (
    PolicyAnswer,
    ServiceAnswer,
    judge_services,
)

PAGE = Path(__file__).parents[1] / "docs/real-configurations.md"

INTRODUCTION = """\
# What real configurations do

Sixteen whole configurations that people run or ran: posted in forums between 2007 and 2020, or
shipped by projects until 2026. Each was measured like `postfix-matrix verify FOLDER --policy
tls12-or-newer`: applied as written except for settings of its machine, with
[stand-ins](settings.md) for the tables, daemons and other systems that it names, and with nothing
added that decides TLS. The texts lie in [tests/data/configurations](../tests/data/configurations),
without comments, and with example names and addresses.

`yes`: nothing older than TLSv1.2 is negotiated, and TLSv1.2 gets through: TLS, login and a
message in the queue. `no`: something older is negotiated. `none`: the service offers no TLS.
`config-rejected`: Postfix does not run with it. `–`: there is no such service. Answers stand in
brackets where only a main.cf was given, because the service is then the distribution's own.
"""

ORIGINS = {
    "dms": "docker-mailserver, 2026",
    "mailcow": "mailcow, 2026",
    "iredmail-debian12": "iRedMail, 2026",
    "yunohost": "YunoHost, 2023",
    "feministwiki": "a server's public repository, 2026",
    "ispconfig2016": "a forum, ISPConfig, 2016",
    "ispconfig2020": "a forum, ISPConfig, 2020; lines cut by an editor",
    "ispcp2011": "a forum, ispCP, 2011",
    "mailu": "Mailu, 2026",
    "centos7": "a server's notes, CentOS 7",
    "centos6": "a forum, CentOS 6, 2016",
    "cyrus2011": "a forum, Cyrus, 2011",
    "suse2008": "a forum, SUSE with LDAP, 2008",
    "evolix": "a panel's template",
    "upstream": "Postfix's own main.cf and master.cf, before its installer fills them in",
    "zimbra2007": "a forum, Zimbra, 2007; a value broken in mid-word",
}
#: Only a main.cf was given.
MAIN_ALONE = frozenset(
    {"yunohost", "centos6", "cyrus2011", "ispcp2011", "suse2008", "evolix", "zimbra2007"}
)


def page(data: RunData) -> str:
    """The page of a run."""
    parts = [INTRODUCTION]
    for build in data.run.axes.builds:
        image = data.run.images[build]
        postfix, openssl = image.postfix, image.openssl
        versions = f" (Postfix {postfix}, OpenSSL {openssl})" if postfix and openssl else ""
        parts.append(f"## {build}{versions}\n\n" + "\n".join(table(data, build)) + "\n")
    return "\n".join(parts)


def table(data: RunData, build: str) -> Iterator[str]:
    """The table of a build, one row per configuration."""
    yield "| configuration | 25 | 587 | 465 | other services | why | stand-ins |"
    yield "|---|---|---|---|---|---|---|"
    for name, origin in ORIGINS.items():
        service_answers = [
            answer for answer in judge_services(data, name) if build in answer.builds
        ]
        by_service = {answer.service: answer.builds[build].answer for answer in service_answers}
        cells = [_format_answer(name, service, by_service.get(service)) for service in INBOUND]
        labels = service_labels(data, name)
        others = ", ".join(
            f"{labels[service].name}: {answer}"
            for service, answer in by_service.items()
            if service not in INBOUND
        )
        replaced = len(
            {replacement.get("setting") for replacement in stand_ins_of(data, name).replaced}
        )
        row = (
            f"{name}: {origin}",
            *cells,
            others,
            _find_reason(data, name, build, service_answers),
            str(replaced),
        )
        yield "| " + " | ".join(escape_markdown(cell) for cell in row) + " |"


def _format_answer(name: str, service: str, answer: PolicyAnswer | None) -> str:
    if answer is None:
        return "–"
    return f"({answer})" if name in MAIN_ALONE and service != INBOUND[0] else str(answer)


def _find_reason(data: RunData, name: str, build: str, service_answers: list[ServiceAnswer]) -> str:
    """The reason of the first answer that is not yes: Postfix's line, or what was negotiated."""
    for service_answer in service_answers:
        if service_answer.builds[build].answer is PolicyAnswer.CONFIG_REJECTED:
            line = rejection_line(data, build, name, service_answer.service)
            return line[line.find("fatal:") :] if "fatal:" in line else line
        if service_answer.is_local:
            continue
        for finding in service_findings(data, service_answer):
            if build in finding.builds:
                return finding.what
    return ""


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    PAGE.write_text(page(load_run(Path(sys.argv[1]))), encoding="utf-8")
