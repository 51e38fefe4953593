"""The campaign's bad command lines: every command, every option and argument, wrong in each way.

For each option click knows what it takes; the lists below have, for each such kind, what it cannot
take. A case is a right command line (``argument_bases``) with one thing wrong.
"""

from __future__ import annotations

import random
import string
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import click

from harness.cli.argument_checks import InputFolder, Seconds, WholeNumber
from harness.cli.main import cli
from harness.cli.output_paths import OutputFile, OutputFolder
from tests.campaign.argument_bases import COMMANDS, PATHS, CommandBase, Place
from tests.campaign.case import CampaignCase

#: Bad input, or a selection that selects nothing.
REFUSED = frozenset({4, 5})
_USAGE = frozenset({4})
#: What no name, number or glob can be.
_NO_TEXT = (
    "",
    "a\0b",
    "a\nb",
    "\x1b[31mred\x1b[0m",
    "\x9b31m",
    "\udcff\udcfe",
    "x" * 5000,
    "x" * 200_000,
)
_NO_GLOBS = (
    ",",
    " , ,",
    "!",
    "nowhere*",
    "!nowhere",
    "[",
    "debian‑12",
    "\u202e21-naibed",
    "*xq*y*",
)
_NO_NUMBERS = (
    "-1",
    "0",
    "nan",
    "inf",
    "-inf",
    "1e999",
    "1e3",
    "9" * 30,
    "9" * 5000,
    "0x10",
    "1_0",
    "١٢",
    "10s",
    "1,5",
    "1 0",
    "--",
    "²",
)
_NO_CHOICES = ("TEXT ", "jsn", "*", "text,json", "none", "0")


@dataclass(frozen=True)
class Wrong:
    """Arguments that are added to a command line, and what the message must name."""

    kind: str
    arguments: tuple[str, ...]
    mentions: tuple[str, ...] = ()
    exit_codes: frozenset[int] = _USAGE
    replaces: int | None = None


#: What an option of a command cannot be, where its type does not tell.
_SPECIAL: dict[str, tuple[str, ...]] = {
    "--image": ("=", "x=", "=x", "debian-12", "a b", "x=UPPER/Name", "x=a b", "x=a:b:c", "../x"),
    "--client": ("x", "x=", "=x", "openssl-3.5.7=a", "smtp-x=a", "a/b=c", "x=http://a/b"),
    "--source": ("postfix", "postfix-3.1.0", "postfix-3.1.0=", "exim-4=folder", "=folder",
                 "postfix-x=folder", "postfix-3.1.0=nowhere", "openssl-3.5.7=folder"),
    "--mirror": ("nowhere", "/folder", "ftp://", "http://", "://x", "http:///x", "main.cf"),
    "--registry": ("ghcr.io", "https://ghcr.io/x", "ghcr.io/UP", "ghcr.io/x:tag", "x/y", "a b/c"),
    "--registry-lock": ("folder", "nowhere", "loop", "main.cf"),
    "--shard": ("0/0", "0/4", "5/4", "1", "1/2/3", "a/b", "auto", "-1/4", "1/0",
                "٢/٤", "1/" + "9" * 30),
    "--reuse": ("nowhere", "folder", "main.cf", "loop", "latest"),
    "--resume": ("nowhere", "folder", "main.cf", "loop", "dangling"),
    "--run": ("nowhere", "folder", "main.cf", "loop", "dangling"),
    "--dask": ("nowhere", "tcp://", "http://x", "tcp://x:99999"),
    "--level": ("behavior", "Exact", "policy", "policy nowhere", "policy delivers-from",
                "exact x", "policy tls12-or-newer=x"),
    "--policy": ("tls12-or-never", "TLS12-OR-NEWER", "delivers-from", "delivers-from=",
                 "delivers-from=,", "tls12-or-newer=x", "=", "delivers-from=nowhere*"),
    "--base-url": ("example.org", "ftp://x/", "https://u:p@x/", "https://x/?q", "//x", "https://"),
    "--licence": ("no such licence", "CC BY 4.0", "<b>"),
    "--sha256": ("abc", "g" * 64, "0" * 63, "0" * 65),
    "--url": ("nowhere", "ftp://x", "http://", "https://"),
    "--var": ("x", "=x", "1=x", "a b=c", "a-b=c"),
    "--base": ("nowhere", "main.cf", "folder", "Stock"),
    "--config": ("nowhere", "loop", "folder", "dangling"),
    "--scenario": ("nowhere", "Defaults", "plain*"),
    "--service": ("smtpd", "0", "99999", "nowhere", "[::1]:0"),
    "--snapshot": ("nowhere", "folder", "loop", "main.cf"),
    "--known": ("nowhere", "folder", "loop", "main.cf"),
    "--check": ("nowhere", "folder", "loop", "main.cf"),
    "--file": ("nowhere", "folder", "loop", "main.cf"),
}  # fmt: skip
#: Options that have no use in the right command line, which is what the message is about.
_UNUSED = {("since", "--source"), ("since", "--mirror"), ("images", "--mirror"),
           ("scan", "--scenario")}  # fmt: skip
#: Options whose wrong values are a finding of the command, and no reason to refuse.
_DIAGNOSED = {("doctor", "--runs")}
_GLOBS = {
    "--builds": "debian-12",
    "--scenarios": "plain",
    "--services": "submission",
    "--clients": "openssl-3.5.7",
    "--offers": "TLSv1.2",
}
#: Whole command lines that are wrong in themselves, with what must be named.
_WHOLE: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("exclusive", "verify main.cf -p tls12-or-newer --whole --lines", ("--whole", "--lines")),
    ("exclusive", "verify main.cf -p tls12-or-newer --container x", ("--container", "main.cf")),
    ("exclusive", "run --reuse latest --fresh", ("--reuse", "--fresh")),
    ("exclusive", "run --reuse run --resume run", ("--reuse", "--resume")),
    ("exclusive", "run --resume run -b debian-12", ("--resume",)),
    ("exclusive", "run --resume run --shard 1/2", ("--resume", "--shard")),
    ("exclusive", "report run --junit --table protocols", ("--junit", "--table")),
    ("exclusive", "report run --format text", ("--format", "--table")),
    ("exclusive", "report run --table clients --format text", ("clients",)),
    ("exclusive", "since defaults run --runs new", ("--runs", "--bisect")),
    ("exclusive", "since defaults run --scenarios-dir scenarios", ("--scenarios-dir",)),
    ("exclusive", "since defaults run --mirror http://x/", ("--mirror", "--bisect")),
    ("exclusive", "images list --mirror http://x/", ("--mirror", "--reachable")),
    ("exclusive", "scan debian-12 --implicit", ("--implicit",)),
    ("exclusive", "scan h.example:25 --service smtp", ("--service",)),
    ("exclusive", "scan h.example:25 --whole", ("--whole",)),
    ("exclusive", "scan debian-12 -C main.cf -s defaults", ("--config", "--scenario")),
    ("exclusive", "record main.cf -o TLSv1", ("-o TLSv1",)),
    ("exclusive", "record main.cf -o snapshot.json", ("snapshot.json", "--force")),
    ("exclusive", "tool tool.toml --record snapshot.json", ("snapshot.json", "--force")),
    ("exclusive", "tool tool.toml --record folder", ("folder",)),
    ("exclusive", "run -b debian-12 --registry-lock main.cf", ("--registry-lock",)),
    ("exclusive", "merge -o merged", ("run folder",)),
    ("exclusive", "merge run -o run", ("run",)),
    ("exclusive", "merge run nowhere -o merged", ("nowhere",)),
    ("exclusive", "publish run nowhere --into site", ("nowhere",)),
    ("exclusive", "publish run --into scenarios", ("scenarios",)),
    ("exclusive", "compare run nowhere", ("nowhere",)),
)
_ADDRESSES = (
    "mail.example.org", "https://mail.example.org", "smtp://mail.example.org:25", "http://h:25/x",
    "::1", "[::1]", "[::1", "[::1]25", "[nowhere]:25", "h:25:26", "u@h:25", "u:p@h:25", "h:0",
    "h:65536", "h:-1", "h:", ":25", "h:25x", "h:٢٥", "1.2.3:25", "1.2.3.256:25", "1.2.3.4",
    "a..b:25", ".a:25", "-a:25", "a_b-:25", "a b:25", "h/25", "h:25/", "h:" + "9" * 40,
    "x" * 64 + ".example:25", "x." * 127 + "example:25", "bü cher:25", "\u202eh:25", "fe80::1%lo",
    "2001:db8::1", "mail.example.org:smtp", "unix:/run/x", "file:///etc/passwd",
)  # fmt: skip
_ENGINES = (
    ("DOCKER_HOST", "tcp://h:abc"), ("DOCKER_HOST", "tcp://h:99999"), ("DOCKER_HOST", "tcp://h"),
    ("DOCKER_HOST", "tcp://::1:2375"), ("DOCKER_HOST", "tcp://[::1"), ("DOCKER_HOST", "tcp://"),
    ("DOCKER_HOST", "bogus://h"), ("DOCKER_HOST", "/var/run/docker.sock"),
    ("DOCKER_HOST", "tcp://h:2375?x=1"), ("DOCKER_HOST", "tcp://h h:2375"), ("DOCKER_HOST", " "),
    ("DOCKER_HOST", "fd://"), ("DOCKER_HOST", "ssh://u:p@h"), ("DOCKER_HOST", "\x1b[31m://h"),
    ("DOCKER_HOST", "tcp://h:0"), ("DOCKER_HOST", "1.2.3.4"), ("DOCKER_HOST", "h:2375"),
    ("DOCKER_CONTEXT", "nowhere"), ("DOCKER_CONTEXT", "../x"), ("DOCKER_CONTEXT", "\u202ex"),
)  # fmt: skip
_ENGINE_COMMANDS = (
    "images prune --dry-run",
    "images list debian-12",
    "images check mail:7",
    "verify main.cf -p tls12-or-newer -b debian-12",
    "run --scenarios-dir scenarios -b debian-12",
)


def argument_cases(seed: int, count: int) -> list[CampaignCase]:
    """The cases: all whole command lines and addresses, and of the rest as many as are left.

    Of the rest each kind of each option comes once before any comes twice.
    """
    generator = random.Random(seed)
    fixed = [*_list_whole(), *_list_addresses(), *_list_engines()]
    pools = [list(wrongs) for wrongs in _list_pools(generator)]
    for pool in pools:
        generator.shuffle(pool)
    rounds = [pool[number] for number in range(max(map(len, pools))) for pool in pools
              if number < len(pool)]  # fmt: skip
    cases = [*fixed, *rounds][:count]
    return [replace(case, id=f"badargs/{case.kind}/{number}") for number, case in enumerate(cases)]


def _make_case(
    kind: str,
    arguments: Sequence[str],
    place: Place,
    mentions: tuple[str, ...],
    exit_codes: frozenset[int] = _USAGE,
) -> CampaignCase:
    line = list(arguments)
    return CampaignCase("", kind, place.write, lambda _: line, exit_codes, mentions)


def _list_whole() -> Iterator[CampaignCase]:
    for kind, line, mentions in _WHOLE:
        yield _make_case(kind, line.split(), Place(has_run=" run " in f"{line} "), mentions)


def _list_addresses() -> Iterator[CampaignCase]:
    for address in _ADDRESSES:
        mentions = () if "\u202e" in address or address.startswith("-") else (address[:40],)
        yield _make_case("address of a server", ["scan", address], Place(), mentions)


def _list_engines() -> Iterator[CampaignCase]:
    for number, (name, value) in enumerate(_ENGINES):
        line = _ENGINE_COMMANDS[number % len(_ENGINE_COMMANDS)].split()
        hosts = (("DOCKER_HOST", ""),) if name != "DOCKER_HOST" else ()
        place = Place(variables=(*hosts, (name, value)))
        yield _make_case("address of an engine", line, place, (name,))


def _list_pools(generator: random.Random) -> Iterator[Iterable[CampaignCase]]:
    """The wrong forms of each option and argument, and of each command as a whole."""
    for base in COMMANDS:
        command = find_command(base.name)
        for parameter in command.params:
            yield _spoil_parameter(base, parameter, generator)
        yield _spoil_command(base, generator)


def find_command(name: Sequence[str]) -> click.Command:
    """The command with that name, such as ``("images", "list")``."""
    command: click.Command = cli
    for part in name:
        assert isinstance(command, click.Group)
        found_command = command.get_command(click.Context(command), part)
        assert found_command is not None, part
        command = found_command
    return command


def _spoil_command(base: CommandBase, generator: random.Random) -> Iterator[CampaignCase]:
    """Options that the command has not, misspelt or unknown; and too many arguments."""
    place = Place(has_run=base.needs_run)
    command = find_command(base.name)
    options = [p.opts[0] for p in command.params if isinstance(p, click.Option)]
    unknown = "--" + "".join(generator.choices(string.ascii_lowercase, k=12))
    yield _make_case("unknown option", [*base.line, unknown], place, (unknown,))
    if options:
        misspelt = _misspell(generator.choice(options), generator)
        yield _make_case("unknown option", [*base.line, misspelt], place, ())
        valued = [
            p.opts[0] for p in command.params if isinstance(p, click.Option) and not p.is_flag
        ]
        if valued:
            last = generator.choice(valued)
            yield _make_case("option without its value", [*base.line, last], place, (last,))
    name = list(base.name)
    name[-1] = _misspell(name[-1], generator)
    yield _make_case("unknown command", [*name, *base.arguments], place, (name[-1],))
    if all(p.nargs == 1 for p in command.params if isinstance(p, click.Argument)):
        extra = ["superfluous"] * 4
        yield _make_case("too many arguments", [*base.line, *extra], place, ("superfluous",))


def _misspell(name: str, generator: random.Random) -> str:
    """A name with one letter more, less or another, which is no beginning of it."""
    at = generator.randrange(3 if name.startswith("--") else 1, len(name))
    letter = generator.choice("qxzjv".replace(name[at], ""))
    return generator.choice((name[:at] + letter + name[at:], name[:at] + letter + name[at + 1 :]))


def _spoil_parameter(
    base: CommandBase, parameter: click.Parameter, generator: random.Random
) -> Iterator[CampaignCase]:
    """The command line with wrong values of one option, or of one argument."""
    place = Place(has_run=base.needs_run)
    if isinstance(parameter, click.Option):
        if parameter.is_flag:
            return
        option = parameter.opts[0]
        if (base.name[0], option) in _DIAGNOSED:
            return
        for wrong in _list_wrong_values(parameter, generator):
            line = [*base.line, option, *wrong.arguments]
            mentions = wrong.mentions or (option,)
            if (base.name[0], option) in _UNUSED:
                mentions = (option,)
            yield _make_case(wrong.kind, line, place, mentions, wrong.exit_codes)
        return
    for value in _NO_TEXT:
        if len(value) > 5000 or not base.arguments:
            continue
        if isinstance(parameter.type, click.Path) and value not in PATHS.everywhere:
            continue
        line = [*base.name, value, *base.arguments[1:], *base.options]
        yield _make_case("argument", line, place, (), REFUSED)


def _list_wrong_values(parameter: click.Option, generator: random.Random) -> Iterator[Wrong]:
    option, kind = parameter.opts[0], parameter.type
    if option in _GLOBS:
        axis = option.removeprefix("--").removesuffix("s")
        yield from _spell_all("glob", _NO_TEXT, ())
        yield from _spell_all("glob", _NO_GLOBS[:2], ("no name and no glob",), REFUSED)
        yield from _spell_all("glob", _NO_GLOBS[2:], (axis,), REFUSED)
        for _ in range(4):
            name = _misspell(_GLOBS[option], generator)
            yield Wrong("glob", (name,), (name,), REFUSED)
        yield Wrong("glob", ("!*",), (axis,), REFUSED)
    elif isinstance(kind, WholeNumber | Seconds):
        numbers = [text for text in _NO_NUMBERS if text != "1e3"] + ["1e3"]
        yield from _spell_all("number", (*_NO_TEXT, *numbers), (option,))
        yield Wrong("number", (str(-generator.randrange(1, 10**9)),), (option,))
    elif isinstance(kind, click.Choice):
        yield from _spell_all("choice", (*_NO_TEXT, *_NO_CHOICES), (option,))
        yield Wrong("choice", (_misspell(str(kind.choices[0]), generator),), (option,))
    else:
        yield from _list_wrong_paths(option, kind)


def _list_wrong_paths(option: str, kind: click.ParamType[object]) -> Iterator[Wrong]:
    """Wrong paths, and values with a grammar of their own."""
    if isinstance(kind, OutputFile):
        yield from _spell_all("output file", (*PATHS.everywhere, *PATHS.no_output_file), ())
    elif isinstance(kind, OutputFolder):
        yield from _spell_all("output folder", (*PATHS.everywhere, *PATHS.no_output_folder), ())
    elif isinstance(kind, InputFolder):
        yield from _spell_all("folder", (*PATHS.everywhere, *PATHS.no_folder), ())
    elif isinstance(kind, click.Path):
        yield from _spell_all("path", (*PATHS.everywhere, *_SPECIAL.get(option, ())), ())
    else:
        yield from _spell_all("text", _NO_TEXT[:2], ())
        yield from _spell_all(f"value of {option}", _SPECIAL.get(option, ()), (), REFUSED)


def _spell_all(
    kind: str,
    values: Iterable[str],
    mentions: tuple[str, ...],
    exit_codes: frozenset[int] = _USAGE,
) -> Iterator[Wrong]:
    """A wrong value each; where nothing else is to be named, the value itself if it can be."""
    for value in values:
        is_plain = value.isascii() and value.isprintable() and 2 < len(value) < 100
        named = mentions or ((value,) if is_plain else ())
        yield Wrong(kind, (value,), named, exit_codes)
