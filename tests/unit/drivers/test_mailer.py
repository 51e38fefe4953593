"""What a dialogue behind the relay comes to, from the wire and from the software's words."""

from __future__ import annotations

import asyncio
import importlib
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

CLIENTS = Path(__file__).resolve().parents[3] / "images" / "clients"
if str(CLIENTS) not in sys.path:
    sys.path.append(str(CLIENTS))
contract: Any = importlib.import_module("common.contract")
mailer: Any = importlib.import_module("common.mailer")
relay: Any = importlib.import_module("common.relay")
worker: Any = importlib.import_module("common.worker")

HELLO = bytes.fromhex("16030101100100010c0301")
GREETED = (("S", b"220 mx\r\n"), ("C", b"EHLO c\r\n"), ("S", b"250-mx\r\n250 STARTTLS\r\n"))
STARTED = (*GREETED, ("C", b"STARTTLS\r\n"), ("S", b"220 go\r\n"))
ALERT = ("S", bytes.fromhex("15030100020246"))
BARE = (("S", b"220 mx\r\n"), ("C", b"EHLO c\r\n"), ("S", b"250-mx\r\n250 SIZE 1\r\n"))
#: A worker in Python: does as its job says.
WORKER = """
import json, sys
for line in sys.stdin:
    job = json.loads(line)
    if job["do"] == "die":
        print("out of cheese", file=sys.stderr)
        sys.exit(3)
    done = json.dumps({"sent": True, "n": job["n"]})
    print(done if job["do"] == "work" else "rubbish", flush=True)
"""


def make_request(offer: Any = None, username: str | None = None) -> Any:
    """A request with what is judged by."""
    return contract.Request(
        *("id", "h", 25, "mx.test", False, offer, "/ca", username, username, "a@b", "c@d", "s", 9.0)
    )


def judge_pieces(pieces: Any, report: Any, offer: Any = None, username: str | None = None) -> Any:
    """The ending of a dialogue of these pieces."""
    wire = relay.Wire(contract.Trace(stage="banner"), False, once=False, connected=True)
    for who, data in pieces:
        (wire.from_server if who == "S" else wire.from_client)(data)
    return mailer.judge_dialogue(make_request(offer, username), wire, report)


TLS12 = contract.Offer("TLSv1.2", "TLSv1.2")
FAILED = mailer.Report(sent=False, error="no")


@pytest.mark.parametrize(
    ("pieces", "offer", "outcome", "stage"),
    [
        ((*STARTED, ("C", HELLO), ALERT), TLS12, "refused", "handshake"),
        (STARTED, TLS12, "client-incapable", "handshake"),
        (BARE, TLS12, "not-offered", "ehlo"),
        (BARE, None, "not-offered", "ehlo"),
        ((("S", b"554 5.7.1 no\r\n"),), TLS12, "refused", "banner"),
        (
            (*BARE, ("C", b"MAIL FROM:<a@b>\r\n"), ("S", b"530 5.7.0 STARTTLS first\r\n")),
            None,
            "refused",
            "mail",
        ),
    ],
)
def test_each_failure_has_its_own_outcome_and_stage(
    pieces: Any, offer: Any, outcome: str, stage: str
) -> None:
    """Protects the vocabulary for all software behind the relay: the wire tells them apart."""
    ending = judge_pieces(pieces, FAILED, offer)
    assert (ending.outcome, ending.stage) == (outcome, stage)


def test_a_message_without_tls_is_plaintext_with_its_queue_id() -> None:
    """Protects plaintext: a success on the wire in the clear is never called TLS."""
    pieces = (*BARE, ("C", b"DATA\r\n"), ("S", b"250 2.0.0 Ok: queued as 4BXYZ\r\n"))
    wire = relay.Wire(contract.Trace(stage="banner"), False, once=False, connected=True)
    for who, data in pieces:
        (wire.from_server if who == "S" else wire.from_client)(data)
    ending = mailer.judge_dialogue(make_request(), wire, mailer.Report(sent=True))
    assert ending.outcome == "plaintext"
    assert wire.trace.queue_id == "4BXYZ"


def test_credentials_in_the_clear_are_never_noted() -> None:
    """Protects secrets: neither AUTH's own words nor the answers to 334 are in the dialogue."""
    wire = relay.Wire(contract.Trace(stage="banner"), False, once=False, connected=True)
    for who, data in (
        *BARE,
        ("C", b"AUTH PLAIN c2VjcmV0\r\n"),
        ("S", b"334 VXNlcm5hbWU6\r\n"),
        ("C", b"c2VjcmV0\r\n"),
    ):
        (wire.from_server if who == "S" else wire.from_client)(data)
    assert not any("c2VjcmV0" in line for line in wire.trace.lines)


def test_a_client_that_comes_again_for_nothing_is_judged_by_its_refusal() -> None:
    """Protects refusals of old software: the connection that was turned away counts."""
    wire = relay.Wire(contract.Trace(stage="banner"), False, once=False, connected=True)
    wire.trace.local_address = "10.0.0.1:1"
    for who, data in (*STARTED, ("C", HELLO), ALERT):
        (wire.from_server if who == "S" else wire.from_client)(data)
    wire.start_again()
    wire.trace.local_address = "10.0.0.1:2"
    ending = mailer.judge_dialogue(make_request(TLS12), wire, FAILED)
    assert (ending.outcome, ending.stage) == ("refused", "handshake")
    assert "protocol_version" in ending.error
    assert wire.trace.local_address == "10.0.0.1:1"


def test_what_nothing_explains_is_an_error_of_the_drivers() -> None:
    """Protects from invented refusals: a client that gives up by itself was refused by nobody."""
    with pytest.raises(RuntimeError, match="gave up by itself"):
        judge_pieces(GREETED, FAILED)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("msmtp: server message: 535 5.7.8 Error: authentication failed", 535),
        ("< 250 2.1.0 Ok\n< 554 5.7.1 <c@d>: Access denied", 554),
        ("nothing of the kind", None),
        ("error 0.535 5.7 x", None),
    ],
)
def test_a_reply_is_found_in_a_programs_words(text: str, code: int | None) -> None:
    """Protects reasons: the server's own reply is what refused, whatever stands around it."""
    reply = mailer.find_refusal(text)
    assert (reply.code if reply else None) == code


def test_workers_stay_warm_and_a_bad_one_fails_its_own_job_alone() -> None:
    """Protects the neighbours: a worker that dies or prints rubbish is replaced, with its words."""

    async def all_jobs() -> list[Any]:
        workers = worker.Workers([sys.executable, "-c", WORKER], {"PATH": "/usr/bin"}, most=2)
        jobs = [
            {"do": do, "n": n} for n, do in enumerate(("work", "die", "work", "babble", "work"))
        ]
        answers = await asyncio.gather(
            *(workers.run_job(job) for job in jobs), return_exceptions=True
        )
        await workers.close()
        return answers

    results = asyncio.run(asyncio.wait_for(all_jobs(), 20))
    assert [result["n"] for result in results if isinstance(result, dict)] == [0, 2, 4]
    messages = [str(result) for result in results if isinstance(result, worker.WorkerFailed)]
    assert "out of cheese" in messages[0]
    assert "rubbish" in messages[1]


def test_a_worker_that_died_while_idle_is_replaced_before_it_is_asked() -> None:
    """Protects cells from what happened between them: nothing of theirs had been sent yet."""

    async def killed_between() -> tuple[Any, Any]:
        workers = worker.Workers([sys.executable, "-c", WORKER], {"PATH": "/usr/bin"}, most=1)
        first = await workers.run_job({"do": "work", "n": 1})
        (idle,) = workers._idle
        os.kill(idle.process.pid, signal.SIGKILL)
        # It is dead, and the event loop has had no turn to hear of it. asyncio's own thread may
        # have fetched its status first.
        with suppress(ChildProcessError):
            os.waitid(os.P_PID, idle.process.pid, os.WEXITED | os.WNOWAIT)
        second = await workers.run_job({"do": "work", "n": 2})
        await workers.close()
        return first, second

    first, second = asyncio.run(asyncio.wait_for(killed_between(), 20))
    assert (first["n"], second["n"]) == (1, 2)


def test_a_worker_that_dies_on_its_job_is_not_tried_again(tmp_path: Path) -> None:
    """Protects findings: a job that kills its worker is reported, whether the worker was warm."""
    starts = tmp_path / "starts"
    counted = f"open({str(starts)!r}, 'a').write('x')\n" + WORKER

    async def warm_then_die() -> None:
        workers = worker.Workers([sys.executable, "-c", counted], {"PATH": "/usr/bin"}, most=1)
        try:
            await workers.run_job({"do": "work", "n": 1})
            await workers.run_job({"do": "die", "n": 2})
        finally:
            await workers.close()

    with pytest.raises(worker.WorkerFailed, match="out of cheese"):
        asyncio.run(asyncio.wait_for(warm_then_die(), 20))
    assert starts.read_text() == "x"


def test_a_worker_can_say_that_it_cannot() -> None:
    """Protects client-incapable: the reason is passed on, and nothing is sent."""
    with pytest.raises(mailer.Incapable, match="no such version"):
        worker.read_answer({"incapable": "no such version"})
    report = worker.read_answer({"sent": False, "code": 535, "text": "5.7.8 no", "stage": "auth"})
    assert (report.reply.code, report.stage, report.sent) == (535, "auth", False)
