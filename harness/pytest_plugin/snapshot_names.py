"""Names for the files of snapshots: one for each test, the same on every build."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

#: Characters of a test's parameters that a name keeps; a dot would separate parts of the name.
_UNUSUAL = re.compile(r"[^A-Za-z0-9_+=-]+")
#: Letters of parameters that a name has at most.
_LONGEST = 60


def name_snapshot(
    module: str, classes: Sequence[str], test: str, parameters: str, name: str = ""
) -> str:
    """The file's name: ``test_mail.TestRelay.harden-strict.first.json``.

    Args:
        module: the test file's name without its suffix.
        classes: the classes that the test is in, from the outside; their names stay as they are.
        test: the function's name; ``test_`` is left out.
        parameters: the test's id between brackets, without the build.
        name: the snapshot's own name, where a test has several.
    """
    function = re.sub(r"^test_?", "", test) or test
    if parameters:
        function += f"-{_make_slug(parameters)}"
    return ".".join((module, *classes, function, *([name] if name else []), "json"))


def without_build(test_id: str, build: str) -> str:
    """A test's id between brackets without the build: ``strict`` of ``debian-12-strict``.

    The plugin's own part comes first, unless another plugin or a conftest.py insists on that.
    """
    if test_id == build:
        return ""
    if test_id.startswith(f"{build}-"):
        return test_id.removeprefix(f"{build}-")
    if test_id.endswith(f"-{build}"):
        return test_id.removesuffix(f"-{build}")
    return test_id.replace(f"-{build}-", "-", 1)


def _make_slug(parameters: str) -> str:
    """Parameters as a part of a name; what is left out is told apart by a digest."""
    slug = _UNUSUAL.sub("-", parameters).strip("-")[:_LONGEST]
    if slug == parameters:
        return slug
    digest = hashlib.sha256(parameters.encode()).hexdigest()[:6]
    return f"{slug}-{digest}" if slug else digest
