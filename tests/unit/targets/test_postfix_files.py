"""The files that are written for an instance, and those that lie there already."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from harness.postfix_config.key_files import FileKind
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
    stage = "/postfix-matrix-stage/some-advice"
    assert {stage + OWN, stage + SHARED} <= set(first)
    assert stage + OWN in second
    assert stage + SHARED not in second
