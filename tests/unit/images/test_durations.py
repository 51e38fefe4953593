"""How long images took to build here: the estimate of the next time."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.images.durations import Durations


def test_the_last_duration_is_recalled(tmp_path: Path) -> None:
    """By the name, so that a recipe that has changed has an estimate too."""
    durations = Durations(tmp_path)
    assert durations.recall("openssl-3.5.7-stock") is None
    durations.remember("openssl-3.5.7-stock", 300.04)
    durations.remember("openssl-3.5.7-stock", 240.0)
    assert Durations(tmp_path).recall("openssl-3.5.7-stock") == 240.0
    assert durations.recall("openssl-1.1.1w-stock") is None


def test_steps_from_the_engines_cache_are_no_estimate(tmp_path: Path) -> None:
    """A second try that only writes labels takes seconds; the next whole build takes minutes."""
    durations = Durations(tmp_path)
    durations.remember("pair", 300.0)
    durations.remember("pair", 2.0)
    assert durations.recall("pair") == 300.0


@pytest.mark.parametrize("text", ["", "{", "[]", '{"seconds": "long"}', '{"seconds": null}'])
def test_a_damaged_record_is_none(tmp_path: Path, text: str) -> None:
    """An estimate must not stop a build."""
    durations = Durations(tmp_path)
    durations.remember("pair", 300.0)
    (tmp_path / "durations" / "pair.json").write_text(text)
    assert durations.recall("pair") is None


def test_a_cache_that_cannot_be_written_does_not_stop_a_build(tmp_path: Path) -> None:
    """The image is built already."""
    (tmp_path / "durations").write_text("in the way")
    Durations(tmp_path).remember("pair", 300.0)
