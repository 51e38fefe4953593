"""The conformance test of the image contract: ``images check``, and ``--image`` on first use.

It starts the image the way a run does, with the same laboratory, restrictions, configuration and
log reader: a second way of starting images would test another contract than the one that runs need.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from harness.conformance.image_checks import (
    REQUIREMENTS,
    Check,
    CheckVerdict,
    ImageReport,
    weigh_findings,
)
from harness.conformance.image_contents import look_into
from harness.conformance.image_trial import try_image
from harness.docker_engine.cancel import Cancel
from harness.docker_engine.pulling import ensure_present
from harness.files import replace_file
from harness.images.provenance import Versions
from harness.targets.lab import Lab


def examine_image(lab: Lab, reference: str, *, cancel: Cancel | None = None) -> ImageReport:
    """Check an image by the whole contract; pull it if it is not there. Blocks for about 3 s.

    Its containers carry the session's labels, are on the laboratory's network, which has no
    connection to the outside, and are removed at once in any case.

    Raises:
        InfrastructureError: there is no such image, or the engine does not answer.
        Cancelled: the user cancelled the work.
    """
    stop = cancel or Cancel()
    attrs = ensure_present(lab.session.client, reference, stop)
    return _examine_image(lab, reference, attrs, stop)


def examine_image_once(
    lab: Lab, reference: str, cache_dir: Path, *, cancel: Cancel | None = None
) -> ImageReport:
    """Like ``examine_image``, but an image that passed before is not examined again (by its id).

    An image that failed is examined again each time.
    """
    stop = cancel or Cancel()
    attrs = ensure_present(lab.session.client, reference, stop)
    record = _record_path(cache_dir, str(attrs["Id"]))
    earlier = _read_report(record, reference)
    if earlier is not None:
        return earlier
    report = _examine_image(lab, reference, attrs, stop)
    if report.ok:
        _write_report(record, report)
    return report


def _examine_image(lab: Lab, reference: str, attrs: dict[str, Any], cancel: Cancel) -> ImageReport:
    client, image = lab.session.client, str(attrs["Id"])
    contents = look_into(client, attrs, run_labels=lab.session.labels, cancel=cancel)
    trial_findings = try_image(lab, image, attrs, contents.findings, cancel)
    return ImageReport(
        reference, image, weigh_findings({**contents.findings, **trial_findings}), contents.versions
    )


def _read_report(record: Path, reference: str) -> ImageReport | None:
    """The report in a file; None if there is none, or if it is of other requirements."""
    try:
        data = json.loads(record.read_text("utf-8"))
        if data["requirements"] != _DIGEST:
            return None
        checks = (
            Check(**{**entry, "verdict": CheckVerdict(entry["verdict"])})
            for entry in data["checks"]
        )
        return ImageReport(reference, data["id"], tuple(checks), Versions(**data["versions"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write_report(record: Path, report: ImageReport) -> None:
    record.parent.mkdir(parents=True, exist_ok=True)
    # Two processes may write at once: each writes a file of its own, and the last rename wins.
    replace_file(record, json.dumps({**asdict(report), "requirements": _DIGEST}), mode=0o600)


def _record_path(cache_dir: Path, image_id: str) -> Path:
    return cache_dir / "checked" / f"{image_id.removeprefix('sha256:')}.contract.json"


#: Changes with the requirements and with what is read back, so that an image is examined again
#: when these have changed.
_DIGEST = hashlib.sha256(
    repr((REQUIREMENTS, [entry.name for entry in fields(Versions)])).encode()
).hexdigest()
