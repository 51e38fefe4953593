"""The files that are written for an instance, and those that lie there already."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness.postfix_config.key_files import FileKind
from harness.scenarios.scenario import Scenario
from harness.targets import postfix as module
from harness.targets.port_pool import PortPool
from harness.targets.postfix import ROOT, PostfixTarget

DIRECTORY = f"{ROOT}/some-advice"
OWN, SHARED = f"{DIRECTORY}/etc/dh.pem", "/etc/ssl/dh.pem"


def test_a_later_instance_of_a_name_gets_its_own_files_again() -> None:
    """They went with the earlier one; what other instances may read is not written again."""
    kind = next(kind for kind in FileKind if kind.name.startswith("DH"))
    lab = SimpleNamespace(pki=SimpleNamespace(text=str))
    target = cast("Any", SimpleNamespace(_placed={}, _lab=lab))
    config = cast(
        "Any", SimpleNamespace(main_cf="", master_cf="", files={OWN: kind, SHARED: kind}, texts={})
    )
    first = PostfixTarget._list_files(target, DIRECTORY, config)
    second = PostfixTarget._list_files(target, DIRECTORY, config)
    assert {OWN, SHARED} <= set(first)
    assert OWN in second
    assert SHARED not in second


def test_instances_start_one_after_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that starts before a file that both name lies there is measured without it."""
    steps: list[str] = []

    def set_up(directory: str, *_: Any) -> str:
        return f"set up {directory}"

    def run(script: str, **_: Any) -> Any:
        if "master" in script:
            steps.append(f"start {script.removesuffix('/etc').rpartition(' ')[2]}")
        return SimpleNamespace(status=0, output="")

    def take_setup(script: str) -> None:
        time.sleep(0.02)
        steps.append(script)

    monkeypatch.setattr(module, "places_of", lambda *_: ())
    target = cast("Any", object.__new__(PostfixTarget))
    target._start_lock = threading.Lock()
    target._ports = PortPool()
    target.container = None
    target.facts = SimpleNamespace(
        master_cf="", mail_version="3.7.11", daemon_directory="/usr/lib/postfix"
    )
    config = SimpleNamespace(files={}, tables=(), main_cf="", master_cf="")
    target._assemble_config = lambda *_: config
    target._list_files = lambda directory, _: {directory: ""}
    target._setup_script = set_up
    target._run_or_fail = take_setup
    target._next_pid = lambda: 1
    target._find_pids = lambda *_: range(1, 2)
    target._shell = SimpleNamespace(run=run, run_once=run)
    scenarios = [Scenario(name, "T", "S", "C") for name in ("a", "b")]
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda scenario: target.start_instance(scenario, ""), scenarios))
    assert sorted([steps[:2], steps[2:]]) == [
        [f"set up {ROOT}/{name}", f"start {ROOT}/{name}"] for name in ("a", "b")
    ]


def test_the_facts_of_an_image_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty-five peers are containers of one image, and reading starts a dozen processes each."""
    stream = SimpleNamespace(start=lambda: None)
    monkeypatch.setattr(module, "attach_socket", lambda *_, **__: None)
    monkeypatch.setattr(module, "LineStream", lambda *_, **__: stream)
    monkeypatch.setattr(module, "LastingShell", lambda *_: None)
    monkeypatch.setattr(module, "read_facts", lambda _, name: f"the facts of {name}")
    lab = cast("Any", SimpleNamespace(address=lambda _: "", pace=None, facts={}))

    def start(name: str, image: str) -> object:
        container = SimpleNamespace(attrs={"Image": image})
        return PostfixTarget(lab, name, container, cast("Any", None)).facts

    assert start("peer-a", "sha256:1") == "the facts of peer-a"
    assert start("peer-b", "sha256:1") == "the facts of peer-a"
    assert start("debian-12", "sha256:2") == "the facts of debian-12"
