"""The address of this project's home page, for answers and reports.

It is that of the installed package (``[project.urls]`` in pyproject.toml), unless the environment
variable POSTFIX_MATRIX_PROJECT_URL names another one; its value "none" leaves it out.
"""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, metadata
from urllib.parse import urlsplit

from harness.errors import UsageError

VARIABLE = "POSTFIX_MATRIX_PROJECT_URL"
PACKAGE = "postfix-matrix"
#: The value of the variable that leaves the address out.
NONE = "none"


def project_url() -> str:
    """The address; "" where there is none.

    Raises:
        UsageError: the variable's value is no http or https URL.
    """
    named = os.environ.get(VARIABLE, "").strip()
    if named == NONE:
        return ""
    if named:
        if not _is_web_address(named):
            raise UsageError(
                f"{VARIABLE}={named!r} is no URL",
                next_step=f"write one such as https://git.example.org/{PACKAGE}, or {NONE}",
            )
        return named
    url = _packaged_url()
    # RFC 2606: this name never leads anywhere. A fork or a copy may not have an address yet.
    host = urlsplit(url).hostname or ""
    return "" if host == "example" or host.endswith(".example") else url


def _is_web_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    whole = text.isprintable() and not any(mark in text for mark in " <>\"'`|")
    return whole and parts.scheme in ("http", "https") and bool(parts.hostname)


def _packaged_url() -> str:
    try:
        urls = metadata(PACKAGE).get_all("Project-URL") or []
    except PackageNotFoundError:
        return ""
    labelled = (str(entry).partition(", ") for entry in urls)
    return next((url for label, _, url in labelled if label == "Homepage"), "")
