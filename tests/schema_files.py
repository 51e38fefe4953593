"""The published JSON Schemas, ready to hold data against. Shared by unit and Docker tests."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource

FOLDER = Path(__file__).parents[1] / "docs" / "schemas"
NAMES = (
    "observation",
    "run",
    "evidence",
    "instance",
    "client-request",
    "client-result",
    "client-describe",
    "verdicts",
    "verify",
    "explain",
    "since",
    "scan",
    "snapshot",
    "comparison",
    "tool",
    "show",
    "list",
    "clients",
    "doctor",
    "images-list",
    "images-reachable",
    "images-build",
    "images-push",
    "images-check",
    "clients-check",
    "catalog-list",
)


@cache
def schema(name: str) -> dict[str, Any]:
    """One schema, as published."""
    data: dict[str, Any] = json.loads((FOLDER / f"{name}.schema.json").read_text("utf-8"))
    return data


@cache
def validator(name: str) -> Draft202012Validator:
    """A validator that finds the other schemas by their ``$id``, and nothing outside."""
    resources = [Resource.from_contents(schema(one)) for one in NAMES]
    registry: Registry[Any] = Registry().with_resources(
        [(one.id() or "", one) for one in resources]
    )
    return Draft202012Validator(schema(name), registry=registry)


def faults(name: str, data: object) -> list[str]:
    """What is wrong with ``data`` by a schema, a line each with the place; [] if nothing is."""
    return [
        f"{error.json_path}: {error.message}"[:500] for error in validator(name).iter_errors(data)
    ]
