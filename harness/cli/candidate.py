"""Reads the candidate that a command line names: a scenario, files, a container, standard input."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from harness.cli.candidate_options import CandidateOptions
from harness.cli.printing import print_text
from harness.config_input.forms import Footing
from harness.config_input.text import STDIN
from harness.errors import UsageError
from harness.scenarios.candidate import make_candidate
from harness.scenarios.claims import Claims
from harness.scenarios.configuration_source import (
    ConfigurationSource,
    read_source,
)
from harness.scenarios.redaction import redact_scenario
from harness.scenarios.scenario import Scenario, load_scenario
from harness.scenarios.scenario_folders import TOML
from harness.tls import Service


def named_candidate(
    names: tuple[str, ...],
    scenarios: Mapping[str, Scenario],
    service: str | None,
    claims: Claims | None = None,
    options: CandidateOptions | None = None,
) -> Scenario:
    """A scenario by its id or its folder, or a candidate made of the named files.

    Raises:
        UsageError: neither a file nor a scenario, a file that cannot be read, or a container that
            does not run.
    """
    options = options or CandidateOptions()
    if options.container is not None and names:
        raise UsageError(
            f"--container {options.container} and {names[0]} both name a configuration",
            next_step="leave one out",
        )
    candidate = _find_scenario(names, scenarios)
    if candidate is None:
        candidate = _make_candidate(names, service, claims, options)
    elif options.footing is not None:
        candidate = replace(candidate, whole=options.footing is Footing.WHOLE)
    candidate = replace(candidate, as_is=candidate.as_is or options.as_is)
    return redact_scenario(candidate) if options.redacted else candidate


def config_candidate(
    names: tuple[str, ...], service: str | None, options: CandidateOptions | None = None
) -> Scenario:
    """A candidate made of files and folders, or of a container.

    Raises:
        UsageError: as :func:`named_candidate`.
    """
    return named_candidate(names, {}, service, options=options)


def print_reading_notes(scenario: Scenario) -> None:
    """Print on standard error how the text was read and what was changed in it."""
    for note in scenario.reading:
        print_text(f"Read: {note}", err=True)


def _find_scenario(names: tuple[str, ...], scenarios: Mapping[str, Scenario]) -> Scenario | None:
    """The scenario that is named by its id, or by its folder with a scenario.toml in it."""
    if len(names) != 1:
        return None
    path = Path(names[0])
    if names[0] != str(STDIN) and not path.is_file() and names[0] in scenarios:
        return scenarios[names[0]]
    return load_scenario(path) if path.is_dir() and (path / TOML).is_file() else None


def _make_candidate(
    names: tuple[str, ...], service: str | None, claims: Claims | None, options: CandidateOptions
) -> Scenario:
    return make_candidate(
        _read_named(names, options),
        Service(service) if service else None,
        claims,
        footing=options.footing,
        source=f"the container {options.container}" if options.container else "",
    )


def _read_named(names: tuple[str, ...], options: CandidateOptions) -> ConfigurationSource:
    if options.container is None:
        return read_source(names or (str(STDIN),), on_terminal=_print_prompt)
    # Docker's client takes half a second to load.
    from harness.cli.container_source import read_container

    return read_container(options.container)


def _print_prompt() -> None:
    print_text("reading lines of main.cf or master.cf; end with Ctrl-D", err=True)
