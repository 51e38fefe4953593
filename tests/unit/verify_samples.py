"""Answers of ``verify`` and ``explain`` to runs made up in memory, with evidence in a folder."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.observations.record import Observation, Stage, TlsView
from harness.observations.run_folder import RunData
from harness.outcomes import Outcome
from harness.reports.explain_json import explanation_data
from harness.reports.verify_json import verification_data
from harness.reports.verify_remedy import TriedRemedy
from harness.scenarios.expectations import (
    Expectation,
    Where,
)
from harness.scenarios.policies import load_policies
from harness.scenarios.remedies import Override
from harness.verdicts.line_effects import explain_lines
from harness.verdicts.policy_answers import judge_services
from tests.unit.sample_verdicts import Results, run_of

ESTABLISHED = (
    "Nov 30 01:45:29 postfix/smtpd[71]: Anonymous TLS connection established from "
    "unknown[172.18.0.6]:33421: TLSv1 with cipher ECDHE-RSA-AES256-SHA (256/256 bits)"
)
REJECT = (
    "Nov 30 01:45:29 postfix/smtpd[71]: NOQUEUE: reject: RCPT from unknown[172.18.0.6]:33421: 554 "
    "5.7.1 <x@sink.test>: Relay access denied; from=<a@b.test> to=<x@sink.test> proto=ESMTP"
)
REPLACED = [
    {"where": "main.cf", "setting": "smtpd_milters", "value": "inet:localhost:8891",
     "instead": "", "kind": "surroundings", "reason": "no milter is here"},
    {"where": "main.cf", "setting": "smtpd_sasl_path", "value": "private/auth",
     "instead": "inet:sasl:12345", "kind": "surroundings", "reason": "the run's Dovecot"},
    {"where": "main.cf", "setting": "daemon_directory", "value": "/usr/libexec/postfix",
     "instead": "", "kind": "machine", "reason": "the build has its own"},
]  # fmt: skip

#: Cells of a service: with modern TLS only, without TLS, and not started.
MODERN = {"TLSv1": "refused protocol-version", "TLSv1.2": "TLSv1.2", "default": "TLSv1.3"}
NO_TLS = {"TLSv1": "not-offered", "TLSv1.2": "not-offered", "default": "plaintext"}
DEAD = dict.fromkeys(MODERN, "config-rejected fatal")


def expectations(policy: str) -> tuple[Expectation, ...]:
    """A policy's expectations."""
    return tuple(load_policies()[policy].expectations_within(Where()))


def refused_later(
    observation: Observation, protocol: str | None, stage: Stage, reason: str
) -> Observation:
    """The cell as one that is refused after a handshake, or without one."""
    view = TlsView(protocol, "ECDHE-RSA-AES256-SHA", 256) if protocol else None
    return replace(
        observation, outcome=Outcome.REFUSED, stage=stage, reason=reason, decided_by="server",
        client_saw=view, server_saw=view, agree=True if view else None,
    )  # fmt: skip


def candidate_run(
    services: Mapping[str, Results], policy: str = "tls12-or-newer", folder: Path | None = None
) -> RunData:
    """A run of ``candidate`` on one build, which is compared with a policy."""
    return run_of(
        {"candidate": services},
        expectations(policy),
        builds={"debian-12": ("3.7.11", "3.0.22")},
        folder=folder or Path("/nowhere"),
    )


def with_evidence(
    data: RunData, log: Sequence[str], reply: Mapping[str, Any] | None, instance: Mapping[str, Any]
) -> RunData:
    """The run with the same evidence of each cell and each instance, in a folder of its own."""
    folder = Path(tempfile.mkdtemp(prefix="verify-sample-"))
    (folder / "cell.json").write_text(json.dumps({"log": list(log), "client": {"reply": reply}}))
    for build in data.run.axes.builds:
        for scenario in data.run.axes.scenarios:
            path = folder / "instances" / build / f"{scenario}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(dict(instance)))
    observations = tuple(replace(cell, evidence="cell.json") for cell in data.observations)
    return replace(data, folder=folder, observations=observations)


def refused_recipients() -> dict[str, Any]:
    """JSON of a service that negotiates TLSv1 and then refuses the recipient, with a remedy."""
    cells = {"TLSv1": "TLSv1", "TLSv1.2": "TLSv1.2", "default": "TLSv1.2"}
    data = candidate_run({"smtp": cells, "submission": cells | {"TLSv1": "refused x"}})
    observations = tuple(
        refused_later(
            cell, cell.offer if cell.offer != "default" else "TLSv1.2", Stage.RCPT, "denied"
        )
        if cell.service == "smtp"
        else cell
        for cell in data.observations
    )
    instance = {
        "replaced": REPLACED,
        "base": [],
        "notes": ["the prompt before each line was taken away"],
        "services": [
            {"service": "smtp", "entry": "25", "level": "may", "speaks": "starttls"},
            {"service": "submission", "entry": "submission", "level": "encrypt", "speaks": "x"},
        ],
    }
    reply = {"code": 554, "text": "5.7.1 <x@sink.test>: Relay access denied"}
    data = with_evidence(
        replace(data, observations=observations), [ESTABLISHED, REJECT], reply, instance
    )
    services = judge_services(data, "candidate")
    override = Override("25", "smtpd_tls_protocols", "TLSv1", 12)
    remedy = TriedRemedy(("smtpd_tls_protocols = !TLSv1",), (override,), services, services)
    return verification_data(data, "candidate", services, ["tls12-or-newer"], remedy)


def explained() -> dict[str, Any]:
    """JSON of a candidate of one line that acts, and one that is left out."""
    strict = {"smtp": {"TLSv1": "refused protocol-version"}}
    data = run_of(
        {"defaults": {"smtp": {"TLSv1": "TLSv1"}}, "advice": strict},
        texts={"advice": "smtpd_tls_protocols = !TLSv1\n"},
    )
    return explanation_data(data, explain_lines(data, "advice"))
