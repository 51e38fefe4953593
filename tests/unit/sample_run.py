"""Write a synthetic run folder (docs/run-folder.md) for the tests of the reports.

Nothing in it was measured. It has at least one cell of every outcome, a disagreement, a build that
is missing, a cell without an evidence file, and log lines that try to break out of a page.
``marked`` adds builds that this tool does not vouch for, or that are not as upstream has them, and
something missing of every category.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.observations.record import Observation, Outcome, Stage, TlsView
from harness.observations.run_folder import RunData
from tests.unit import sample_images

BUILDS = ("debian-11", "debian-12", "debian-13", "postfix-3.7.11+openssl-1.1.1w")
MISSING_BUILD = "debian-11"
MISSING_WHY = "bootstrap of the base image failed: no network"
SCENARIOS = {
    "defaults": ("The plain defaults", "What a fresh installation does, with no advice followed."),
    "answer-1-protocols": (
        "Four protocol lines in main.cf",
        "Excluding SSLv2, SSLv3 and TLSv1 in main.cf stops clients from using TLS 1.0.",
    ),
    "answer-2-smtp-line": (
        "-o smtp_tls_mandatory_protocols=TLSv1 under submission",
        "One -o option below the submission entry makes the server use TLS 1.2.",
    ),
    "bad-list": ("A misspelt protocol", "Postfix takes <b>any</b> | protocol name."),
}
SERVICES = ("smtp", "submission", "submissions")
CLIENTS = ("openssl-1.0.2h", "aiosmtplib-debian12")
CONTROLS = ("control-openssl-1.0.2h", "control-openssl-3.5")
OFFERS = ("SSLv2", "SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3", "default")
VERSIONS = {
    "debian-12": ("3.7.11", "3.0.17"),
    "debian-13": ("3.10.5", "3.5.1"),
    "postfix-3.7.11+openssl-1.1.1w": ("3.7.11", "1.1.1w"),
}
CIPHERS = {
    "TLSv1": "ECDHE-RSA-AES256-SHA",
    "TLSv1.1": "ECDHE-RSA-AES256-SHA",
    "TLSv1.2": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLSv1.3": "TLS_AES_256_GCM_SHA384",
}
HOSTILE = (
    "warning: <img src=x onerror=\"document.title='pwned'\"></script><script>alert(1)</script>"
)
ACCEPTED_CELL = "debian-12/answer-2-smtp-line/submission/openssl-1.0.2h/TLSv1.2"
REFUSED_CELL = "debian-13/answer-1-protocols/submission/openssl-1.0.2h/TLSv1"
HOSTILE_CELL = "debian-12/defaults/smtp/aiosmtplib-debian12/default"
DISAGREEING_CELL = "debian-13/defaults/submission/aiosmtplib-debian12/TLSv1.2"
NO_EVIDENCE_CELL = "debian-12/defaults/smtp/openssl-1.0.2h/default"
SPECIAL = {
    "debian-13/defaults/smtp/openssl-1.0.2h/default": Outcome.PLAINTEXT,
    "debian-13/defaults/submissions/openssl-1.0.2h/default": Outcome.TIMEOUT,
    "debian-13/defaults/submissions/aiosmtplib-debian12/default": Outcome.ERROR,
}


def write_sample_run(
    folder: Path,
    *,
    finished: bool = True,
    scenarios: Sequence[str] = tuple(SCENARIOS),
    marked: bool = False,
) -> Path:
    """Write the whole folder; ``finished=False`` leaves it as a killed run does."""
    folder.mkdir(parents=True, exist_ok=True)
    builds = VERSIONS | (sample_images.MARKED if marked else {})
    cells = [observe(*axes) for axes in _all_axes(builds, scenarios)]
    controls = [
        _control(client, offer, s) for client in CLIENTS for offer in OFFERS for s in SERVICES
    ]
    lines = [cell.to_json() for cell in cells + controls]
    text = "\n".join(lines) + ("\n" if finished else '\n{"schema": 1, "cell": "debian-1')
    (folder / "observations.jsonl").write_text(text, encoding="utf-8")
    for observation in cells + controls:
        if observation.cell != NO_EVIDENCE_CELL:
            write_json(folder / str(observation.evidence), evidence_of(observation))
    for build in builds:
        for scenario in scenarios:
            write_json(folder / f"instances/{build}/{scenario}.json", _instance(build, scenario))
    write_json(folder / "run.json", _run(cells, finished, scenarios, builds))
    return folder


def write_json(path: Path, data: Any) -> None:
    """One JSON file, folders made on the way."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")


def _all_axes(
    builds: Iterable[str], scenarios: Sequence[str]
) -> list[tuple[str, str, str, str, str]]:
    return [
        (build, scenario, service, client, offer)
        for build in builds
        for scenario in scenarios
        for service in SERVICES
        for client in CLIENTS
        for offer in OFFERS
    ]


def observe(build: str, scenario: str, service: str, client: str, offer: str) -> Observation:
    """One cell of the synthetic run."""
    cell = f"{build}/{scenario}/{service}/{client}/{offer}"
    observation = Observation(
        cell, build, scenario, "sha256:" + "5a" * 32, service, client, offer,
        outcome=Outcome.ACCEPTED, seconds=0.0124,
        control=f"control-{'openssl-1.0.2h' if offer.startswith('SSL') else 'openssl-3.5'}"
        f"/permissive/{service}/{client}/{offer}",
        evidence=f"evidence/{build}/{scenario}/{service}.{client}.{offer}.json",
    )  # fmt: skip
    if cell in SPECIAL:
        return replace(observation, outcome=SPECIAL[cell], stage=Stage.DATA, control=None)
    if scenario == "bad-list":
        return _bad_list(observation)
    if offer not in capable(client):
        return replace(observation, outcome=Outcome.CLIENT_INCAPABLE, stage=Stage.HANDSHAKE,
                       decided_by="client")  # fmt: skip
    return _negotiated(observation)


def capable(client: str) -> tuple[str, ...]:
    """The offers that this synthetic client can make."""
    return tuple(o for o in OFFERS if o != ("TLSv1.3" if "openssl" in client else "SSLv2"))


def _bad_list(observation: Observation) -> Observation:
    if observation.build == "debian-13":
        return replace(observation, outcome=Outcome.CONFIG_REJECTED, reason="fatal-parameter",
                       decided_by="server", client_saw=None)  # fmt: skip
    return replace(observation, outcome=Outcome.NOT_OFFERED, stage=Stage.EHLO,
                   reason="tls-disabled-bad-protocol-list", decided_by="server")  # fmt: skip


def _negotiated(observation: Observation) -> Observation:
    best = "TLSv1.2" if "openssl" in observation.client else "TLSv1.3"
    protocol = best if observation.offer == "default" else observation.offer
    banned = observation.scenario == "answer-1-protocols" and protocol == "TLSv1"
    if protocol not in CIPHERS or banned:
        return replace(observation, outcome=Outcome.REFUSED, stage=Stage.HANDSHAKE,
                       reason="protocol-version", decided_by="server")  # fmt: skip
    view = TlsView(protocol, CIPHERS[protocol], 256, "X25519")
    logged = replace(view, group=None)
    if observation.cell == DISAGREEING_CELL:
        logged = replace(logged, cipher="AES128-SHA", bits=128)
    return replace(
        observation, client_saw=view, server_saw=logged, agree=logged.cipher == view.cipher
    )


def _control(client: str, offer: str, service: str) -> Observation:
    legacy = offer.startswith("SSL")
    build = "control-openssl-1.0.2h" if legacy else "control-openssl-3.5"
    changed = replace(
        observe(build, "permissive", service, client, offer),
        control=None, outcome=Outcome.ACCEPTED, stage=None, reason=None, decided_by=None,
    )  # fmt: skip
    if offer not in capable(client):
        return replace(changed, outcome=Outcome.CLIENT_INCAPABLE, client_saw=None, server_saw=None)
    protocol = "TLSv1.2" if offer == "default" else offer
    return replace(
        changed, client_saw=TlsView(protocol, "AES256-SHA", 256), server_saw=None, agree=None
    )


def twin(data: RunData, changes: Mapping[str, Mapping[str, Any]], name: str = "twin") -> RunData:
    """The run with ``defaults`` and ``name`` only: the same but for changes of cells, by id."""
    first = [cell for cell in data.observations if cell.scenario == "defaults"]
    second = [
        replace(cell, scenario=name, cell=cell.cell.replace("/defaults/", f"/{name}/"))
        for cell in first
    ]
    changed = [replace(cell, **changes.get(cell.cell, {})) for cell in second]
    assert changes.keys() <= {cell.cell for cell in changed}
    axes = replace(data.run.axes, scenarios=(name, "defaults"))
    return replace(data, run=replace(data.run, axes=axes), observations=(*first, *changed))


def evidence_of(observation: Observation) -> dict[str, Any]:
    """What the builder puts into the cell's evidence file."""
    log = [
        f"{_smtpd(observation)}connect from unknown[172.18.0.5]:41234",
        *_log_of(observation),
        f"{_smtpd(observation)}disconnect from unknown[172.18.0.5]",
    ]
    reply = {"code": 250, "text": "2.0.0 Ok: queued as 4BXYZ"} if observation.client_saw else None
    error = (
        f"[SSL] {observation.reason} (_ssl.c:1000)"
        if observation.outcome is Outcome.REFUSED
        else None
    )
    return {
        "cell": observation.cell,
        "request": {"contract": 1, "id": observation.cell, "port": 20011, "time_limit": 10.0},
        "client": {
            # A client sees no configuration: it waits for a server that does not start.
            "outcome": "timeout" if observation.outcome is Outcome.CONFIG_REJECTED
                       else observation.outcome,
            "stage": observation.stage, "error": error,
            "reply": reply,
            "dialogue": ["S: 220 mx.test ESMTP Postfix", "C: EHLO client.test",
                         "S: 250-STARTTLS", "C: STARTTLS", f"-- {observation.cell}"],
        },
        "log": log,
        "received": _received(observation),
        "notes": [f"measured {observation.offer} once"],
    }  # fmt: skip


def _smtpd(observation: Observation) -> str:
    return f"Nov 22 23:15:09 postfix/{observation.service}/smtpd[7126]: "


def _log_of(observation: Observation) -> list[str]:
    where = _smtpd(observation)
    lines = [where + HOSTILE] if observation.cell == HOSTILE_CELL else []
    if observation.server_saw:
        lines.append(
            f"{where}Anonymous TLS connection established from unknown[172.18.0.5]:41234: "
            f"{observation.server_saw.protocol} with cipher "
            f"{observation.server_saw.cipher} (256/256 bits)"
        )
    elif observation.outcome is Outcome.REFUSED:
        lines.append(f"{where}SSL_accept error from unknown[172.18.0.5]:41234: -1")
    return lines


def _received(observation: Observation) -> str | None:
    if observation.client_saw is None or "aiosmtplib" not in observation.client:
        return None
    view = observation.client_saw
    return (
        "Received: from client.test (unknown [172.18.0.5])\n"
        f"\t(using {view.protocol} with cipher {view.cipher} (256/256 bits))\n"
        "\tby mx.test (Postfix) with ESMTPSA id 4BXYZ"
    )


def _instance(build: str, scenario: str) -> dict[str, Any]:
    warning = "postconf: warning: unused parameter: smtp_tls=1\n"
    return {
        "build": build, "scenario": scenario, "config": "sha256:" + "5a" * 32,
        "main.cf": "# base\nsmtpd_tls_security_level = may\n", "master.cf": "submission inet n\n",
        "files": {"/etc/ssl/certs/ssl-cert-snakeoil.pem": "rsa-certificate"},
        "added": [f"myhostname = {scenario}.mx.test", "queue_directory = /srv/q"],
        "postconf_n": "smtpd_tls_security_level = may\nmyhostname = mx.test\n",
        "check": warning if scenario != "defaults" else "",
        "startup": ["Nov 22 23:15:01 postfix/master[12]: daemon started -- version 3.7.11"],
        "started": scenario != "bad-list",
    }  # fmt: skip


def _run(
    cells: list[Observation],
    finished: bool,
    scenarios: Sequence[str],
    builds: Mapping[str, tuple[str, str]],
) -> dict[str, Any]:
    missing = [{"name": MISSING_BUILD, "kind": "build", "why": MISSING_WHY}]
    lost = sample_images.MISSING if len(builds) > len(VERSIONS) else ()
    requested = [
        MISSING_BUILD,
        *builds,
        *(entry["name"] for entry in lost if entry["kind"] == "build"),
    ]
    closing = {"planned": len(cells) * 4 // 3, "measured": len(cells), "outcomes": {},
               "views_compared": 0, "disagreements": 0, "seconds": 31.2,
               "cells_per_second": 59.2}  # fmt: skip
    return {
        "schema": 1,
        "id": "20261122T231500Z-1a2b",
        "tool": {"name": "postfix-matrix", "version": "0.1.0"},
        "command": ["postfix-matrix", "run"],
        "started": "2026-11-22T23:15:00Z",
        "finished": "2026-11-22T23:15:48Z" if finished else None,
        "axes": {"builds": requested, "scenarios": list(scenarios), "services": SERVICES,
                 "clients": CLIENTS, "offers": OFFERS},
        "scenarios": {
            name: {"title": title, "source": "the question", "url": "https://example.org/q#1",
                   "claim": claim}
            for name, (title, claim) in SCENARIOS.items()
            if name in scenarios
        },
        "images": sample_images.images(builds, CLIENTS, CONTROLS),
        "missing": [*missing, *lost],
        "summary": closing if finished else None,
    }  # fmt: skip
