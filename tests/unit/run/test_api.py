"""What the Python API takes as a configuration. Docker is left out."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from harness.api import Configuration, read_scenario
from harness.errors import HarnessError, UsageError


def test_a_value_of_several_lines_is_read_whole() -> None:
    """Its second line was left out, and something else was measured than was asked for."""
    scenario = read_scenario({"smtpd_recipient_restrictions": "permit_mynetworks,\nreject"})
    assert scenario.main_cf == "smtpd_recipient_restrictions = permit_mynetworks,\n reject\n"


@pytest.mark.parametrize("text", ["/etc/postfix", "main.cf"])
def test_a_string_that_is_a_path_is_refused_with_what_to_write(text: str) -> None:
    """Protects the first attempt of most readers."""
    with pytest.raises(UsageError) as caught:
        read_scenario(text)
    assert f"Path({text!r})" in caught.value.next_step


def test_a_value_that_is_no_string_is_refused() -> None:
    """Postfix has no boolean True: it would be measured as an error of the configuration."""
    with pytest.raises(UsageError, match="smtpd_use_tls is no string: True"):
        read_scenario(cast("Configuration", {"smtpd_use_tls": True}))


@pytest.mark.parametrize("nothing", ["", {}, [], Path("/nonexistent")])
def test_what_sets_nothing_is_an_error_of_ours(nothing: Configuration) -> None:
    """All errors of the API are the harness's own."""
    with pytest.raises(HarnessError):
        read_scenario(nothing)


def test_the_id_has_the_name_and_the_content() -> None:
    """It is a folder, and a part of a host name: at most 60 characters."""
    first = read_scenario("smtpd_use_tls = yes\n", name="Ä role / " + "x" * 90)
    second = read_scenario("smtpd_use_tls = no\n", name="Ä role / " + "x" * 90)
    assert first.id.startswith("test-role-xxx")
    assert first.id != second.id
    assert max(len(first.id), len(second.id)) <= 60
