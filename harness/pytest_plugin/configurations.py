"""What a test gives to the fixture ``postfix``, read as a candidate."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.config_input.forms import ENOUGH_SETTINGS, WHOLE_SETTINGS, Footing
from harness.config_input.text import MAIN_CF, MASTER_CF
from harness.errors import UsageError
from harness.paths import scenarios_dir
from harness.postfix_config.main_cf import parse_main_cf
from harness.scenarios.candidate import format_setting, make_candidate, make_test_id
from harness.scenarios.configuration_source import ConfigurationSource, read_source
from harness.scenarios.scenario import Scenario, load_scenario
from harness.scenarios.scenario_folders import TOML

#: A file's path, or a text with a "=" or a line's end in it; settings by name; a Path.
GivenText = str | Path | Mapping[str, str]


@dataclass(frozen=True, slots=True)
class GivenConfiguration:
    """The arguments of the fixture; None where one was not given."""

    main_cf: GivenText | None = None
    master_cf: str | Path | None = None
    config_dir: str | Path | None = None
    scenario: str | Path | None = None
    whole: bool | None = None
    as_is: bool = False


def read_given(given: GivenConfiguration, folders: Sequence[Path], test: str) -> Scenario:
    """The candidate that a test gives.

    Args:
        given: the arguments of the fixture.
        folders: where relative paths are looked for, in this order.
        test: the test's name, which becomes a part of the candidate's id.

    Raises:
        UsageError: nothing is given, two exclude each other, or a file cannot be read.
    """
    _check_arguments(given)
    if given.scenario is not None:
        scenario = load_scenario(_find_scenario(given.scenario, folders))
        return replace(scenario, id=make_test_id(scenario.id, scenario.digest))
    if given.config_dir is not None:
        source = read_source([str(find_path(given.config_dir, folders))])
    else:
        source = _read_texts(given, folders)
    candidate = replace(
        make_candidate(source, footing=_find_footing(given)), as_is=given.as_is, title=test
    )
    name = re.sub(r"^test_?", "", test)
    return replace(candidate, id=make_test_id(name, candidate.digest))


def _check_arguments(given: GivenConfiguration) -> None:
    texts = given.main_cf is not None or given.master_cf is not None
    count = texts + (given.config_dir is not None) + (given.scenario is not None)
    if count != 1:
        raise UsageError(
            "postfix() needs a configuration" if count == 0 else "postfix() has two configurations",
            next_step="give main_cf and perhaps master_cf, or config_dir, or scenario",
        )


def _find_footing(given: GivenConfiguration) -> Footing | None:
    """How much of a configuration it is; None: as a file shows.

    A text in a test is a few lines, unless it has the settings of an installation.
    """
    if given.whole is not None:
        return Footing.WHOLE if given.whole else Footing.LINES
    if given.config_dir is not None:
        return None
    texts = [text for text in (given.main_cf, given.master_cf) if text is not None]
    if not all(map(_is_text, texts)):
        return None
    names = parse_main_cf(_format_text(given.main_cf or "")).values.keys()
    return Footing.WHOLE if len(names & WHOLE_SETTINGS) >= ENOUGH_SETTINGS else Footing.LINES


def _is_text(text: GivenText) -> bool:
    """Whether it is a configuration itself, and not the path of one."""
    if isinstance(text, str):
        return not text or "\n" in text or "=" in text
    return isinstance(text, Mapping)


def _format_text(text: GivenText) -> str:
    """A text, or settings by name as lines of main.cf.

    Raises:
        UsageError: a value is no string.
    """
    if isinstance(text, Mapping):
        return "".join(format_setting(name, value) for name, value in text.items())
    return str(text)


def _read_texts(given: GivenConfiguration, folders: Sequence[Path]) -> ConfigurationSource:
    source = ConfigurationSource()
    for name, text in ((MAIN_CF, given.main_cf), (MASTER_CF, given.master_cf)):
        if text is None:
            continue
        if _is_text(text):
            source.texts[Path(name)] = _format_text(text)
            continue
        path = find_path(str(text), folders)
        read = read_source([str(path)])
        source.texts |= read.texts
        source.trees += read.trees
        source.notes += read.notes
    return source


def find_path(path: str | Path, folders: Sequence[Path]) -> Path:
    """A file or folder, absolute or below one of the folders.

    Raises:
        UsageError: there is none.
    """
    for folder in folders:
        if (folder / path).exists():
            return folder / path
    tried = " or ".join(str(folder / path) for folder in dict.fromkeys(folders))
    raise UsageError(
        f"there is no {path}",
        cause=f"neither the test's folder nor pytest's rootdir has it: {tried}",
        next_step="write the path from the folder of the test; a text has a '=' or a line's end",
    )


def _find_scenario(scenario: str | Path, folders: Sequence[Path]) -> Path:
    """A scenario's folder, or the tool's scenario of that name.

    Raises:
        UsageError: there is none.
    """
    for folder in (*folders, scenarios_dir()):
        if (folder / scenario / TOML).is_file():
            return folder / scenario
    raise UsageError(
        f"there is no scenario {scenario}",
        next_step="name a folder with a scenario.toml, or a scenario of 'postfix-matrix list'",
    )
