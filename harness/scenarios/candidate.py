"""A candidate without a scenario folder: a user's configuration, read as a scenario."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from harness.config_input.forms import (
    Footing,
    read_configuration,
)
from harness.config_input.text import STDIN
from harness.errors import UsageError
from harness.postfix_config.master_cf import parse_master_cf
from harness.scenarios.claims import Claims
from harness.scenarios.configuration_files import collect_files
from harness.scenarios.configuration_source import ConfigurationSource
from harness.scenarios.instance import key_paths
from harness.scenarios.scenario import Scenario
from harness.tls import Service

_LONGEST_SLUG = 28


def read_candidate(
    texts: Mapping[Path, str],
    service: Service | None,
    claims: Claims | None = None,
    *,
    footing: Footing | None = None,
    notes: Iterable[str] = (),
    source: str = "",
) -> Scenario:
    """Read a candidate.

    Args:
        texts: each file's text by its path, for messages; ``-`` for standard input.
        service: the service to which -o lines belong if there is no entry before them.
        claims: what is expected of it.
        footing: a whole configuration, or lines for one; None: as the texts show.
        notes: what was already changed in order to read the texts.
        source: its origin, if the texts' paths do not show it.

    Raises:
        FileError: options without an entry, or a text that sets nothing.
    """
    read = read_configuration(texts, service, footing, notes)
    parse_master_cf(read.master_cf)
    named = ("standard input" if path == STDIN else str(path) for path in texts)
    return Scenario(
        id="candidate",
        title="the candidate",
        source=source or ", ".join(named),
        claim="",
        main_cf=read.main_cf,
        master_cf=read.master_cf,
        overlay=read.overlay,
        whole=read.whole,
        reading=read.notes,
        claims=claims or Claims(),
    )


def make_candidate(
    given: ConfigurationSource,
    service: Service | None = None,
    claims: Claims | None = None,
    *,
    footing: Footing | None = None,
    source: str = "",
) -> Scenario:
    """Read a candidate with the further files that it names; arguments as :func:`read_candidate`.

    Raises:
        FileError: options under no entry, or a text that sets nothing.
    """
    candidate = read_candidate(
        given.texts, service, claims, footing=footing, notes=given.notes, source=source
    )
    further = collect_files(
        candidate.main_cf,
        candidate.master_cf,
        given.trees,
        given.directory,
        key_paths(candidate).__contains__,
    )
    return replace(candidate, files=further.files, reading=(*candidate.reading, *further.notes))


def make_test_id(name: str, digest: str) -> str:
    """The id of a test's candidate, ``test-NAME-DIGEST``: at most 48 characters, so that a
    snapshot's check can add to it within the 63 of a host name's label.

    It is the name of a folder, and a part of a host name and of each cell's id.
    """
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:_LONGEST_SLUG].strip("-")
    return "-".join(filter(None, ("test", slug, digest.removeprefix("sha256:")[:12])))


def format_setting(name: str, value: str) -> str:
    """A line of main.cf; each further line of the value begins with a space, as postconf(5) has it.

    Raises:
        UsageError: the value is no string.
    """
    if not isinstance(value, str):
        raise UsageError(
            f"the value of {name} is no string: {value!r}",
            next_step="write it as in main.cf, such as 'yes' or '3600s'",
        )
    return f"{name} = {value}".rstrip().replace("\n", "\n ") + "\n"
