"""The Python drivers' side of the client contract: requests, results, time limits, the loop."""

from __future__ import annotations

import asyncio
import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CLIENTS = Path(__file__).resolve().parents[3] / "images" / "clients"
if str(CLIENTS) not in sys.path:
    sys.path.append(str(CLIENTS))
contract: Any = importlib.import_module("common.contract")

REQUEST: dict[str, Any] = {
    "contract": 1,
    "id": "debian-12/defaults/submission/client/TLSv1",
    "host": "debian-12.mx.test",
    "port": 20011,
    "server_name": "mx.test",
    "tls": "starttls",
    "offer": {"lowest": "TLSv1", "highest": "TLSv1.2"},
    "ca_file": "/run/postfix-matrix/ca.pem",
    "credentials": {"username": "webshop", "password": "secret"},
    "message": {"from": "shop@webshop.test", "to": "a1b2@sink.test", "subject": "x"},
    "time_limit": 0.05,
}
#: A driver that answers what the request's subject tells it to; for the loop, run as a process.
ECHO = """
import asyncio, sys
sys.path.append(sys.argv.pop())
from common.contract import Ending, main
class Client:
    async def describe(self):
        return {"client": "echo"}
    async def run(self, request, trace):
        await asyncio.sleep(float(request.subject))
        return Ending("accepted")
asyncio.run(main(Client()))
"""


class Client:
    """A client whose dialogue is the coroutine function it is given."""

    def __init__(self, hold: Any) -> None:
        self.run = hold


def answer_request(hold: Any) -> dict[str, Any]:
    """The result of one request to a client that does this."""
    request = contract.Request.parse(json.dumps(REQUEST))
    result: dict[str, Any] = asyncio.run(contract.run_request(Client(hold), request))
    return result


def test_a_request_is_read_as_the_contract_has_it() -> None:
    """Protects the contract's field names and meanings."""
    request = contract.Request.parse(json.dumps(REQUEST))
    assert (request.host, request.port, request.implicit_tls) == ("debian-12.mx.test", 20011, False)
    assert request.offer.list_versions() == ("TLSv1", "TLSv1.1", "TLSv1.2")
    assert (request.username, request.sender, request.recipient) == (
        "webshop",
        "shop@webshop.test",
        "a1b2@sink.test",
    )


@pytest.mark.parametrize(
    "change",
    [
        {"contract": 2},
        {"tls": "maybe"},
        {"offer": {"lowest": "TLSv1.0", "highest": "TLSv1.2"}},
        {"offer": {"lowest": "TLSv1.2", "highest": "TLSv1"}},
        {"message": {"from": "a@b.test"}},
        {"port": "smtp"},
    ],
)
def test_a_wrong_request_is_refused_before_anything_is_sent(change: dict[str, Any]) -> None:
    """Protects from measuring something else than what was asked for."""
    with pytest.raises(contract.BadRequest):
        contract.Request.parse(json.dumps(REQUEST | change))


def test_an_exception_of_the_driver_is_an_error_and_shows_where() -> None:
    """Protects the vocabulary: the driver's own failure is never a refusal."""

    async def hold(_request: Any, trace: Any) -> Any:
        trace.stage = "auth"
        raise KeyError("what was this")

    result = answer_request(hold)
    assert (result["outcome"], result["stage"]) == ("error", "auth")
    assert "what was this" in result["error"]
    assert Path(__file__).name in result["error"]


def test_a_dialogue_that_hangs_ends_in_its_time_with_what_was_said() -> None:
    """Protects the run from a server that does not answer, and keeps the evidence."""

    async def hold(_request: Any, trace: Any) -> Any:
        trace.start_clock()
        trace.stage = "ehlo"
        trace.note_line("C", "EHLO client.test")
        await asyncio.sleep(60)

    result = answer_request(hold)
    assert (result["outcome"], result["stage"]) == ("timeout", "ehlo")
    assert result["dialogue"] == ["C: EHLO client.test"]
    assert 0.04 < result["seconds"] < 5


def test_a_reply_is_shown_as_it_looks_on_the_wire() -> None:
    """Protects the evidence: several lines of a reply keep their hyphens."""
    trace = contract.Trace()
    trace.note_reply(contract.Reply(250, "mx.test\nSTARTTLS"))
    assert trace.lines == ["S: 250-mx.test", "S: 250 STARTTLS"]


def test_message_ids_are_valid_and_distinct() -> None:
    """Protects the joining of messages to cells: ids that differ in punctuation stay apart."""
    first, other = (
        contract.make_message_id("a/b+c/TLSv1.2"),
        contract.make_message_id("a/b.c/TLSv1.2"),
    )
    assert first != other
    for each in (first, other):
        local, _, domain = each.strip("<>").partition("@")
        assert domain == "client.test"
        assert all(
            part and part.replace("-", "").replace("_", "").isalnum() for part in local.split(".")
        )


@pytest.mark.parametrize(
    ("text", "queue_id"), [("2.0.0 Ok: queued as 4BXYZ", "4BXYZ"), ("2.0.0 Ok", None)]
)
def test_the_queue_id_is_postfix_own(text: str, queue_id: str | None) -> None:
    """Protects the joining of a message to its log lines."""
    assert contract.find_queue_id(text) == queue_id


def run_echo(lines: list[str], *arguments: str) -> list[dict[str, Any]]:
    """What the driver ECHO prints for these lines of standard input."""
    done = subprocess.run(
        [sys.executable, "-c", ECHO, *arguments, str(CLIENTS)],
        input="\n".join(lines),
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def make_line(name: str, seconds: float) -> str:
    """A request that ECHO answers after so many seconds."""
    message = {**REQUEST["message"], "subject": str(seconds)}
    return json.dumps(REQUEST | {"id": name, "message": message, "time_limit": 10})


def test_the_loop_answers_each_line_as_it_is_done_and_ends_with_its_input() -> None:
    """Protects the warm driver: many requests over one pipe, none lost, bad ones named."""
    slow, quick = make_line("slow", 0.5), make_line("quick", 0)
    results = run_echo([slow, "{}", "", "no json", quick])
    by_id = {result["id"]: result["outcome"] for result in results}
    assert by_id == {"slow": "accepted", "quick": "accepted", "": "error"}
    assert [result["outcome"] for result in results].count("error") == 2
    assert results[-1]["id"] == "slow"


def test_describe_prints_one_object_with_the_contract() -> None:
    """Protects the harness's first question to a client."""
    assert run_echo([], "--describe") == [{"contract": 1, "client": "echo", "extras": []}]
