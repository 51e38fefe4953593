"""The documentation's Markdown files, taken apart: prose, code blocks, links, command lines."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
#: What a report printed, copied into a page with its measured figures: "<!-- protocols: begin -->".
_PRINTED = re.compile(r"<!-- protocols: begin -->.*?<!-- protocols: end -->", re.DOTALL)
_FENCE = re.compile(r"(?P<fence>`{3,})(?P<info>.*)")
_SPAN = re.compile(r"(`+)(?P<code>.+?)\1", re.DOTALL)
_LINK = re.compile(r"\]\((?P<target>[^()\s]+(?:\([^()\s]*\)[^()\s]*)?)\)")
_HEADING = re.compile(r"#{1,6} (?P<text>.+)")
_COMMAND = re.compile(r"(?:^|(?<=[\s$|]))(?:\.venv/bin/)?postfix-matrix(?P<arguments>(?: .*)?)$")
_MAKE = re.compile(r"make matrix ARGS=(?P<quote>[\"'])(?P<arguments>.*?)(?P=quote)(?=\s|$)")


@dataclass(frozen=True, slots=True)
class CodeBlock:
    """A fenced block: its info string (``console docker``), its text, the line it begins in."""

    info: str
    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Page:
    """One file; ``text`` is its Markdown."""

    path: Path
    text: str

    @property
    def name(self) -> str:
        """The path as a reader of the repository would write it."""
        return (
            str(self.path.relative_to(ROOT)) if self.path.is_relative_to(ROOT) else str(self.path)
        )

    def blocks(self) -> list[CodeBlock]:
        """The fenced code blocks."""
        return [block for _, block in _split(self.text) if block is not None]

    def lines(self) -> list[tuple[int, str]]:
        """The lines outside of code blocks, by number."""
        return [(number, text) for number, text in _lines_outside(self.text)]

    def prose(self) -> str:
        """What is written in English: no code, no link targets, no printed tables."""
        text = "\n".join(text for _, text in _lines_outside(_PRINTED.sub("", self.text)))
        return _LINK.sub("]", _SPAN.sub("`code`", text))

    def spans(self) -> list[str]:
        """Inline code, each with single spaces, as it is in a table too."""
        text = "\n".join(text for _, text in self.lines())
        codes = (match["code"] for match in _SPAN.finditer(text))
        return [re.sub(r"\s+", " ", code).replace("\\|", "|").strip() for code in codes]

    def links(self) -> list[str]:
        """The targets of links and images."""
        text = "\n".join(text for _, text in self.lines())
        return [match["target"] for match in _LINK.finditer(_SPAN.sub("`code`", text))]

    def anchors(self) -> set[str]:
        """The anchors that GitHub gives the headings: a second one of a name ends with -1."""
        anchors: set[str] = set()
        for _, line in self.lines():
            if heading := _HEADING.fullmatch(line):
                slug = base = make_slug(heading["text"])
                number = 0
                while slug in anchors:
                    number += 1
                    slug = f"{base}-{number}"
                anchors.add(slug)
        return anchors

    def command_lines(self) -> list[str]:
        """Every ``postfix-matrix …`` of code blocks and inline code, without the program's name."""
        commands: list[str] = []
        for text in [*self.spans(), *(line for block in self.blocks() for line in joined(block))]:
            commands += find_commands(text)
        return commands


def read_pages() -> list[Page]:
    """README.md, CONTRIBUTING.md, images/README.md, docs/*.md; CHANGELOG.md is history."""
    names = ("README.md", "CONTRIBUTING.md", "images/README.md")
    paths = [*(ROOT / name for name in names), *sorted((ROOT / "docs").glob("*.md"))]
    return [Page(path, path.read_text("utf-8")) for path in paths]


def joined(block: CodeBlock) -> Iterator[str]:
    """A block's lines; one that ends with a backslash or a pipe goes on in the next."""
    held = ""
    for line in block.text.splitlines():
        held += f" {line.strip()}" if held else line
        if held.endswith(("\\", "|")):
            held = held.removesuffix("\\")
            continue
        yield held
        held = ""


def find_commands(text: str) -> list[str]:
    """The arguments of every postfix-matrix in a line of shell, and of ``make matrix``."""
    commands = [match["arguments"] for match in _MAKE.finditer(text)]
    commands = [f"run {arguments}" for arguments in commands]
    if match := _COMMAND.search(text):
        commands.append(match["arguments"].strip())
    return commands


def split_command(arguments: str) -> list[str]:
    """A command line as a shell splits it: without its comment, up to a pipe or a redirection."""
    lexer = shlex.shlex(arguments, posix=True, punctuation_chars="|;&<>")
    lexer.whitespace_split = True
    tokens: list[str] = []
    for token in lexer:
        if set(token) <= set("|;&<>"):
            break
        tokens.append(token)
    return tokens


def make_slug(heading: str) -> str:
    """A heading's anchor as GitHub makes it: lower case, no punctuation, hyphens for spaces."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").strip().lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def _split(text: str) -> Iterator[tuple[int, CodeBlock | None]]:
    """Each line's number with None, or a code block where one ends."""
    opening: re.Match[str] | None = None
    content: list[str] = []
    begun = 0
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if opening is not None:
            if stripped == opening["fence"]:
                yield begun, CodeBlock(opening["info"].strip(), "\n".join(content), begun)
                opening = None
            else:
                content.append(line)
        elif opening := _FENCE.fullmatch(stripped):
            begun, content = number, []
        else:
            yield number, None


def _lines_outside(text: str) -> Iterator[tuple[int, str]]:
    lines = text.splitlines()
    for number, block in _split(text):
        if block is None:
            yield number, lines[number - 1]
