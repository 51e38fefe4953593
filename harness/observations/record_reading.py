"""Reads what a run.json has from the data that would be written, without a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.data_models import load_form
from harness.observations.run_json import ImageInfo, RunRecord


def read_record(data: Mapping[str, Any]) -> RunRecord:
    """The content of a run.json that is known to be one (``run_record`` makes it)."""
    return load_form(RunRecord).validate_python(data)


def read_image(data: Mapping[str, Any]) -> ImageInfo:
    """What a run.json records of an image."""
    return load_form(ImageInfo).validate_python(data)
