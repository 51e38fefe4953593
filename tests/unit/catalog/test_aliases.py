"""Names that people search for: each leads to clients that are there."""

from __future__ import annotations

from collections import Counter

import pytest

from harness.catalog.aliases import (
    describe_stand_ins,
    find_software,
    format_software,
    search_software,
    software_names,
)
from harness.catalog.clients import find_client, is_build_client
from harness.errors import UsageError


def test_every_stand_in_is_a_client() -> None:
    """Protects -c: a name never leads to a client that is not there, and none has two meanings."""
    names = Counter(name for known in software_names() for name in (known.id, *known.also))
    assert [name for name, count in names.items() if count > 1] == []
    for known in software_names():
        assert known.stand_ins, known.id
        for client in (*known.hellos, *known.like):
            assert find_client(client).name == client
    assert not any(is_build_client(name) or name.startswith("hello-") for name in names)


@pytest.mark.parametrize(
    "name", ["outlook-2016", "iphone", "windows-7", "hp-scanner", "woocommerce", "apple-mail"]
)
def test_names_that_people_search_for_are_known(name: str) -> None:
    """Protects the names of the issue, and that a stand-in is said to be one."""
    software = find_software(name)
    assert software is not None
    assert "stand for it" in describe_stand_ins(name, software)
    assert software.about in " ".join(format_software(software).split())


def test_a_part_of_a_name_finds_all_that_have_it() -> None:
    """Protects ``clients list --for``: a part of a name is enough; a whole one is that alone."""
    assert {known.id for known in search_software("windows")} >= {"outlook-windows-7", "outlook"}
    assert [known.id for known in search_software("Outlook")] == ["outlook"]


def test_an_unknown_name_has_a_next_step() -> None:
    """Protects against an empty answer."""
    with pytest.raises(UsageError, match="nothing here stands for 'lotus'") as raised:
        search_software("lotus")
    assert "iphone" in raised.value.next_step
