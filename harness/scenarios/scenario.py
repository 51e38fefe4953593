"""A scenario: a piece of advice as a folder of scenario.toml, main.cf and master.cf.

Whether Postfix likes the two fragments is what gets measured, so only what cannot be applied at all
is refused here. All that is wrong in all folders is said at once, and then nothing runs.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.config_input.forms import read_scenario_part
from harness.config_input.text import decode_text
from harness.errors import FileError, FileLocation, UsageError
from harness.postfix_config.key_files import (
    FileKind,
    is_file_kind,
)
from harness.postfix_config.main_cf import parse_main_cf
from harness.postfix_config.master_cf import parse_master_cf
from harness.postfix_config.master_cf_overlay import Overlay
from harness.scenarios.claims import (
    Claims,
    read_claims,
)
from harness.scenarios.policies import (
    Policy,
    load_policies,
)
from harness.scenarios.toml_schema import (
    Description,
    Extent,
    SurroundingsMode,
    among,
    describe,
    line_in_table,
)

_ID = re.compile(r"[a-z0-9][a-z0-9-]*")
TOML, _MAIN, _MASTER = "scenario.toml", "main.cf", "master.cf"
_FILES = (TOML, _MAIN, _MASTER)
#: Instead of a path: the folder of the instance's own main.cf.
OWN = "config_directory"
#: The folder of further files, each at the path that it is to have: files/etc/postfix/tls_policy.
FURTHER = "files"
#: Where no file of a scenario may lie: what an image brings is what is measured.
_PROGRAMS = (
    *("/bin/", "/lib/", "/lib64/", "/proc/", "/sbin/", "/srv/", "/sys/"),
    *("/usr/bin/", "/usr/lib/", "/usr/libexec/", "/usr/sbin/"),
)
FORBIDDEN_PLACES = ("/bin/", "/lib/", "/lib64/", "/proc/", "/sbin/", "/srv/", "/sys/", "/usr/")


class ScenarioErrors(UsageError):
    """Everything that is wrong in the scenarios that were read; ``errors`` has the places."""

    def __init__(self, errors: Iterable[FileError]) -> None:
        self.errors = tuple(errors)
        count = f"{len(self.errors)} error{'s' if len(self.errors) > 1 else ''}"
        listed = "\n".join(f"- {error}" for error in self.errors)
        super().__init__(
            f"the scenarios have {count}, so nothing was run:\n{listed}",
            next_step="correct them; docs/writing-a-scenario.md has the form and examples",
        )


@dataclass(frozen=True, slots=True)
class Scenario:
    """A piece of advice. ``main_cf`` and ``master_cf`` are its fragments verbatim, "" for none.

    ``files`` are further files by their absolute paths, or ``config_directory/NAME`` for one that
    lies beside its main.cf, and ``kinds`` what the harness is to put at paths that they name.
    ``headers`` are header fields of the messages that it sends in cells of ``outbound``.
    ``collection`` is the folder of such folders that it lies in, None where it lies at the top.
    ``whole``: it is a whole configuration, so nothing is added that decides TLS. ``as_is``: nothing
    of it is replaced, whatever it needs of a machine and its surroundings. ``reading`` says in
    sentences what was done to the text that was given, and on which footing it was read.
    ``path`` is that of its scenario.toml, for messages.
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

    @property
    def name(self) -> str:
        """Its id, after its collection's name where it lies in one: ``corpus/some-advice``."""
        return f"{self.collection}/{self.id}" if self.collection else self.id

    @property
    def system_files(self) -> Mapping[str, str]:
        """Its further files that every program of the container reads: an openssl.cnf.

        What lies beside main.cf, or at a path that the configuration names, is its own.
        """
        named = self.main_cf + self.master_cf
        return {
            path: text
            for path, text in self.files.items()
            if not path.startswith(f"{OWN}/") and path not in named
        }

    @property
    def digest(self) -> str:
        """``sha256:`` over what the candidate says and how it is laid over, nothing else."""
        said: list[object] = [self.main_cf, self.master_cf, self.overlay.value]
        said += [sorted(self.files.items())] if self.files else []
        said += [["kinds", sorted(self.kinds.items())]] if self.kinds else []
        said += [["headers", *self.headers]] if self.headers else []
        said += ["whole"] if self.whole else []
        said += ["as-is"] if self.as_is else []
        content = json.dumps(said)
        return "sha256:" + hashlib.sha256(content.encode()).hexdigest()


def load_scenario(folder: Path) -> Scenario:
    """Read one folder; its name is the scenario's id.

    Raises:
        ScenarioErrors: with everything that is wrong in it, each with file, line and key.
    """
    scenario, errors = _read(folder, load_policies(folder.parent))
    if scenario is None or errors:
        raise ScenarioErrors(errors)
    return scenario


def load_scenarios(root: Path, own_control: Path | None = None) -> dict[str, Scenario]:
    """Read all folders of a folder, by id and in its order; hidden ones are passed over.

    A folder that holds nothing but folders is a collection of scenarios; it comes last.
    ``own_control`` is the tool's scenario ``defaults``: where one expects an effect against it and
    the folder has none of that name, it comes first.

    Raises:
        UsageError: there is no such folder, or no scenario in it.
        ScenarioErrors: with everything that is wrong in all of them.
    """
    try:
        policies = load_policies(root)
    except FileError as error:
        raise ScenarioErrors([error]) from None
    single, collected = [], []
    for folder in _folders(root):
        if inside := _collection(folder):
            collected += [(inner, folder.name) for inner in inside]
        else:
            single.append((folder, None))
    errors: list[FileError] = []
    found: dict[str, Scenario] = {}
    for folder, collection in (*single, *collected):
        scenario, wrong = _read(folder, policies, collection)
        errors += wrong
        if scenario is not None and scenario.id in found:
            what = f"is the name of {found[scenario.id].name} too"
            errors.append(FileError(FileLocation(folder), what, expected="a name of its own"))
        elif scenario is not None:
            found[scenario.id] = scenario
    if own_control is not None and _wants(own_control.name, found):
        found = {own_control.name: load_scenario(own_control), **found}
    lacking = (_no_control(one, found, root) for one in found.values())
    errors += [one for one in lacking if one is not None]
    if errors:
        raise ScenarioErrors(errors)
    return found


def _wants(name: str, found: Mapping[str, Scenario]) -> bool:
    """Whether a scenario expects an effect against one of this name that is not there."""
    wanted = {
        one.claims.against
        for one in found.values()
        if any(expected.effect for expected in one.claims.expectations)
    }
    return name in wanted - found.keys()


def _no_control(scenario: Scenario, found: Mapping[str, Scenario], root: Path) -> FileError | None:
    """What is wrong with a scenario that expects an effect against one that is not there."""
    claims = scenario.claims
    if claims.against in found or not any(one.effect for one in claims.expectations):
        return None
    path = root / scenario.name / TOML
    what = f"expects an effect, and there is no scenario {claims.against!r}"
    return FileError(FileLocation(path, key="against"), what, expected=among(claims.against, found))


def _folders(root: Path) -> list[Path]:
    try:
        entries = sorted(root.iterdir())
    except OSError as error:
        raise UsageError(
            f"the folder of scenarios {root} cannot be read: {error.strerror}",
            next_step="name the folder that holds one folder a scenario",
        ) from error
    folders = _visible(entries)
    if not folders:
        raise UsageError(
            f"there is no scenario in {root}",
            next_step="make a folder in it; docs/writing-a-scenario.md tells what goes there",
        )
    return folders


def _visible(entries: Iterable[Path]) -> list[Path]:
    return [entry for entry in entries if entry.is_dir() and not entry.name.startswith(".")]


def _collection(folder: Path) -> list[Path]:
    """The folders of a collection: a folder of scenarios in which no scenario's own file lies."""
    entries = sorted(folder.iterdir())
    if any(entry.name in _FILES for entry in entries):
        return []
    return [inner for inner in _visible(entries) if (inner / TOML).is_file()]


def _read(
    folder: Path, policies: Mapping[str, Policy], collection: str | None = None
) -> tuple[Scenario | None, list[FileError]]:
    """The scenario, None where scenario.toml is no good, and all that is wrong with the folder."""
    errors = _check_folder(folder)
    texts: dict[str, str] = {}
    reading: list[str] = []
    for name in _FILES:
        try:
            if name == TOML:
                texts[name] = _text(folder / name)
            else:
                texts[name], notes = _fragment(folder / name)
                reading += notes
        except FileError as error:
            errors.append(error)
    files, found = _further(folder / FURTHER)
    errors += found
    for name, check in ((_MAIN, parse_main_cf), (_MASTER, parse_master_cf)):
        try:
            check(texts.get(name, ""), folder / name)
        except FileError as error:
            errors.append(error)
    description, found = (None, []) if TOML not in texts else describe(texts[TOML], folder / TOML)
    errors += found
    if description is None:
        return None, errors
    errors += _check_kinds(description, texts, files, folder / TOML)
    claims, found = read_claims(description, texts[TOML], folder / TOML, policies)
    scenario = _scenario(folder, description, texts)
    made = replace(
        scenario,
        files=files,
        collection=collection,
        reading=tuple(reading),
        claims=claims,
        path=folder / TOML,
    )
    return made, errors + found


def _further(root: Path) -> tuple[dict[str, str], list[FileError]]:
    """The further files by the paths that they are to have, and what is wrong with any."""
    files: dict[str, str] = {}
    errors: list[FileError] = []
    for path in sorted(root.rglob("*")) if root.is_dir() else ():
        if not path.is_file():
            continue
        inside = path.relative_to(root).as_posix()
        target = inside if inside.startswith(f"{OWN}/") else f"/{inside}"
        try:
            files[target] = _text(path)
        except FileError as error:
            errors.append(error)
        if target.startswith(FORBIDDEN_PLACES):
            what = f"would be put at {target}, where the image's own files lie"
            errors.append(
                FileError(FileLocation(path), what, expected="a path such as files/etc/...")
            )
    return files, errors


def _check_kinds(
    description: Description, texts: Mapping[str, str], files: Mapping[str, str], toml: Path
) -> list[FileError]:
    """What is wrong with the table [files]."""
    # A map may name them too: tls_server_sni_maps.
    named = "\n".join((texts.get(_MAIN, ""), texts.get(_MASTER, ""), *files.values()))
    errors: list[FileError] = []
    for path, kind in description.files.items():
        place = FileLocation(toml, line_in_table(texts[TOML], "files", 0, path), f"files.{path}")
        if not path.startswith(("/", f"{OWN}/")) or path.startswith(_PROGRAMS):
            expected = f"an absolute path such as /etc/ssl/key.pem, or {OWN}/NAME"
            errors.append(FileError(place, "is no place for a file", expected=expected))
        elif path.removeprefix(OWN) not in named:
            what = "is named by no line of main.cf or master.cf, nor of a file"
            errors.append(FileError(place, what, expected="a path that they name"))
        elif path in files:
            what = f"lies in the folder {FURTHER}/ too"
            errors.append(FileError(place, what, expected="one of the two"))
        if not is_file_kind(kind):
            what = f"cannot be {kind!r}"
            errors.append(FileError(place, what, expected=among(kind, list(FileKind))))
    return errors


def _scenario(folder: Path, description: Description, texts: dict[str, str]) -> Scenario:
    return Scenario(
        id=folder.name,
        title=description.title,
        source=description.source,
        claim=description.claim,
        url=description.url,
        date=description.date.isoformat() if description.date else None,
        notes=description.notes,
        main_cf=texts.get(_MAIN, ""),
        master_cf=texts.get(_MASTER, ""),
        overlay=description.master_cf,
        whole=description.configuration is Extent.WHOLE,
        as_is=description.surroundings is SurroundingsMode.AS_IS,
        headers=description.headers or (),
        kinds={
            path: FileKind(kind) for path, kind in description.files.items() if is_file_kind(kind)
        },
    )


def _check_folder(folder: Path) -> list[FileError]:
    """Wrong names, of the folder and of files in it (a misspelt main.cf would not be applied)."""
    errors: list[FileError] = []
    if not folder.is_dir():
        return [
            FileError(
                FileLocation(folder), "there is no such folder", expected="a scenario's folder"
            )
        ]
    if not _ID.fullmatch(folder.resolve().name):
        expected = "small letters, digits and hyphens, a letter or digit first"
        errors.append(
            FileError(FileLocation(folder), "a folder's name is its id", expected=expected)
        )
    for path in sorted(folder.iterdir()):
        if path.name == FURTHER and path.is_dir():
            continue
        if path.name not in _FILES and path.suffix != ".md" and not path.name.startswith("."):
            expected = f"{among(path.name, _FILES)}, or a .md file"
            errors.append(
                FileError(FileLocation(path), "unknown file in a scenario", expected=expected)
            )
    return errors


def _fragment(path: Path) -> tuple[str, tuple[str, ...]]:
    """A main.cf or master.cf, "" where there is none, and what was done to its text.

    It comes to the letter, unless it shows that it was pasted (configuration_forms.py).
    """
    data = _bytes(path)
    if data is None:
        return "", ()
    text, decoded = decode_text(data, path)
    text, done = read_scenario_part(text, path)
    return text, (*decoded, *done)


def _text(path: Path) -> str:
    """A file's text to the letter (no newline is translated)."""
    data = _bytes(path)
    if data is None:
        expected = f"each scenario to have a {path.name}"
        raise FileError(FileLocation(path), "is missing", expected=expected)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        what = f"byte {error.object[error.start]:#04x} is not UTF-8"
        raise FileError(FileLocation(path, line), what, expected="UTF-8 text") from error


def _bytes(path: Path) -> bytes | None:
    """A file's content; None where there is no such file."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise FileError(FileLocation(path), f"cannot be read: {error.strerror}") from error
