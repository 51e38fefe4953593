"""The campaign's bad files: what a user, a client image or another machine can give as a file.

Each case is one fault in one file, with one of the commands that read it; the commands take turns.
All must be refused with exit code 4 and a message that names the file, before anything is started.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import cycle
from pathlib import Path

from harness.snapshots.snapshot_text import format_snapshot
from tests.campaign import file_bases as bases
from tests.campaign.case import CampaignCase
from tests.campaign.file_bases import FileBase, MakeArguments
from tests.campaign.file_faults import FAULTS
from tests.campaign.folder_inputs import list_lacking, list_misplaced
from tests.campaign.wrong_values import (
    WrongText,
    kind_of,
    list_places,
    misspell_toml,
    value_at,
    wrong_json,
    wrong_toml,
)
from tests.unit.snapshots.test_snapshot_file import sample

#: The seed of ``make test``.
SEED = 20261130
_USAGE = frozenset({4})

_FORMATS = {
    ".toml": "toml",
    ".json": "json",
    ".jsonl": "jsonl",
    ".cf": "cf",
    ".lock": "lock",
}
_LINE = {"text"}
_TEXTS = {"text", "texts"}
#: The kinds of values that keys may have (wrong_values.TOML_VALUES); keys that are not here may
#: have many.
_SCENARIO_KEYS = {
    "title": _LINE,
    "source": _LINE,
    "claim": _LINE,
    "url": set[str](),
    "date": {"day"},
    "notes": {"text", "lines"},
    "master_cf": set[str](),
    "configuration": set[str](),
    "surroundings": set[str](),
    "services": set[str](),
    # What selectors match is known when a run is planned: _list_unmatched.
    "clients": _TEXTS,
    "offers": _TEXTS,
    "against": set[str](),
    "/etc/dh.pem": set[str](),
    "postfix": set[str](),
    "openssl": set[str](),
    "says": _LINE,
    "builds": _TEXTS,
    "outcome": set[str](),
    "reason": set[str](),
    "protocol": set[str](),
    "cipher": _TEXTS,
    "cipher_not": _TEXTS,
    "certificate": _TEXTS,
    "policy": set[str](),
    "effect": set[str](),
}
_POLICY_KEYS = {
    "name": _LINE,
    "about": _LINE,
    "takes": set[str](),
    "offers": {"empty list"} | _TEXTS,
    "says": _LINE,
    "services": set[str](),
    "outcome": set[str](),
    "reason": set[str](),
    "protocol": set[str](),
    "cipher_not": _TEXTS,
    "levels": set[str](),
    "lines": set[str](),
}
_KNOWN_KEYS = {
    "builds": _TEXTS,
    "services": set[str](),
    "clients": _TEXTS,
    "postfix": set[str](),
    "openssl": set[str](),
    "outcome": set[str](),
    "reason": set[str](),
    "why": _LINE,
    "until": {"day"},
    "snapshots": _TEXTS | {"lines", "empty list"},
}
_TOOL_KEYS = {
    "title": _LINE,
    "command": {"texts"},
    "files": {"empty list"},
    "base": set[str](),
    "network": {"true"},
    "idempotent": {"true"},
    "time_limit": {"number", "fraction"},
    "domain": {
        *("number", "negative", "fraction", "true", "empty text", "text", "lines"),
    },
    "apt": {"texts", "empty list"},
    "wheels": set[str](),
    "debs": {"empty list"},
    "ansible==12.1.0": {"texts"},
    "skip": _LINE,
}


def file_cases(seed: int = SEED) -> list[CampaignCase]:
    """All cases, in an order and with choices that depend on the seed alone."""
    generator = random.Random(seed)
    cases = [
        *_list_damaged(generator),
        *_list_wrong_toml(),
        *_list_wrong_json(generator),
        *_list_wrong_lines(generator),
        *list_misplaced(),
        *list_lacking(),
        *_list_unmatched(),
    ]
    generator.shuffle(cases)
    return cases


def _list_damaged(generator: random.Random) -> Iterator[CampaignCase]:
    """Each fault of a kind, of bytes and of size, in each file."""
    for base in bases.BASES:
        commands = cycle(base.commands)
        form = _FORMATS.get(Path(base.file).suffix, "text")
        is_alone = base is bases.MAIN_CF_FILE
        for fault in FAULTS:
            if form not in fault.formats and not (is_alone and "cf-alone" in fault.formats):
                continue
            if form in ("cf", "text", "lock") and fault.name == "null device":
                continue  # An empty file, as some systems have it.
            if (base.name, fault.name) in _HARMLESS:
                continue
            times = 2 if fault.formats >= {"toml", "json", "cf"} else 1
            for turn in range(times):
                yield _make_case(
                    base,
                    f"{fault.name} {turn}",
                    _damage_file(base, fault.damage, generator.random()),
                    next(commands),
                    kind=fault.name,
                    alone=is_alone and "cf-alone" in fault.formats,
                )


#: An empty folder in files/ does nothing; an evidence file that a machine lost is a lost one; a
#: last line without an end is that of a killed run.
_HARMLESS = {
    ("scenario's file", "folder"),
    ("evidence", "empty JSON"),
    ("evidence", "null device"),
    ("instance", "empty JSON"),
    ("instance", "null device"),
    # What a link out of the run folder leads to is never read.
    *(
        (base, fault)
        for base in ("evidence", "instance")
        for fault in ("device", "full device", "unreadable")
    ),
    ("observations.jsonl", "deep"),
    ("observations.jsonl", "null device"),
}


def _damage_file(
    base: FileBase, damage: Callable[[Path, random.Random], None], seed: float
) -> Callable[[Path], None]:
    def build(folder: Path) -> None:
        base.build(folder)
        damage(folder / base.file, random.Random(seed))

    return build


def _list_wrong_toml() -> Iterator[CampaignCase]:
    """Each key of the TOML files with each value of a wrong type, and misspelt."""
    for base, text, keys in (
        (bases.SCENARIO_TOML, bases.SCENARIO, _SCENARIO_KEYS),
        (bases.POLICIES_TOML, bases.POLICIES, _POLICY_KEYS),
        (bases.KNOWN_TOML, bases.KNOWN, _KNOWN_KEYS),
        (bases.TOOL_TOML, bases.TOOL, _TOOL_KEYS),
    ):
        commands = cycle(base.commands)
        free = {"domain"} if base is bases.TOOL_TOML else set[str]()
        for wrong in (*wrong_toml(text, keys), *misspell_toml(text)):
            if wrong.key.removesuffix("x") not in free or wrong.key in keys:
                yield _make_text_case(base, wrong, next(commands))


_NO_JSON = ("NaN", "infinite")
_SAMPLE = 3


def _list_wrong_json(generator: random.Random) -> Iterator[CampaignCase]:
    """Places of the JSON files with values of another type."""
    for base in (bases.SNAPSHOT_JSON, bases.RUN_JSON, bases.EVIDENCE_JSON, bases.INSTANCE_JSON):
        data = _read_data(base)
        commands = cycle(base.commands)
        for place in list_places(data):
            if not _is_open(place):
                kinds = _wrong_kinds(kind_of(value_at(data, place)))
                for kind in generator.sample(kinds, min(_SAMPLE, len(kinds))):
                    wrong = wrong_json(data, place, kind, 1)
                    yield _make_text_case(base, wrong, next(commands))


def _list_wrong_lines(generator: random.Random) -> Iterator[CampaignCase]:
    """Places of lines of observations.jsonl with values of another type."""
    lines = (bases.RUN_FOLDER / "observations.jsonl").read_text("utf-8").splitlines()
    commands = cycle(bases.OBSERVATIONS.commands)
    for number in (0, len(lines) // 2, len(lines) - 1):
        data = json.loads(lines[number])
        for place in list_places(data):
            kinds = _wrong_kinds(kind_of(value_at(data, place)))
            for kind in generator.sample(kinds, min(2, len(kinds))):
                wrong = wrong_json(data, place, kind, None)
                text = "\n".join([*lines[:number], wrong.text, *lines[number + 1 :], ""])
                of_line = WrongText(f"{number + 1} {wrong.name}", text, number + 1, wrong.key)
                yield _make_text_case(bases.OBSERVATIONS, of_line, next(commands))


def _wrong_kinds(kind: str) -> list[str]:
    """Kinds of values that are wrong in place of one of a JSON type."""
    allowed = {
        "text": ["number", "true", "list", "object", "NaN"],
        "int": ["text", "true", "negative", "NaN", "infinite", "list", "fraction"],
        "float": ["text", "true", "negative", "NaN", "infinite", "list"],
        "bool": ["text", "number", "list", "object"],
        "list": ["text", "number", "true", "object", "lists"],
        "object": ["text", "number", "true", "list"],
        "null": ["lists", "NaN"],
    }
    return allowed[kind]


def _is_open(place: tuple[str | int, ...]) -> bool:
    text = ".".join(map(str, place))
    parts = text.split(".")
    return (
        parts[0] in ("host", "grounds")
        or (parts[0] == "images" and ("describe" in parts or "labels" in parts[:3]))
        or text.endswith("request.extras")
    )


def _read_data(base: FileBase) -> dict[str, object]:
    if base is bases.SNAPSHOT_JSON:
        text = format_snapshot(sample())
    else:
        text = (bases.RUN_FOLDER / base.file.removeprefix("run/")).read_text("utf-8")
    data: dict[str, object] = json.loads(text)
    return data


def _make_text_case(base: FileBase, wrong: WrongText, arguments: MakeArguments) -> CampaignCase:
    def build(folder: Path) -> None:
        base.build(folder)
        (folder / base.file).write_text(wrong.text, "utf-8")

    name = Path(base.file).name
    return CampaignCase(
        f"badfiles/{base.name}/{wrong.name}",
        f"value in {base.name}",
        build,
        arguments,
        _USAGE,
        # What is no JSON at all is refused before keys are known.
        (f"{name}:{wrong.line}",) + (() if wrong.name.endswith(_NO_JSON) else (wrong.key,)),
    )


def _make_case(
    base: FileBase,
    name: str,
    build: Callable[[Path], None],
    arguments: MakeArguments,
    *,
    kind: str,
    alone: bool = False,
) -> CampaignCase:
    def build_alone(folder: Path) -> None:
        build(folder)
        (folder / "postfix/master.cf").unlink()

    return CampaignCase(
        f"badfiles/{base.name}/{name}",
        kind,
        build_alone if alone else build,
        arguments,
        _USAGE,
        (Path(base.file).name,),
    )


def _list_unmatched() -> Iterator[CampaignCase]:
    """Selectors of expectations that match nothing."""
    lines = bases.SCENARIO.split("\n")
    for number, line in enumerate(lines, 1):
        key = line.partition(" =")[0]
        if number > 20 and key in ("builds", "clients", "offers"):
            text = "\n".join([*lines[: number - 1], f'{key} = ["no-such*"]', *lines[number:]])
            wrong = WrongText(f"{number} {key} matches nothing", text, 0, key)
            yield replace(
                _make_text_case(bases.SCENARIO_TOML, wrong, bases.SCENARIO_TOML.commands[1]),
                mentions=("scenario.toml:", key),
            )
