"""Addresses: safe as paths, and the cell's id again in the fragment."""

from __future__ import annotations

import re
from urllib.parse import unquote

from hypothesis import given
from hypothesis import strategies as st

from harness.site.addresses import cell_link, link_segment, path_segment


@given(st.text(max_size=300))
def test_a_segment_is_one_safe_folder(name: str) -> None:
    """Whatever a name is, it leads into no other folder, and is no hidden one."""
    segment = path_segment(name)
    assert re.fullmatch(r"[A-Za-z0-9_+~-][A-Za-z0-9._+~-]*", segment)
    assert len(segment) < 200


@given(st.text(max_size=60), st.text(max_size=60))
def test_two_names_have_two_folders(first: str, second: str) -> None:
    """No page replaces another's."""
    assert (path_segment(first) == path_segment(second)) is (first == second)


def test_names_of_the_catalog_are_their_own_folders() -> None:
    """An address can be read and typed; links write + in a form that every host understands."""
    name = "postfix-3.7.11+openssl-1.1.1w"
    assert path_segment(name) == name
    assert link_segment(name) == "postfix-3.7.11%2Bopenssl-1.1.1w"
    assert path_segment("..") == "~2E."
    assert path_segment("registry.example/x:1") == "registry.example~2Fx~3A1"


def test_a_cells_address_is_its_id() -> None:
    """Build and scenario are the path, the rest is the fragment; @RUN pins it."""
    cell = "debian-12/defaults/smtp/openssl-1.0.2h/TLSv1.2+ciphers=RC4-SHA:RC4-MD5"
    link = cell_link(cell)
    assert link.startswith("cell/debian-12/defaults/#")
    assert unquote(link.partition("#")[2]) == cell.split("/", 2)[2]
    assert cell_link(cell, "20261101T010000Z-aaaa").endswith("@20261101T010000Z-aaaa")
