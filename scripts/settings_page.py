"""Write docs/settings.md from adaptation/settings.toml; a unit test keeps the two in step."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

from harness.adaptation.setting_kinds import (
    SettingGroup,
    SettingKind,
    Treatment,
    setting_groups,
)

PAGE = Path(__file__).parents[1] / "docs/settings.md"

INTRODUCTION = """\
# What is applied as written, and what is replaced

A configuration that runs on your server names things that a test container does not have: a
Dovecot, tables, milters, the users and folders of your distribution, your addresses. Applied
without them, Postfix would die, or refuse mail, for reasons that are not TLS. So each parameter
of postconf(5) is one of three kinds:

- **under test**: it decides TLS, log-in, which services there are, or what a client sees until it
  has logged in. It is applied as you wrote it.
- **of the machine**: where things are, who owns them, how the machine logs and is limited. The
  build's own values take its place where yours could not work here.
- **of the surroundings**: other systems and tables. A stand-in that behaves like a healthy one
  takes their place.

Each setting that is replaced is listed with the answer, with its value and the reason below; none
of them decides TLS. A setting of the machine that is empty (`setgid_group =`) is applied as
written, because Postfix runs with it nowhere. `--as-is`, and `surroundings = "as-is"` in a
scenario, apply everything as written.

A name that Postfix does not know is your own: a group of restrictions, or a value that other
settings refer to. It is treated as your restrictions are: it holds as written, and tables in it
that were not given are replaced.

This page is made from [settings.toml](../harness/adaptation/settings.toml) by
`scripts/settings_page.py`. The table has every parameter that `postconf -d` of Postfix 2.2 to
3.11 prints; a test asks the builds.
"""

KIND_TITLES = {
    SettingKind.UNDER_TEST: "Under test",
    SettingKind.MACHINE: "Of the machine",
    SettingKind.SURROUNDINGS: "Of the surroundings",
}

TREATMENT_TITLES = {
    Treatment.KEEP: "Applied as written",
    Treatment.TABLES: (
        "Applied as written, but for tables, lists in files and services that were not given"
    ),
    Treatment.SASL: "Replaced by the run's Dovecot",
    Treatment.DATABASE: "Applied, with a database that the build can make",
    Treatment.DROP: "Left out: the build's own value holds, or one of the test's",
}


def settings_page() -> str:
    """The page, as it must be in docs/settings.md."""
    return INTRODUCTION + "".join(f"\n{line}\n" for line in _format_sections())


def _format_sections() -> Iterator[str]:
    for kind, kind_title in KIND_TITLES.items():
        yield f"## {kind_title}"
        for treatment, title in TREATMENT_TITLES.items():
            groups = [
                group
                for group in setting_groups()
                if (group.rule.kind, group.rule.treatment) == (kind, treatment)
            ]
            if groups:
                yield f"### {title}"
                yield from map(_format_paragraph, groups)


def _format_paragraph(group: SettingGroup) -> str:
    names = ", ".join(f"`{name}`" for name in group.names)
    lines = textwrap.wrap(names, 112, break_long_words=False, break_on_hyphens=False)
    return "\n".join((f"{group.rule.reason}<br>", *lines))


if __name__ == "__main__":
    PAGE.write_text(settings_page(), "utf-8")
    sys.exit(0)
