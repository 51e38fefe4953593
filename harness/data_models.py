"""Checks data of users' files against pydantic models, and puts its errors into sentences.

A model is a class of pydantic or a frozen dataclass; types are strict: ``true`` is no number, and
"1" is none either. pydantic is loaded by the first file that is checked.
"""

from __future__ import annotations

import difflib
import json
import re
import reprlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_type_hints

from harness.errors import FileError, FileLocation
from harness.json_text import Place, find_lines

if TYPE_CHECKING:
    from pydantic import TypeAdapter, ValidationError

T = TypeVar("T")
#: So many errors of a text get a line; a message lists no more.
_MOST_PROBLEMS = 100
#: What pydantic's kinds of errors expect.
_EXPECTED = {
    "string": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "tuple": "a list",
    "list": "a list",
    "dict": "an object",
    "mapping": "an object",
    "dataclass": "an object",
    "model": "an object",
    "typed_dict": "an object",
    "finite_number": "a finite number",
    "date": "a day such as 2016-09-19",
}
_NO_VALUE = ("missing", "extra_forbidden", "unexpected_keyword_argument")


@dataclass(frozen=True, slots=True)
class DataProblem:
    """A value that a model does not allow.

    ``what`` and ``expected`` are parts of a message; ``is_unknown``: the model has no such key.
    """

    place: Place
    what: str
    expected: str
    is_unknown: bool = False

    @property
    def key(self) -> str:
        """The place as messages have it: ``rows.3.offer``."""
        return ".".join(map(str, self.place))


class DataError(ValueError):
    """Data is not as its model has it; ``problems`` are sorted, the most telling one first."""

    def __init__(self, problems: Iterable[DataProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(f"{p.key}: {p.what}" for p in self.problems[:1]))


def read_json_data(model: type[T], text: str | bytes) -> T:
    """JSON that is known to be well-formed as an instance of a model.

    Raises:
        DataError: a value has a wrong type, a key is missing or, where the model forbids it,
            unknown.
    """
    from pydantic import ValidationError

    try:
        data: T = load_form(model).validate_json(_replace_surrogates(text), strict=True)
    except ValidationError as error:
        raise DataError(list_problems(error, model)) from None
    return data


def _replace_surrogates(text: str | bytes) -> str | bytes:
    """The JSON without halves of pairs of UTF-16, which Python reads and pydantic does not.

    They stand for bytes that are no text (PEP 383).
    """
    if isinstance(text, bytes) or not _SURROGATE.search(text):
        return text
    return json.dumps(json.loads(text), ensure_ascii=False).encode("utf-8", "replace")


def check_json_file(model: type[T], text: str, path: Path) -> T:
    """The same for the text of a file.

    Raises:
        FileError: for the first error, with line and key.
    """
    try:
        return read_json_data(model, text)
    except DataError as error:
        raise locate_problems(error, text, path)[0] from None


def locate_problems(
    error: DataError, text: str, path: Path, *, next_step: str = ""
) -> list[FileError]:
    """The errors of a JSON file, each with its line."""
    lines = find_lines(text, [problem.place for problem in error.problems[:_MOST_PROBLEMS]])
    return [
        FileError(
            FileLocation(path, lines.get(problem.place), problem.key or None),
            problem.what,
            expected=problem.expected,
            next_step=next_step,
        )
        for problem in error.problems
    ]


def load_form(model: type[T]) -> TypeAdapter[T]:
    """What checks data for a model; it takes as long to load as half of this package."""
    # mypy does not take a class for a key.
    key: Any = model
    adapter: TypeAdapter[T] = _make_adapter(key)
    return adapter


@cache
def _make_adapter(model: Any) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter

    return TypeAdapter(model)


def list_problems(
    error: ValidationError, model: type[Any], expected: Callable[[Place], str] = lambda _: ""
) -> list[DataProblem]:
    """pydantic's errors as sentences; ``expected`` has other words for what a place must have.

    A misspelt key is also missing: the one that is there leads to the mistake, and comes first.
    """
    problems = [
        _describe_problem(dict(each), model, expected)
        for each in error.errors(include_url=False, include_context=True)
    ]
    # A union of types gives an error for each of its members.
    unique = {problem.place: problem for problem in reversed(problems)}
    misspelt = {
        (*problem.place[:-1], problem.expected.partition(",")[0])
        for problem in problems
        if problem.is_unknown
    }
    telling = [
        problem for place, problem in unique.items() if place not in misspelt or problem.is_unknown
    ]
    telling.reverse()
    return sorted(telling, key=lambda problem: not problem.is_unknown)


def _describe_problem(
    problem: Mapping[str, Any], model: type[Any], expected: Callable[[Place], str]
) -> DataProblem:
    kind = str(problem["type"])
    place = _clean_place(problem["loc"])
    if kind in _NO_VALUE:
        if kind == "missing":
            return DataProblem(place, "this key is missing", expected(place))
        known = _known_keys(model, place[:-1])
        return DataProblem(place, "unknown key", suggest(str(place[-1]), known), is_unknown=True)
    wanted = expected(place) or _describe_expected(kind, problem)
    return DataProblem(place, f"cannot be {show_value(problem['input'])}", wanted)


def _describe_expected(kind: str, problem: Mapping[str, Any]) -> str:
    context = problem.get("ctx") or {}
    if kind in ("enum", "literal_error"):
        return str(context["expected"])
    if kind in ("greater_than_equal", "greater_than", "less_than_equal", "less_than"):
        bounds = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
        return ", ".join(
            f"{bounds[key]} {value:g}" for key, value in context.items() if key in bounds
        )
    if kind == "predicate_failed":
        return "a value of its vocabulary"
    if kind == "value_error":
        return str(context.get("error", ""))
    if kind == "string_pattern_mismatch":
        return f"a text of the form {context['pattern']}"
    if kind == "string_too_short":
        return "a text that is not empty"
    if kind == "too_short":
        return "a list that is not empty"
    names = (name for name in _EXPECTED if kind.startswith(name))
    return next((_EXPECTED[name] for name in names), str(problem.get("msg", "")))


def _clean_place(loc: Iterable[str | int]) -> Place:
    """pydantic's place without the names of types, which it has for unions and keys of objects."""
    return tuple(
        part
        for part in loc
        if isinstance(part, int) or not (part == "[key]" or part.startswith(("function-", "is-")))
    )


def _known_keys(model: Any, place: Place) -> list[str]:
    """The keys of the part of a model at a place."""
    for part in place:
        options = [model, *_list_arguments(model)]
        inner = [
            hints[str(part)] for option in options if str(part) in (hints := _list_hints(option))
        ]
        model = inner[0] if inner else model
    for option in (model, *_list_arguments(model)):
        if hints := _list_hints(option):
            aliases = getattr(option, "model_fields", {})
            return [
                getattr(aliases.get(name), "alias", None) or name
                for name in hints
                if not name.startswith(("_", "model_config"))
            ]
    return []


def _list_arguments(model: Any) -> list[Any]:
    """The types that a type is made of: of a union, of items, of values."""
    inner = [argument for argument in get_args(model) if argument is not type(None)]
    return inner + [deeper for argument in inner for deeper in _list_arguments(argument)]


def _list_hints(model: Any) -> dict[str, Any]:
    if not isinstance(model, type):
        return {}
    if not (is_dataclass(model) or hasattr(model, "model_fields") or _is_typed_dict(model)):
        return {}
    hints = get_type_hints(model)
    names = {field.name for field in fields(model)} if is_dataclass(model) else hints.keys()
    return {name: hint for name, hint in hints.items() if name in names}


def _is_typed_dict(model: type) -> bool:
    return hasattr(model, "__total__")


def suggest(wrong: str, right: Iterable[str]) -> str:
    """What is allowed: ``smtp? or another of submission, outbound``, the closest name first."""
    names = list(dict.fromkeys(map(str, right)))
    close = difflib.get_close_matches(wrong[:80], names, n=1)
    if not close or len(names) == 1:
        return f"one of {', '.join(names)}" if len(names) > 1 else "".join(names)
    others = ", ".join(name for name in names if name != close[0])
    return f"{close[0]}, or another of {others}"


def show_value(value: object) -> str:
    """A value in a message, however long and deep it is."""
    return _SHORT.repr(value)


_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 80
_SHORT.maxlevel = 3
