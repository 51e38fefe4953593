"""What a shell offers when the user presses Tab: names of builds, scenarios, clients and so on.

The functions read the catalog's tables and the names of folders, and nothing else: never Docker, no
network, no scenario's content. An error in a user's folder offers nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

_Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]
#: A scenario's folder has this file.
_TOML = "scenario.toml"


def complete_from(list_names: Callable[[click.Context], Iterable[str]]) -> _Complete:
    """Completes one name, or the last of several with commas between, and with ``!`` before it."""

    def complete(
        context: click.Context, _parameter: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        before, comma, last = incomplete.rpartition(",")
        mark = "!" if last.startswith("!") else ""
        start = last.removeprefix("!")
        lead = f"{before}{comma}{mark}"
        names = dict.fromkeys(list_names(context))
        return [CompletionItem(f"{lead}{name}") for name in names if name.startswith(start)]

    return complete


def complete_candidate(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Completes a scenario's name, and leaves files and folders to the shell."""
    return [
        *complete_from(_list_scenarios)(context, parameter, incomplete),
        CompletionItem(incomplete, type="file"),
    ]


def _list_builds(_: click.Context) -> Iterable[str]:
    from harness.catalog.builds import known_builds

    return (build.id for build in known_builds())


def _list_clients(_: click.Context) -> Iterable[str]:
    from harness.catalog.clients import all_clients

    return (client.name for client in all_clients())


def _list_images(context: click.Context) -> Iterable[str]:
    from harness.catalog.clients import all_controls

    yield from _list_builds(context)
    yield from (f"client-{name}" for name in _list_clients(context))
    yield from (control.name for control in all_controls())
    yield from ("sasl", "dns", "haproxy")


def _list_scenarios(context: click.Context) -> Iterable[str]:
    """The names of scenarios, by which they are selected: those of collections with its name."""
    root = _scenarios_folder(context)
    if root is None:
        return
    try:
        single, collected = [], []
        for folder in sorted(path for path in root.iterdir() if _may_be_scenario(path)):
            if (folder / _TOML).is_file():
                single.append(folder.name)
            else:
                inner = (path.parent for path in sorted(folder.glob(f"*/{_TOML}")))
                collected += [f"{folder.name}/{path.name}" for path in inner]
    except OSError:
        return
    yield from (*single, *collected)


def _may_be_scenario(path: Path) -> bool:
    return not path.name.startswith(".") and path.is_dir()


def _scenarios_folder(context: click.Context) -> Path | None:
    """The folder that --scenarios-dir names, else the tool's own; None: there is none."""
    from harness.errors import HarnessError
    from harness.paths import scenarios_dir

    named: Any = context.params.get("scenarios_dir")
    try:
        return Path(named) if named else scenarios_dir()
    except HarnessError:
        return None


def _list_policies(context: click.Context) -> Iterable[str]:
    from harness.errors import HarnessError
    from harness.scenarios.policies import load_policies

    try:
        return list(load_policies(_scenarios_folder(context)))
    except (HarnessError, OSError):
        return []


def _list_services(_: click.Context) -> Iterable[str]:
    from harness.tls import NAMED_SERVICES

    return map(str, NAMED_SERVICES)


def _list_offers(_: click.Context) -> Iterable[str]:
    from harness.tls import PLAINTEXT, STANDARD_OFFERS

    return [*map(str, STANDARD_OFFERS), PLAINTEXT]


complete_builds = complete_from(_list_builds)
complete_clients = complete_from(_list_clients)
complete_images = complete_from(_list_images)
complete_scenarios = complete_from(_list_scenarios)
complete_policies = complete_from(_list_policies)
#: By the options that select along the axes of a run.
COMPLETE_AXIS: dict[str, _Complete] = {
    "--builds": complete_builds,
    "--scenarios": complete_scenarios,
    "--services": complete_from(_list_services),
    "--clients": complete_clients,
    "--offers": complete_from(_list_offers),
}
