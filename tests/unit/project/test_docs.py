"""README.md, CONTRIBUTING.md, docs/*.md: links resolve, commands exist, the English is plain."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from harness.cli.main import cli, run_cli
from postfix_matrix import pytest_plugin
from tests.schema_files import FOLDER, NAMES, faults
from tests.unit.project.pages import ROOT, CodeBlock, Page, joined, read_pages, split_command
from tests.unit.sample_run import write_sample_run

PAGES = read_pages()
WIDTH = 100
#: The info strings that a code block may have. What a report prints has none.
INFOS = frozenset(
    {"", "console", "console docker", "dockerfile", "json", "mermaid", "python", "python docker"}
    | {"python run", "text", "toml", "yaml", "bash"}
)
#: Options in inline code that are those of other programs, or of a driver.
FOREIGN_OPTIONS = frozenset(
    {"--describe", "--help", "--list", "--sslv3", "--build-arg", "--delay"}
    | {"--collect-only", "--dist", "--tx"}
)
#: "a row a cell", "one line a message": what of which.
_CONTAINERS = "row|line|column|cell|table|sentence|container|process|message|request|build"
_CONTENTS = "cell|build|client|service|message|config|scenario|pin|thing|version|protocol|row|line"
#: Terms that docs/glossary.md has replaced, and private English.
REPLACED = {
    r"whoever|nobody|somebody": "name the person or the program",
    r"be had|had for real": "say available or unavailable",
    r"doubters?": "say what is verified",
    r"unasked": "say by default, or only when it is selected",
    r"spelt out": "say explicit",
    r"h[eo]ld(?:s|ing)? (?:\w+ ){0,4}against|held against": "say compared with",
    r"c[oa]mes? to|came of": "say is, or results in",
    r"told of|told as|tells": "say reports, shows or prints",
    r"control configurations?": "say baseline configuration",
    r"everything open|own controls?": "say permissive copy",
    r"foreign": "say user's",
    r"image shop|ImageShop|shop's image": "say image builder",
    r"proofs|provings?": "say control checks",
    r"readiness": "say resources",
    r"bench(?:es)?": "say endpoint",
    r"borders?": "say version boundary",
    r"corners?": "say version combination",
    r"harms?": "say regression",
    r"the post": "say peer network",
    r"lanes?|pace": "say connections, concurrency",
    r"words?": "say message, error text, log line, output or label",
    r"lacks?|lacking|gaps?": "say unavailable, unmeasured, or does not have",
    r"Pure\.": "CONTRIBUTING.md has defined it once",
    rf"(?:an?|one) (?:{_CONTAINERS}) an? (?:{_CONTENTS})": "say one … per …",
}
#: Where such a term is the field's own, or a quotation: (page, text), with the reason.
ALLOWED = {
    ("docs/corpus.md", "nobody logs in"): "a claim, quoted from its scenario",
    ("docs/corpus.md", "Nobody logs in"): "a claim, quoted from its scenario",
    ("docs/corpus.md", "Nobody can downgrade"): "a claim, quoted from its scenario",
}


def find_broken_links(page: Page) -> Iterator[str]:
    """The relative links of a page whose file or anchor does not exist."""
    for target in page.links():
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.path.parent / path).resolve() if path else page.path
        if not file.exists():
            yield f"{page.name}: there is no {target}"
        elif anchor and anchor not in Page(file, file.read_text("utf-8")).anchors():
            yield f"{page.name}: no heading gives {target}"


def find_long_lines(page: Page) -> Iterator[str]:
    """Lines of prose over 100 columns; a row, a heading or a long link cannot be wrapped."""
    for number, line in page.lines():
        is_table = line.lstrip().startswith(("|", "#", "<!--"))
        if (
            len(line) > WIDTH
            and not is_table
            and not re.fullmatch(r"\S*\]\(\S+\)\S*", line.strip())
        ):
            yield f"{page.name}:{number}: {len(line)} columns"


def find_replaced_terms(page: Page) -> Iterator[str]:
    """The replaced terms in a page's English, each with what to say in its place."""
    text = re.sub(r"\s+", " ", page.prose())
    for name, quotation in ALLOWED:
        if name == page.name:
            text = text.replace(quotation, "")
    for pattern, advice in REPLACED.items():
        for match in re.finditer(rf"(?<![\w-])(?:{pattern})(?![\w-])", text):
            around = text[max(0, match.start() - 30) : match.end() + 30]
            yield f"{page.name}: {match[0]!r} in {around!r}: {advice}"


def parse_command(arguments: list[str]) -> None:
    """Parse a command line as click does, and run nothing.

    Raises:
        click.UsageError: an unknown command, an unknown option, or a wrong choice.
    """
    command: click.Command = cli
    context = click.Context(cli, info_name="postfix-matrix")
    while isinstance(command, click.Group):
        if not arguments or arguments[0].startswith("-"):
            break
        name, *arguments = arguments
        child = command.get_command(context, name)
        if child is None:
            raise click.UsageError(f"there is no command {name}")
        command, context = child, click.Context(child, info_name=name, parent=context)
    values, _, _ = command.make_parser(context).parse_args(list(arguments))
    for parameter in command.params:
        value = values.get(parameter.name or "")
        if isinstance(parameter.type, click.Choice) and isinstance(value, str):
            parameter.type.convert(value, parameter, context)


def find_unknown_commands(page: Page) -> Iterator[str]:
    """The command lines of a page that ``postfix-matrix`` would not take."""
    for line in page.command_lines():
        try:
            parse_command(split_command(line))
        except (click.UsageError, ValueError) as error:
            yield f"{page.name}: postfix-matrix {line}: {error}"


def find_missing_programs(page: Page) -> Iterator[str]:
    """The targets of make, the scripts and the modules of commands in a page that do not exist."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    lines = [line for block in page.blocks() for line in joined(block)]
    for text in [*page.spans(), *lines]:
        command = re.match(
            r"(?:\$ )?(?:[A-Z_]+=\S+ )*(?:make (?P<target>[a-z-]+)|(?:python )?"
            r"(?P<script>scripts/\S+)|python -m (?P<module>(?:benchmarks|tests)[\w.]*))",
            text,
        )
        if command is None:
            continue
        target, script, module = command.group("target", "script", "module")
        path = ROOT / (script or (module or "").replace(".", "/"))
        if target and f"\n{target}:" not in makefile:
            yield f"{page.name}: make has no target {target}"
        elif not (target or path.exists() or path.with_suffix(".py").exists()):
            yield f"{page.name}: there is no {script or module}"


def known_options() -> set[str]:
    """Every option of every command, and of the pytest plugin."""
    parser = pytest.Parser(_ispytest=True)
    pytest_plugin.pytest_addoption(parser)
    *_, group = parser._groups
    options = {name for option in group.options for name in option.names()}
    commands: list[click.Command] = [cli]
    while commands:
        command = commands.pop()
        options |= {
            name for param in command.params for name in (*param.opts, *param.secondary_opts)
        }
        if isinstance(command, click.Group):
            context = click.Context(command)
            children = (command.get_command(context, n) for n in command.list_commands(context))
            commands += [child for child in children if child is not None]
    return options


def find_unknown_options(page: Page, known: set[str]) -> Iterator[str]:
    """Options in a page's inline code that no command has."""
    for span in page.spans():
        option = re.match(r"(--[a-z][a-z0-9-]+)", span)
        if option and option[1] not in known | FOREIGN_OPTIONS:
            yield f"{page.name}: no command has {option[1]}"


def blocks_of(*infos: str) -> list[tuple[Page, CodeBlock]]:
    """The code blocks of all pages with one of these info strings."""
    return [(page, block) for page in PAGES for block in page.blocks() if block.info in infos]


def run_python(code: str, folder: Path, *arguments: str) -> str:
    """The standard output of a Python program that ends with 0, run in a folder."""
    script = folder / "page.py"
    script.write_text(code, "utf-8")
    command = [sys.executable, str(script), *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def named(page: Page) -> str:
    """A test's name for a page."""
    return page.name


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_to_a_file_and_a_heading(page: Page) -> None:
    """Protects readers from dead links, which a renamed file or heading leaves behind."""
    assert list(find_broken_links(page)) == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_prose_is_wrapped(page: Page) -> None:
    """Protects readers of the plain text, and of differences between two versions of it."""
    assert list(find_long_lines(page)) == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_replaced_terms_do_not_come_back(page: Page) -> None:
    """Protects the glossary: one term for one thing, in English that is read once."""
    assert list(find_replaced_terms(page)) == []


@pytest.mark.parametrize("schema", NAMES)
def test_schemas_are_described_in_the_same_terms(schema: str) -> None:
    """Protects readers of the published JSON: its fields are explained in the glossary's terms."""
    path = FOLDER / f"{schema}.schema.json"
    texts = re.findall(r'"description": ("(?:[^"\\]|\\.)*")', path.read_text("utf-8"))
    assert texts
    descriptions = Page(path, "\n\n".join(json.loads(text) for text in texts))
    assert list(find_replaced_terms(descriptions)) == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_commands_exist_as_written(page: Page) -> None:
    """Protects what readers copy: each sub-command, option and choice must exist."""
    assert list(find_unknown_commands(page)) == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_programs_exist_as_written(page: Page) -> None:
    """Protects readers of commands that are not postfix-matrix's own."""
    assert list(find_missing_programs(page)) == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_options_in_sentences_exist(page: Page) -> None:
    """Protects options that are named without their command."""
    assert list(find_unknown_options(page, known_options())) == []


def test_code_blocks_say_what_they_are() -> None:
    """Protects the checks below: a block that can be run must not look like one that cannot."""
    unknown = [
        f"{page.name}:{block.line}: {block.info}"
        for page in PAGES
        for block in page.blocks()
        if block.info not in INFOS
    ]
    assert unknown == []


def test_console_blocks_run_without_docker(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Protects commands that are said to need no Docker: each is run, and must end with 0."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no-docker.sock")
    commands = [line for _, block in blocks_of("console") for line in joined(block) if line]
    assert commands
    for line in commands:
        program, *arguments = split_command(line)
        assert program == "postfix-matrix", f"{line}: mark its block 'console docker'"
        assert run_cli(arguments) == 0, line
        assert capsys.readouterr().out, line


def test_python_blocks_compile_and_run(tmp_path: Path) -> None:
    """Protects scripts that readers copy: they run in a folder that holds a run."""
    write_sample_run(tmp_path / "runs" / "latest")
    for page, block in blocks_of("python", "python run", "python docker"):
        compile(block.text, f"{page.name}:{block.line}", "exec")
    # tests/docker/test_wheel.py runs the example of docs/api.md.
    blocks = [block for page, block in blocks_of("python run")]
    assert blocks
    assert all(run_python(block.text, tmp_path) for block in blocks)


def test_the_example_driver_describes_itself(tmp_path: Path) -> None:
    """Protects the page that people copy a driver from; tests/docker runs it on real servers."""
    (driver,) = [
        block.text for page, block in blocks_of("python") if page.path.name == "client-contract.md"
    ]
    assert faults("client-describe", json.loads(run_python(driver, tmp_path, "--describe"))) == []


def test_paths_in_the_architecture_exist() -> None:
    """Protects the table of where things are, which a moved module would make wrong."""
    (page,) = [page for page in PAGES if page.path.name == "architecture.md"]
    paths = {
        span for span in page.spans() if re.fullmatch(r"[\w./-]+/[\w./-]*|\w+\.(?:py|toml)", span)
    }
    missing = [
        path
        for path in paths - {"commands/"}
        if not (ROOT / path).exists() and not (ROOT / "harness" / path).exists()
    ]
    assert sorted(missing) == []


def test_allowances_are_used() -> None:
    """Protects the list of exceptions: one that nothing needs any more has to go."""
    texts = {page.name: re.sub(r"\s+", " ", page.prose()) for page in PAGES}
    assert [(name, text) for name, text in ALLOWED if text not in texts[name]] == []


BAD_PAGE = """\
# One title

See [a file](nowhere.md) and [a heading](#no-such-heading); but [this](#one-title) is here.

This line of prose is longer than the hundred columns that a page may have: {LONG}

Whoever reads the words, a row a cell, holds them against the border.

`postfix-matrix no-such-command`, `postfix-matrix run --no-such-option`, `make matrix ARGS="--bad"`,
`postfix-matrix verify x -p y --format xml`, `--no-such-switch` and `postfix-matrix run -b x`.

`make no-target`, `A=b scripts/no-script`, `python -m benchmarks.no_module`; `make unit` is there.
""".replace("{LONG}", "long " * 20)


def test_each_check_can_fail(tmp_path: Path) -> None:
    """Protects the checks themselves, on a page with one of each fault."""
    page = Page(tmp_path / "page.md", BAD_PAGE)
    page.path.write_text(BAD_PAGE, "utf-8")
    broken = list(find_broken_links(page))
    assert [text.rpartition(" ")[2] for text in broken] == ["nowhere.md", "#no-such-heading"]
    assert len(list(find_long_lines(page))) == 1
    terms = " ".join(find_replaced_terms(page))
    assert all(
        term in terms for term in ("'words'", "'a row a cell'", "'border'", "'holds them against'")
    )
    commands = list(find_unknown_commands(page))
    assert [text.rpartition("postfix-matrix ")[2].split(":")[0] for text in commands] == [
        "no-such-command", "run --no-such-option", "run --bad", "verify x -p y --format xml",
    ]  # fmt: skip
    missing = list(find_missing_programs(page))
    assert [text.rpartition(" ")[2] for text in missing] == [
        "no-target", "scripts/no-script", "benchmarks.no_module",
    ]  # fmt: skip
    assert list(find_unknown_options(page, known_options())) == [
        f"{page.path}: no command has --no-such-switch"
    ]


def test_a_block_is_told_from_prose() -> None:
    """Protects the reading of pages: code is no English, a command may go on in the next line."""
    page = Page(
        ROOT / "x.md", "a\n```console\n$ printf x |\n    postfix-matrix list  # all\n```\nb `c d`\n"
    )
    assert page.lines() == [(1, "a"), (6, "b `c d`")]
    assert page.command_lines() == ["list  # all"]
    assert split_command("run -s 'a b' -o x | less # y") == ["run", "-s", "a b", "-o", "x"]
    assert page.prose() == "a\nb `code`"
