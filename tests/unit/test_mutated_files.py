"""Real files with random changes: each is read, or refused with an error that names the file."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.clients.contract import ClientProtocolError, ClientResult
from harness.errors import FileError, FileErrors
from harness.observations.run_folder import load_run
from harness.scenarios.policies import load_policies
from harness.scenarios.policy_file import parse_policies
from harness.scenarios.scenario import load_scenario
from harness.snapshots.known_failures import parse_known_failures
from harness.snapshots.snapshot_file import parse_snapshot
from harness.snapshots.snapshot_text import format_snapshot
from harness.tools.tool_file import load_tool
from tests.campaign import file_bases as bases
from tests.unit.snapshots.test_snapshot_file import sample

RUN = json.loads((bases.RUN_FOLDER / "run.json").read_text("utf-8"))
OBSERVATIONS = (bases.RUN_FOLDER / "observations.jsonl").read_text("utf-8")
POLICIES = load_policies()
RESULT = {
    "contract": 1, "id": "a", "outcome": "refused", "stage": "handshake", "protocol": "TLSv1.2",
    "cipher": "AES256-SHA", "bits": 256, "group": None, "reply": {"code": 454, "text": "no"},
    "error": "alert", "local_address": "10.0.0.2:4711", "queue_id": None, "seconds": 0.1,
    "dialogue": ["S: 220"], "peer_certificate": None, "resumed": False,
}  # fmt: skip
PIECES = ["", "\n", '"', "[", "]", "{", "}", "=", ",", "\0", "\ufeff", "é", "1", "-1", "nan", "NaN"]
PIECES += ["true", "null", "[[expect]]", "[policy]", "= 7", '""', "\\", "[" * 3000, "9" * 5000]
CHANGES = st.lists(
    st.tuples(st.integers(0, 10_000), st.integers(0, 12), st.sampled_from(PIECES)),
    min_size=1,
    max_size=3,
)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=4,
)
FEW = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


def change_text(text: str, changes: list[tuple[int, int, str]]) -> str:
    """The text with pieces of it replaced."""
    for at, length, piece in changes:
        start = at % (len(text) + 1)
        text = text[:start] + piece + text[start + length :]
    return text


def change_value(data: Any, path: list[int], value: Any) -> Any:
    """JSON with the value at a random place replaced."""
    if isinstance(data, dict) and data and path:
        key = list(data)[path[0] % len(data)]
        return {**data, key: change_value(data[key], path[1:], value)}
    if isinstance(data, list) and data and path:
        at = path[0] % len(data)
        return [*data[:at], change_value(data[at], path[1:], value), *data[at + 1 :]]
    return value


def read_or_refuse(read: Callable[[], object], name: str) -> None:
    """Read a file; an error must name it."""
    message = name
    try:
        read()
    except (FileError, FileErrors) as error:
        message = str(error)
    assert name in message


@FEW
@given(CHANGES)
def test_a_changed_scenario_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int, str]]
) -> None:
    """Protects against tracebacks from what users write in scenario.toml."""
    folder = tmp_path_factory.mktemp("case")
    bases.write_scenarios(folder)
    path = folder / "scenarios/advice/scenario.toml"
    path.write_text(change_text(bases.SCENARIO, changes), "utf-8")
    read_or_refuse(lambda: load_scenario(path.parent, POLICIES), "scenario.toml")


@FEW
@given(CHANGES, st.sampled_from(["policies", "known", "tool"]))
def test_other_changed_toml_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int, str]], which: str
) -> None:
    """Protects against tracebacks from policies.toml, known.toml and tool.toml."""
    path = Path(f"{which}.toml")
    if which == "policies":
        text = change_text(bases.POLICIES, changes)
        read_or_refuse(lambda: parse_policies(text, path), path.name)
    elif which == "known":
        text = change_text(bases.KNOWN, changes)
        read_or_refuse(lambda: parse_known_failures(text, path), path.name)
    else:
        folder = tmp_path_factory.mktemp("case")
        bases.write_tool(folder)
        path = folder / "tool/tool.toml"
        path.write_text(change_text(bases.TOOL, changes), "utf-8")
        read_or_refuse(lambda: load_tool(path), path.name)


@FEW
@given(st.lists(st.integers(0, 50), min_size=1, max_size=6), JSON_VALUES)
def test_a_changed_run_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, path: list[int], value: Any
) -> None:
    """Protects against tracebacks from run folders that other machines wrote."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "run.json").write_text(json.dumps(change_value(RUN, path, value)), "utf-8")
    lines = OBSERVATIONS.splitlines()
    (folder / "observations.jsonl").write_text(OBSERVATIONS, "utf-8")
    read_or_refuse(lambda: load_run(folder), "run.json")
    (folder / "run.json").write_text(json.dumps(RUN), "utf-8")
    lines[1] = json.dumps(change_value(json.loads(lines[1]), path, value))
    (folder / "observations.jsonl").write_text("\n".join([*lines, ""]), "utf-8")
    read_or_refuse(lambda: load_run(folder), "observations.jsonl")


@FEW
@given(st.lists(st.integers(0, 50), min_size=1, max_size=6), JSON_VALUES, CHANGES)
def test_a_changed_snapshot_is_read_or_refused(
    path: list[int], value: Any, changes: list[tuple[int, int, str]]
) -> None:
    """Protects against tracebacks from snapshots that were edited, or merged badly."""
    text = format_snapshot(sample())
    for changed in (
        change_text(text, changes),
        json.dumps(change_value(json.loads(text), path, value)),
    ):
        read_or_refuse(partial(parse_snapshot, changed, Path("snapshot.json")), "snapshot.json")


@FEW
@given(st.lists(st.integers(0, 50), min_size=1, max_size=3), JSON_VALUES, CHANGES)
def test_a_changed_result_is_read_or_refused(
    path: list[int], value: Any, changes: list[tuple[int, int, str]]
) -> None:
    """Protects runs from clients' images that print anything."""
    for line in (
        json.dumps(change_value(RESULT, path, value)),
        change_text(json.dumps(RESULT), changes),
    ):
        try:
            result = ClientResult.from_json(line)
        except ClientProtocolError:
            continue
        assert result.bits is None or result.bits >= 0
        assert result.seconds is None or 0 <= result.seconds < float("inf")


WRONG_VALUES: dict[str, tuple[object, ...]] = {
    "bits": (-1, True, 1.5, "256"),
    "seconds": (float("nan"), float("inf"), -0.5, True),
    "contract": (True, 2, "1", None),
    "reply": ({"code": True, "text": ""}, {"code": 45, "text": ""}, []),
    "outcome": ("refusd", None, 1),
    "stage": (None, "nowhere"),
    "protocol": ("TLSv9", 1),
    "dialogue": ("S: 220", [1]),
    "resumed": (0,),
}


@pytest.mark.parametrize(
    ("key", "value"), [(key, value) for key, values in WRONG_VALUES.items() for value in values]
)
def test_a_wrong_value_of_a_result_is_refused_with_its_key(key: str, value: object) -> None:
    """Protects observations: a client's result has the contract's types, or is none."""
    with pytest.raises(ClientProtocolError, match=f"{key}|contract version|NaN|Infinity"):
        ClientResult.from_json(json.dumps({**RESULT, key: value}))
