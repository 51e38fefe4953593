"""Which scenarios can share a container. Pure.

A build's scenarios are instances in one container, where a path has one file. A scenario that wants
another kind of file at a path than those before it goes into a further container of the build, and
one that brings files to places outside of its instance shares a container only with those that
bring the very same: an openssl.cnf is everybody's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from harness.scenarios.instance import candidate_files
from harness.scenarios.scenario import Scenario


def groups(scenarios: Iterable[Scenario]) -> tuple[tuple[str, ...], ...]:
    """The scenarios' ids, container by container; those that fit together are in the first.

    In the first lies no scenario's file that is everybody's: the build's own controls without such
    files are there. It may hold no scenario at all.
    """
    shared: list[tuple[list[str], dict[str, str]]] = []
    alone: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for scenario in scenarios:
        if scenario.system_files:
            brought = tuple(sorted(scenario.system_files.items()))
            alone.setdefault(brought, []).append(scenario.id)
            continue
        named = {path: text for path, text in scenario.files.items() if path.startswith("/")}
        wanted: dict[str, str] = {**candidate_files(scenario), **named}
        for names, files in shared:
            if _fit(files, wanted):
                names.append(scenario.id)
                files.update(wanted)
                break
        else:
            shared.append(([scenario.id], dict(wanted)))
    together = [tuple(names) for names, _ in shared] or [()]
    return (*together, *map(tuple, alone.values()))


def _fit(files: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    return all(files.get(path, kind) == kind for path, kind in wanted.items())
