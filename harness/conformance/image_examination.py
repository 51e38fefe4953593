"""The conformance test of the image contract: ``images check``, and ``--image`` on first use.

It stands here and not beside the list of checks (``harness/conformance/image_checks.py``) because
it starts the image the way a run does: by the same laboratory, restrictions, configuration and log
reader. A second way of doing so would test another contract than the one that runs rely on.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.conformance.image_checks import (
    REQUIREMENTS,
    Check,
    CheckVerdict,
    Report,
    weigh,
)
from harness.conformance.image_contents import look_into
from harness.conformance.image_trial import try_out
from harness.docker_engine.cancel import Cancel
from harness.docker_engine.pulling import present
from harness.files import replace_file
from harness.images.provenance import Versions
from harness.targets.lab import Lab


def examine(lab: Lab, reference: str, *, cancel: Cancel | None = None) -> Report:
    """Hold an image against the contract, all of it; pulled if it is not there. Blocks, 3 s or so.

    Its containers carry the session's labels, are on the laboratory's network without a way out,
    and are removed at once, whatever happens.

    Raises:
        InfrastructureError: there is no such image, or the engine does not answer.
        Cancelled: the user cancelled the work.
    """
    stop = cancel or Cancel()
    attrs = present(lab.session.client, reference, stop)
    return _examine(lab, reference, attrs, stop)


def examine_once(
    lab: Lab, reference: str, cache_dir: Path, *, cancel: Cancel | None = None
) -> Report:
    """As ``examine``, but an image that passed before is believed: its id stands for its bytes.

    One that failed is examined again each time.
    """
    stop = cancel or Cancel()
    attrs = present(lab.session.client, reference, stop)
    record = _record(cache_dir, str(attrs["Id"]))
    before = _recall(record, reference)
    if before is not None:
        return before
    report = _examine(lab, reference, attrs, stop)
    if report.ok:
        _remember(record, report)
    return report


def _examine(lab: Lab, reference: str, attrs: dict[str, Any], cancel: Cancel) -> Report:
    client, image = lab.session.client, str(attrs["Id"])
    contents = look_into(client, attrs, run_labels=lab.session.labels, cancel=cancel)
    tried = try_out(lab, image, attrs, contents.findings, cancel)
    return Report(reference, image, weigh({**contents.findings, **tried}), contents.versions)


def _recall(record: Path, reference: str) -> Report | None:
    """The report in a file; None where there is none, or of another list of requirements."""
    try:
        data = json.loads(record.read_text("utf-8"))
        if data["requirements"] != _DIGEST:
            return None
        checks = (
            Check(**{**one, "verdict": CheckVerdict(one["verdict"])}) for one in data["checks"]
        )
        return Report(reference, data["id"], tuple(checks), Versions(**data["versions"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _remember(record: Path, report: Report) -> None:
    record.parent.mkdir(parents=True, exist_ok=True)
    # Two processes may write at once: each writes a file of its own, and the last rename wins.
    replace_file(record, json.dumps({**asdict(report), "requirements": _DIGEST}), mode=0o600)


def _record(cache_dir: Path, image_id: str) -> Path:
    return cache_dir / "checked" / f"{image_id.removeprefix('sha256:')}.contract.json"


#: Changes with the requirements, so that an image is examined again when these have changed.
_DIGEST = hashlib.sha256(repr(REQUIREMENTS).encode()).hexdigest()
