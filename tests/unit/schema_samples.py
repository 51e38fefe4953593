"""Data as the harness's own code makes it, for the tests of the published schemas.

What no code makes without Docker is made from the same classes and functions, without a container.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, fields
from itertools import product
from typing import Any

from harness.catalog.cells import Cell
from harness.catalog.ciphers import all_ciphers
from harness.catalog.clients import all_clients
from harness.catalog.plan import Plan
from harness.cli.commands.clients import clients_data
from harness.cli.commands.list import rows_data
from harness.clients.contract import (
    OUTCOMES,
    STAGES,
    ClientProtocol,
    ClientResult,
    ClientStage,
    Credentials,
    Message,
    Reply,
    Request,
)
from harness.diagnosis.diagnosis_output import diagnosis_data
from harness.diagnosis.machine_finding import (
    Diagnosis,
    MachineFinding,
    MachineStanding,
    RunNeeds,
)
from harness.images.provenance import Versions
from harness.observations.decide import (
    ControlEvidence,
    Decision,
    ServerLog,
    decide_cell,
    decide_control,
)
from harness.observations.evidence_names import evidence_path
from harness.observations.record import Observation
from harness.observations.run_json import Missing, UnavailableCategory
from harness.observations.run_record import RunOpening, closing_figures, utc_now
from harness.outcomes import Outcome
from harness.paths import scenarios_dir
from harness.postfix_config.key_files import FileKind
from harness.reports.comparison_json import comparison_data
from harness.reports.scan_json import scan_data
from harness.reports.since_json import since_data
from harness.reports.tool_json import tool_data
from harness.reports.verdicts_json import verdicts_data
from harness.run.endpoints import (
    PostfixEndpoint,
    instance_evidence,
)
from harness.run.measure import (
    ServerSide,
    cell_evidence,
)
from harness.scan.result import (
    Accepted,
    Certificate,
    ScanResult,
)
from harness.scenarios.expectations import (
    Effect,
    Expectation,
)
from harness.scenarios.instance import (
    InstanceContext,
    assemble_instance,
)
from harness.scenarios.scenario import load_scenarios
from harness.snapshots.snapshot_text import format_snapshot
from harness.targets.build_facts import Facts
from harness.targets.log_join import LogJoin
from harness.targets.log_tags import service_tags
from harness.targets.postfix import Instance, PostfixTarget
from harness.tls import INBOUND, Offer, Protocol, Service
from harness.verdicts.since import group_places
from harness.verdicts.verdict import judge_run
from tests.unit import image_samples, verify_samples
from tests.unit.sample_verdicts import run_of
from tests.unit.snapshots import snapshot_samples
from tests.unit.tool_samples import sample_report

CELL = Cell("debian-12", "defaults", Service.SUBMISSION, "openssl-1.0.2h", Offer.parse("TLSv1"))
SCENARIOS = load_scenarios(scenarios_dir())
PLAN = Plan(("debian-12",), ("defaults",), INBOUND, ("openssl-1.0.2h",), (CELL.offer,))
ESTABLISHED = (
    "Nov 22 23:34:29 postfix/smtpd[215]: Anonymous TLS connection established from "
    "unknown[172.21.0.5]:56940: TLSv1 with cipher ECDHE-RSA-AES256-SHA (256/256 bits)"
)
REQUEST = Request(
    CELL.id, "debian-12.mx.test", 20011, "mx.test", False, CELL.offer, "/run/postfix-matrix/ca.pem",
    Message("shop@webshop.test", "c1@sink.test", CELL.id), Credentials("webshop", "hunter2"),
)  # fmt: skip
RESULT = ClientResult(
    CELL.id, "accepted", None, "TLSv1", "ECDHE-RSA-AES256-SHA", 256, "P-256",
    Reply(250, "2.0.0 Ok: queued as 4BXYZ"), None, "172.21.0.5:56940", "4BXYZ", 0.012,
    ("S: 220 mx.test ESMTP Postfix", "C: EHLO client.test"),
)  # fmt: skip


def results() -> Iterator[ClientResult]:
    """A result of every outcome, at every stage, with and without TLS, a reply and an error."""
    yield RESULT
    views: tuple[tuple[ClientProtocol | None, str | None, int | None], ...] = (
        (None, None, None),
        ("TLSv1", "ECDHE-RSA-AES256-SHA", 256),
    )
    replies = (None, Reply(530, "5.7.0 Must issue a STARTTLS command first"))
    # A refusal or a hang-up without a stage breaks the contract, so no such result is made here.
    stages: tuple[ClientStage | None, ...] = (None, *sorted(STAGES))
    for outcome, stage, view, reply in product(sorted(OUTCOMES), stages, views, replies):
        if outcome not in ("refused", "hung-up", "would-be-refused") or stage is not None:
            yield ClientResult(CELL.id, outcome, stage, *view, reply=reply, error="unexpected EOF")


def decisions() -> Iterator[Decision]:
    """What is decided of these results, beside each kind of control and of server's words."""
    control = "control-openssl-3.5/permissive/submission/openssl-1.0.2h/TLSv1"
    controls = (
        ControlEvidence(control, True),
        ControlEvidence(control, False),
        ControlEvidence(None, None, "no image"),
    )
    server_logs = (
        ServerLog(),
        ServerLog((ESTABLISHED,)),
        ServerLog(deaths=("Nov 22 23:34:29 postfix/smtpd[7]: fatal: bad boolean: maybe",)),
    )
    for result, server in product(results(), server_logs):
        yield decide_control(CELL.offer, result, server)
        for evidence in controls:
            yield decide_cell(CELL.offer, result, server, evidence)


def observation(decision: Decision) -> Observation:
    """The observation that a decision makes."""
    names = {field.name for field in fields(Observation)} & {
        field.name for field in fields(Decision)
    }
    return Observation(
        CELL.id, CELL.build, CELL.scenario, SCENARIOS[CELL.scenario].digest, str(CELL.service),
        CELL.client, str(CELL.offer), seconds=0.012, evidence=evidence_path(CELL.id),
        **{name: getattr(decision, name) for name in names},
    )  # fmt: skip


def accepted() -> Decision:
    """A cell that went through, with both sides' views."""
    return decide_cell(CELL.offer, RESULT, ServerLog((ESTABLISHED,)), ControlEvidence(None, None))


def evidence() -> dict[str, Any]:
    """A cell's evidence."""
    log = ServerLog((ESTABLISHED,))
    side = ServerSide(log, log.session, "Received: from client.test (unknown [172.21.0.5])")
    return cell_evidence(CELL, REQUEST, RESULT, side, accepted())


def run(*, finished: bool = True) -> dict[str, Any]:
    """``run.json``, at a run's beginning or at its end; images as the runner describes them."""
    opening = RunOpening(
        "20261122T231500Z-1a2b", ["postfix-matrix", "run"], PLAN, SCENARIOS, utc_now()
    )
    if not finished:
        return opening.record({}, ())
    observations = [observation(decision) for decision in decisions()]
    missing = [
        Missing(category, "build", "no room on the disk", category)
        for category in UnavailableCategory
    ]
    return opening.record(
        _images(), missing, closing_figures(PLAN, observations, len(observations), 31.2)
    )


def _images() -> dict[str, dict[str, Any]]:
    made = {"reference": "postfix-matrix/x:0123456789ab", "id": "sha256:" + "c3" * 32}
    labels = {"labels": {"org.postfix-matrix.contract": "1"}}
    read = asdict(Versions("3.7.11", "3.0.22", "3.0.22", "3.0.22", "postfix 3.7.11-0+deb12u1"))
    versions = {"postfix": "3.7.11", "openssl": "3.0.22"}
    known = {"read_back": read, "unverified": True, "foreign": False, "flavour": "stock",
             "build_log": "/home/me/.cache/postfix-matrix/logs/x.log"}  # fmt: skip
    return {
        "debian-12": {"kind": "build", **made, **labels, **versions, **known},
        # Of an older version, and of an image of the user's.
        "debian-11": {"kind": "build", **made, **labels, **versions},
        "mine": {
            "kind": "build",
            **made,
            "labels": {},
            **versions,
            **dict.fromkeys(known),
            "unverified": False,
            "foreign": True,
        },
        "openssl-1.0.2h": {"kind": "client", **made, **labels, "describe": describe()},
        "control-openssl-3.5": {"kind": "control", **made, **labels},
        "sasl": {"kind": "sasl", **made, **labels},
    }


def describe() -> dict[str, Any]:
    """What a driver says of itself."""
    return {
        "contract": 1, "client": "openssl-1.0.2h", "version": "1.0.2h", "tls_library": "OpenSSL",
        "tls_version": "OpenSSL 1.0.2h  3 May 2016",
        "offers": [str(protocol) for protocol in Protocol],
        "sends_mail": False,
    }  # fmt: skip


def instance(*, started: bool = True, checked: bool = True) -> dict[str, object]:
    """An instance's evidence: real classes, but for the container, which nothing here asks."""
    scenario = SCENARIOS[CELL.scenario]
    ports = dict(zip(INBOUND, (20010, 20011, 20012), strict=True))
    directory = f"/srv/postfix-matrix/{scenario.id}"
    config = assemble_instance(
        scenario,
        InstanceContext(
            scenario.id, "3.7.11", directory, {str(name): port for name, port in ports.items()},
            "inet:172.18.0.2:12345",
            "smtp inet n - y - - smtpd\n",
        ),
    )  # fmt: skip
    assert FileKind.RSA_KEY in config.files.values()
    instance = Instance(
        scenario=scenario.id,
        directory=directory,
        ports=ports,
        config=config,
        started=started,
        postconf_n="syslog_name = postfix-defaults",
        tags=service_tags(
            config.main_cf, config.master_cf, "syslog_name = postfix-defaults", ports
        ),
        warnings=("postconf: warning: unused parameter: x=y",),
        output="postfix: fatal: no",
        pids=range(1),
    )
    target = object.__new__(PostfixTarget)
    target.name, target.join = CELL.build, LogJoin()
    target.facts = Facts(
        "3.7.11", "postfix", "postdrop", "/usr/lib/postfix", "/etc/postfix", "", {},
        "OpenSSL 3.0.22", frozenset(), {"smtpd_tls_ciphers": "medium"},
    )  # fmt: skip
    check = "postfix: warning: group or other writable" if checked else None
    return instance_evidence(PostfixEndpoint(target, instance), check)


def verdicts() -> dict[str, Any]:
    """Verdicts with a mismatch, a gap, a harm and a border in them."""
    open_cells = {"TLSv1": "TLSv1", "default": "TLSv1.3"}
    strict = {"TLSv1": "refused protocol-version", "default": "TLSv1.2"}
    data = run_of(
        {"defaults": {"smtp": open_cells}, "advice": {"smtp": strict}},
        [Expectation(outcome=(Outcome.ACCEPTED,)), Expectation(effect=Effect.SOME)],
        only={"debian-11": {"advice": {"smtp": {"TLSv1": "", "default": "TLSv1.3"}}}},
    )
    return verdicts_data(data, judge_run(data))


def borders() -> dict[str, Any]:
    """What 'since' says of cells that change with both versions, with either, and with none."""
    builds = {
        f"postfix-{postfix}+openssl-{openssl}": (postfix, openssl)
        for postfix, openssl in product(("3.5.25", "3.6.4"), ("1.1.1w", "3.0.20"))
    }
    changed = {"TLSv1": "refused protocol-version"}
    both = {"defaults": {"smtp": changed | {"TLSv1.1": "refused protocol-version"}}}
    data = run_of(
        {"defaults": {"smtp": {"TLSv1": "TLSv1", "TLSv1.1": "TLSv1.1", "TLSv1.2": "TLSv1.2"}}},
        builds=builds,
        only={
            "postfix-3.6.4+openssl-3.0.20": both,
            "postfix-3.6.4+openssl-1.1.1w": {"defaults": {"smtp": changed}},
        },
    )
    return since_data(data, "defaults", group_places(data, "defaults"))


def scanned() -> ScanResult:
    """A map with something of everything, and something that came to nothing."""
    suites = [
        cipher for cipher in all_ciphers() if cipher.name in ("RC4-MD5", "AES128-SHA", "AES256-SHA")
    ]
    certificate = Certificate(
        key="RSA",
        bits=2048,
        signature="rsa-with-sha256",
        subject="CN=mx.test",
        issuer="CN=ca.test",
        expires="2026-12-26",
        sha256="0" * 64,
        seen=(Protocol.TLSv1,),
    )
    return ScanResult(
        accepted=tuple(
            Accepted(protocol, suite)
            for protocol in (Protocol.SSLv2, Protocol.TLSv1)
            for suite in suites
            if suite.belongs_to(protocol)
        ),
        order={"TLSv1": "server"},
        groups={"TLSv1.3": ("X25519",)},
        dh_bits={"DHE": (1024, 2048)},
        certificates=(certificate,),
        not_measured={"TLSv1.1 order": "no answer in 5 s"},
        handshakes=12,
        seconds=0.123456,
    )


def sample_diagnosis() -> Diagnosis:
    """A diagnosis with a check of each standing, and estimates."""
    findings = (
        MachineFinding("engine", MachineStanding.OK, "Docker 20.10.24, API 1.41"),
        MachineFinding("containers", MachineStanding.WARNING, "storage vfs", "use overlay2"),
        MachineFinding("disk", MachineStanding.UNKNOWN, "it is on another machine"),
        MachineFinding("cache", MachineStanding.FAILED, "/cache: Read-only file system", "move it"),
    )
    needs = RunNeeds(2168, 11, ("debian-12",), ("debian-12",), 60_000_000, 280_000_000, 90.0, 40.0)
    return Diagnosis(findings, needs)


def shown() -> dict[str, Any]:
    """What 'show' prints of a cell with its evidence, and of one that was not measured."""
    cell = {"observation": json.loads(observation(accepted()).to_json()), "evidence": evidence(),
            "instance": instance()}  # fmt: skip
    lost = {"cell": CELL.id, "why": "no observation was recorded"}
    return {"schema": 1, "run": "20261122T231500Z-1a2b", "cells": [cell], "unmeasured": [lost]}


def samples() -> dict[str, Any]:
    """One good object of each schema, as JSON carries it."""
    data: dict[str, Any] = {
        "observation": json.loads(observation(accepted()).to_json()),
        "run": run(),
        "evidence": evidence(),
        "instance": instance(),
        "client-request": REQUEST.to_dict(),
        "client-result": RESULT.to_dict(),
        "client-describe": describe(),
        "verdicts": verdicts(),
        "verify": verify_samples.refused_recipients(),
        "explain": verify_samples.explained(),
        "since": borders(),
        "scan": scan_data("debian-12", scanned()),
        "snapshot": json.loads(format_snapshot(snapshot_samples.recorded())),
        "comparison": comparison_data(snapshot_samples.everything()),
        "tool": tool_data(sample_report()),
        "show": shown(),
        "list": rows_data(
            {
                "builds": [("debian-12", "(Postfix and OpenSSL)")],
                "policies": [("no-tls1", "nothing old")],
            }
        ),
        "clients": clients_data(all_clients()),
        "doctor": diagnosis_data(sample_diagnosis()),
        **image_samples.documents(),
    }
    return {name: json.loads(json.dumps(sample)) for name, sample in data.items()}
