"""A scenario: a piece of advice as a folder of scenario.toml, main.cf and master.cf.

How Postfix reacts to the two fragments is measured, so only what cannot be applied at all is
refused here. All errors of all folders are reported at once, and then nothing runs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.data_models import show_value, suggest
from harness.errors import FileError, FileErrors, FileLocation
from harness.input_files import is_there
from harness.paths import scenarios_dir
from harness.postfix_config.key_files import (
    FileKind,
    is_file_kind,
)
from harness.postfix_config.main_cf import parse_main_cf
from harness.postfix_config.master_cf import parse_master_cf
from harness.postfix_config.master_cf_overlay import Overlay
from harness.scenarios.claims import (
    BASELINE,
    Claims,
    read_claims,
)
from harness.scenarios.policies import (
    Policy,
    load_policies,
)
from harness.scenarios.scenario_files import read_fragment, read_text
from harness.scenarios.scenario_folders import (
    FURTHER_FILES,
    MAIN,
    MASTER,
    SCENARIO_FILES,
    TOML,
    check_folder,
    folders_of_collection,
    list_folders,
)
from harness.scenarios.toml_text import (
    Extent,
    SurroundingsMode,
    line_in_table,
    line_of,
)

if TYPE_CHECKING:
    from harness.scenarios.toml_schema import Description

#: In place of an absolute path: the folder of the instance's main.cf.
CONFIG_DIRECTORY = "config_directory"
#: Folders in which a scenario must not put files: they would replace what is measured.
_PROGRAMS = (
    *("/bin/", "/lib/", "/lib64/", "/proc/", "/sbin/", "/srv/", "/sys/"),
    *("/usr/bin/", "/usr/lib/", "/usr/libexec/", "/usr/sbin/"),
)
FORBIDDEN_PLACES = ("/bin/", "/lib/", "/lib64/", "/proc/", "/sbin/", "/srv/", "/sys/", "/usr/")


class ScenarioErrors(FileErrors):
    """All errors in the scenarios that were read; ``errors`` has each with its place."""

    def __init__(self, errors: Iterable[FileError]) -> None:
        step = "correct them; docs/writing-a-scenario.md has the form and examples"
        super().__init__(errors, "the scenarios have", next_step=step)


@dataclass(frozen=True, slots=True)
class Scenario:
    """A piece of advice. ``main_cf`` and ``master_cf`` are its fragments verbatim, "" for none.

    ``files`` are further files by their absolute paths, or ``config_directory/NAME`` for one in
    the folder of main.cf; ``kinds`` are the files that the harness creates, by path.
    ``headers`` are header fields of the messages that it sends in cells of ``outbound``.
    ``collection`` is the folder of scenario folders that contains it, None at the top level.
    ``whole``: it is a whole configuration, so nothing is added that decides TLS. ``as_is``: nothing
    of it is replaced, even if it needs its own machine and surroundings. ``reading`` states in
    sentences what was changed in the given text, and whether it was read as whole.
    ``path`` is that of its scenario.toml, for messages. ``image`` is the id of the image whose
    containers it is measured in, with what a tool left there; "": the build's.
    """

    id: str
    title: str
    source: str
    claim: str
    url: str | None = None
    date: str | None = None
    notes: str | None = None
    main_cf: str = ""
    master_cf: str = ""
    overlay: Overlay = Overlay.REPLACE
    files: Mapping[str, str] = field(default_factory=dict)
    kinds: Mapping[str, FileKind] = field(default_factory=dict)
    headers: tuple[str, ...] = ()
    collection: str | None = None
    whole: bool = False
    as_is: bool = False
    reading: tuple[str, ...] = ()
    claims: Claims = field(default_factory=Claims)
    path: Path | None = field(default=None, compare=False)
    image: str = ""

    @property
    def name(self) -> str:
        """Its id, after the name of its collection if it is in one: ``corpus/some-advice``."""
        return f"{self.collection}/{self.id}" if self.collection else self.id

    @property
    def system_files(self) -> Mapping[str, str]:
        """Its further files that every program of the container may read, such as an openssl.cnf.

        Files in the folder of main.cf, or at a path that the configuration names, are not.
        """
        named = self.main_cf + self.master_cf
        return {
            path: text
            for path, text in self.files.items()
            if not path.startswith(f"{CONFIG_DIRECTORY}/") and path not in named
        }

    @property
    def digest(self) -> str:
        """``sha256:`` over the candidate's content and how it is laid over, nothing else."""
        content: list[object] = [self.main_cf, self.master_cf, self.overlay.value]
        content += [sorted(self.files.items())] if self.files else []
        content += [["kinds", sorted(self.kinds.items())]] if self.kinds else []
        content += [["headers", *self.headers]] if self.headers else []
        content += ["whole"] if self.whole else []
        content += ["as-is"] if self.as_is else []
        text = json.dumps(content)
        return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def load_scenario(folder: Path, policies: Mapping[str, Policy] | None = None) -> Scenario:
    """Read one folder; its name is the scenario's id.

    ``policies`` are those to which it may refer; None: they are read for it.

    Raises:
        ScenarioErrors: with all errors in it, each with file, line and key.
    """
    known = load_policies(folder.parent) if policies is None else policies
    scenario, errors = _read_folder(folder, known)
    if scenario is not None and (error := _check_named_baseline(scenario, folder)) is not None:
        errors.append(error)
    if scenario is None or errors:
        raise ScenarioErrors(errors)
    return scenario


def load_scenarios(root: Path, baseline: Path | None = None) -> dict[str, Scenario]:
    """Read all folders of a folder, by id and in its order; hidden ones are skipped.

    A folder that only has scenario folders is a collection; collections come last. ``baseline`` is
    the folder of the tool's scenario ``defaults``: if a scenario expects an effect compared with it
    and ``root`` has none of that name, it is added as the first.

    Raises:
        UsageError: there is no such folder, or no scenario in it.
        ScenarioErrors: with all errors in all of them.
    """
    try:
        policies = load_policies(root)
    except FileErrors as error:
        raise ScenarioErrors(error.errors) from None
    except FileError as error:
        raise ScenarioErrors([error]) from None
    single, collected = [], []
    for folder in list_folders(root):
        if inside := folders_of_collection(folder):
            collected += [(inner, folder.name) for inner in inside]
        else:
            single.append((folder, None))
    errors: list[FileError] = []
    by_id: dict[str, Scenario] = {}
    for folder, collection in (*single, *collected):
        scenario, wrong = _read_folder(folder, policies, collection)
        errors += wrong
        if scenario is not None and scenario.id in by_id:
            what = f"has the same name as {by_id[scenario.id].name}"
            errors.append(FileError(FileLocation(folder), what, expected="a unique name"))
        elif scenario is not None:
            by_id[scenario.id] = scenario
    if baseline is not None and _is_missing_baseline(baseline.name, by_id):
        by_id = {baseline.name: load_scenario(baseline), **by_id}
    missing_baselines = (_check_baseline(scenario, by_id, root) for scenario in by_id.values())
    errors += [error for error in missing_baselines if error is not None]
    if errors:
        raise ScenarioErrors(errors)
    return by_id


def _is_missing_baseline(name: str, scenarios: Mapping[str, Scenario]) -> bool:
    """Whether a scenario expects an effect compared with one of this name, which does not exist."""
    baselines = {
        scenario.claims.against
        for scenario in scenarios.values()
        if any(expected.effect for expected in scenario.claims.expectations)
    }
    return name in baselines - scenarios.keys()


def _check_baseline(
    scenario: Scenario, scenarios: Mapping[str, Scenario], root: Path
) -> FileError | None:
    """The error of a scenario that names a baseline, or needs one, which does not exist."""
    claims = scenario.claims
    expects_effect = any(expectation.effect for expectation in claims.expectations)
    if claims.against in scenarios or (claims.against == BASELINE and not expects_effect):
        return None
    path = root / scenario.name / TOML
    what = f"there is no scenario {claims.against!r}"
    if expects_effect:
        what = f"expects an effect, but {what}"
    place = FileLocation(path, _line_of_baseline(scenario), "against")
    return FileError(place, what, expected=suggest(claims.against, scenarios))


def _check_named_baseline(scenario: Scenario, folder: Path) -> FileError | None:
    """The same for a scenario that is read alone: its baseline is beside it, or the tool's."""
    against = scenario.claims.against
    if against == BASELINE or find_baseline_folder(folder, against) is not None:
        return None
    places = (folder.parent, scenarios_dir())
    known = sorted({path.parent.name for place in places for path in place.glob(f"*/{TOML}")})
    place = FileLocation(folder / TOML, _line_of_baseline(scenario), "against")
    what = f"there is no scenario {against!r}"
    return FileError(place, what, expected=suggest(against, known))


def find_baseline_folder(folder: Path, against: str) -> Path | None:
    """The folder of the scenario ``against`` that a scenario's folder means; None: there is none.

    It lies beside that folder, or in another collection beside its own, or comes with the tool.
    """
    root = folder.parent.parent
    places = [folder.parent / against, root / against, *sorted(root.glob(f"*/{against}"))]
    places.append(scenarios_dir() / against)
    return next((place for place in places if (place / TOML).is_file()), None)


def _line_of_baseline(scenario: Scenario) -> int | None:
    """The line of ``against``."""
    try:
        return None if scenario.path is None else line_of(read_text(scenario.path), "against")
    except FileError:
        return None


def _read_folder(
    folder: Path, policies: Mapping[str, Policy], collection: str | None = None
) -> tuple[Scenario | None, list[FileError]]:
    """The scenario, None if scenario.toml cannot be read, and all errors in the folder."""
    errors = check_folder(folder)
    texts: dict[str, str] = {}
    reading: list[str] = []
    for name in SCENARIO_FILES:
        try:
            if name == TOML:
                texts[name] = read_text(folder / name)
            else:
                texts[name], notes = read_fragment(folder / name)
                reading += notes
        except FileError as error:
            errors.append(error)
    files, more_errors = _read_further_files(folder / FURTHER_FILES)
    errors += more_errors
    for name, check in ((MAIN, parse_main_cf), (MASTER, parse_master_cf)):
        try:
            check(texts.get(name, ""), folder / name)
        except FileError as error:
            errors.append(error)
    # What checks it takes a third of a second to load, and a candidate has none.
    from harness.scenarios.toml_schema import parse_description

    description, more_errors = (
        (None, []) if TOML not in texts else parse_description(texts[TOML], folder / TOML)
    )
    errors += more_errors
    if description is None:
        return None, errors
    errors += _check_kinds(description, texts, files, folder / TOML)
    claims, more_errors = read_claims(description, texts[TOML], folder / TOML, policies)
    scenario = _make_scenario(folder, description, texts)
    made = replace(
        scenario,
        files=files,
        collection=collection,
        reading=tuple(reading),
        claims=claims,
        path=folder / TOML,
    )
    return made, errors + more_errors


def _read_further_files(root: Path) -> tuple[dict[str, str], list[FileError]]:
    """The further files by their target paths, and the errors in them."""
    files: dict[str, str] = {}
    errors: list[FileError] = []
    if is_there(root) and not root.is_dir():
        expected = "a folder with further files, each at its path"
        return {}, [FileError(FileLocation(root), "is no folder", expected=expected)]
    for path in sorted(root.rglob("*")) if root.is_dir() else ():
        if path.is_dir():
            continue
        inside = path.relative_to(root).as_posix()
        target = inside if inside.startswith(f"{CONFIG_DIRECTORY}/") else f"/{inside}"
        try:
            files[target] = read_text(path)
        except FileError as error:
            errors.append(error)
        if target.startswith(FORBIDDEN_PLACES):
            what = f"would be put at {target}, where the image's files are"
            errors.append(
                FileError(FileLocation(path), what, expected="a path such as files/etc/...")
            )
    return files, errors


def _check_kinds(
    description: Description, texts: Mapping[str, str], files: Mapping[str, str], toml: Path
) -> list[FileError]:
    """The errors in the table [files]."""
    # A map may name them too: tls_server_sni_maps.
    named = "\n".join((texts.get(MAIN, ""), texts.get(MASTER, ""), *files.values()))
    errors: list[FileError] = []
    for path, kind in description.files.items():
        place = FileLocation(toml, line_in_table(texts[TOML], "files", 0, path), f"files.{path}")
        if not path.startswith(("/", f"{CONFIG_DIRECTORY}/")) or path.startswith(_PROGRAMS):
            expected = f"an absolute path such as /etc/ssl/key.pem, or {CONFIG_DIRECTORY}/NAME"
            errors.append(FileError(place, "no file can be put there", expected=expected))
        elif path.removeprefix(CONFIG_DIRECTORY) not in named:
            what = "is not named in main.cf, master.cf or a further file"
            errors.append(FileError(place, what, expected="a path that they name"))
        elif path in files:
            what = f"is also in the folder {FURTHER_FILES}/"
            errors.append(FileError(place, what, expected="one of the two"))
        if not is_file_kind(kind):
            what = f"cannot be {show_value(kind)}"
            errors.append(FileError(place, what, expected=suggest(kind, list(FileKind))))
    return errors


def _make_scenario(folder: Path, description: Description, texts: dict[str, str]) -> Scenario:
    return Scenario(
        id=folder.name,
        title=description.title,
        source=description.source,
        claim=description.claim,
        url=description.url,
        date=description.date.isoformat() if description.date else None,
        notes=description.notes,
        main_cf=texts.get(MAIN, ""),
        master_cf=texts.get(MASTER, ""),
        overlay=description.master_cf,
        whole=description.configuration is Extent.WHOLE,
        as_is=description.surroundings is SurroundingsMode.AS_IS,
        headers=description.headers or (),
        kinds={
            path: FileKind(kind) for path, kind in description.files.items() if is_file_kind(kind)
        },
    )
