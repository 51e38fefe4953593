"""The client contract as data: what is sent, and what is taken from a driver."""

from __future__ import annotations

import importlib
import json
from typing import Any

import pytest

from harness.clients.contract import (
    ClientProtocolError,
    ClientResult,
    Credentials,
    Message,
    Reply,
    Request,
)
from harness.tls import Offer, Protocol

REQUEST = Request(
    id="b/s/submission/c/TLSv1..TLSv1.2",
    host="debian-12.mx.test",
    port=20011,
    server_name="mx.test",
    implicit_tls=False,
    offer=Offer(Protocol.TLSv1, Protocol.TLSv1_2),
    ca_file="/run/postfix-matrix/ca.pem",
    message=Message("shop@webshop.test", "c1@sink.test", "hello"),
    credentials=Credentials("webshop", "hunter2"),
)


def test_a_request_is_one_line_of_the_contracts_json() -> None:
    """Protects drivers in other languages: the names and nesting are those of the document."""
    text = REQUEST.to_json()
    assert "\n" not in text
    data = json.loads(text)
    assert data["offer"] == {"lowest": "TLSv1", "highest": "TLSv1.2"}
    assert data["tls"] == "starttls"
    assert data["credentials"] == {"username": "webshop", "password": "hunter2"}
    assert data["message"]["to"] == "c1@sink.test"


def test_the_drivers_own_copy_of_the_contract_speaks_the_same_words() -> None:
    """Protects both sides of the pipe: an image stands without our package, so it has a copy."""
    driver_contract: Any = importlib.import_module("common.contract")
    assert tuple(Protocol) == driver_contract.PROTOCOLS
    read = driver_contract.Request.parse(REQUEST.to_json())
    assert (read.id, read.host, read.port) == (REQUEST.id, REQUEST.host, REQUEST.port)
    assert (read.offer.lowest, read.offer.highest) == ("TLSv1", "TLSv1.2")
    output = driver_contract.make_result(
        "c", driver_contract.Ending("timeout", "banner", "slow"), driver_contract.Trace(), 0.5
    )
    assert ClientResult.from_json(json.dumps(output)).outcome == "timeout"


def test_evidence_carries_no_password() -> None:
    """Protects the password: a request is kept as evidence, and evidence gets published."""
    assert "hunter2" not in json.dumps(REQUEST.to_dict(secret=False))


def test_a_result_reads_back_what_it_writes() -> None:
    """Protects evidence: a driver's result comes out as it came in."""
    result = ClientResult(
        "c", "refused", "mail", reply=Reply(530, "no"), dialogue=("S: 220 hi",), seconds=0.5
    )
    assert ClientResult.from_json(json.dumps(result.to_dict())) == result


def test_what_the_contract_does_not_know_is_passed_over() -> None:
    """Protects drivers that say more than they must: an unknown key does no harm."""
    result = ClientResult.from_json(
        '{"contract": 1, "id": "c", "outcome": "timeout", "mood": "good"}'
    )
    assert result.outcome == "timeout"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("Traceback (most recent call last):", "not JSON"),
        ("[]", "version 1"),
        ('{"contract": 2, "id": "c", "outcome": "accepted"}', "contract is 2, not 1"),
        ('{"contract": 1, "outcome": "accepted"}', "id: this key is missing"),
        ('{"contract": 1, "id": "c", "outcome": "fine"}', "outcome: cannot be 'fine'"),
        (
            '{"contract": 1, "id": "c", "outcome": "refused", "stage": "lunch"}',
            "stage: cannot be 'lunch'",
        ),
        ('{"contract": 1, "id": "c", "outcome": "accepted", "protocol": "TLS1"}', "'TLS1'"),
        ('{"contract": 1, "id": "c", "outcome": []}', "outcome"),
        ('{"contract": 1, "id": "c", "outcome": "refused"}', "stage is missing"),
        (
            '{"contract": 1, "id": "c", "outcome": "accepted", "bits": "many"}',
            "bits: cannot be 'many'",
        ),
        (
            '{"contract": 1, "id": "c", "outcome": "accepted", "dialogue": 5}',
            "dialogue: cannot be 5",
        ),
        ('{"contract": 1, "id": "c", "outcome": "accepted", "reply": {"text": "x"}}', "code"),
        (
            '{"contract": 1, "id": "c", "outcome": "accepted", "reply": {"code": "a"}}',
            "reply.code: cannot be 'a'",
        ),
    ],
)
def test_rubbish_is_named(line: str, why: str) -> None:
    """Protects against a driver that prints rubbish: it is told apart from every real result."""
    with pytest.raises(ClientProtocolError, match=why):
        ClientResult.from_json(line)
