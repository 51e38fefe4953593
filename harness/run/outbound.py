"""One outbound cell: a message handed to the sending instance, and what both logs say of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import replace
from email.utils import formatdate

from harness.catalog.cells import Cell
from harness.observations.decide import Decision, reject_config, server_view
from harness.observations.outbound_log import TRANSPORT_DIED, SentMessage, decide_sent
from harness.observations.record import Outcome
from harness.run.endpoints import PostfixEndpoint
from harness.run.measure import (
    Measured,
    make_observation,
    recipient_token,
)
from harness.targets.peer_network import PeerServer
from harness.targets.sent_log import Delivery

SENDER = "shop@webshop.test"
#: How long, in seconds, the peer's log may lag behind the sender's.
PEER_PATIENCE = 2.0
#: A message passes pickup(8), cleanup(8) and qmgr(8) before smtp(8) dials: on a busy machine that
#: takes longer than a dialogue may, and says nothing of TLS. So many time limits are waited.
QUEUE_PATIENCE = 3


async def measure_outbound(
    cell: Cell,
    endpoint: PostfixEndpoint,
    peer: PeerServer,
    time_limit: float,
    headers: Iterable[str] = (),
) -> Measured:
    """Have the instance send one message to the peer, and judge what its log says of it.

    ``headers`` are further header fields of the message, such as ``TLS-Required: no`` (RFC 8689).
    ``time_limit`` is a dialogue's, in seconds; the queue has :data:`QUEUE_PATIENCE` of them.
    """
    if not peer.capable:
        note = f"the peer's library has not what {cell.offer} asks of it"
        decision = Decision(
            Outcome.CLIENT_INCAPABLE, reason="version-not-built", decided_by="client", notes=(note,)
        )
        return _make_measured(cell, endpoint, decision, None, None, [], [])
    began = time.monotonic()
    if dead := endpoint.known_deaths(cell.service):
        return _make_measured(cell, endpoint, reject_config(dead), None, None, [*dead], [])
    recipient = f"{recipient_token(cell)}@{peer.domain}"
    script = _hand_over(cell, endpoint, recipient, headers)
    answer = await asyncio.to_thread(endpoint.target.run, script)
    output = answer.splitlines()
    delivery = await _await_delivery(endpoint, recipient, output, time_limit * QUEUE_PATIENCE)
    seconds = time.monotonic() - began
    sent, session = None, None
    unfinished: list[str] = []
    if delivery is None or TRANSPORT_DIED.search(delivery.text):
        unfinished = [str(line) for line in endpoint.unfinished(recipient_token(cell))]
        deaths = endpoint.deaths_of_senders(began, output)
        if deaths:
            log = list(dict.fromkeys([*output, *unfinished, *deaths]))
            return _make_measured(cell, endpoint, reject_config(deaths), None, seconds, log, [])
    if delivery is not None:
        lines = [str(line) for line in delivery.lines]
        sent = SentMessage(delivery.status, delivery.text, lines)
        session = await peer.target.join.session_of_message(delivery.text, PEER_PATIENCE)
    peer_lines = [str(line) for line in session.lines] if session else []
    wrapper = endpoint.settings(cell.service).get("smtp_tls_wrappermode", "no") == "yes"
    decision, trust = decide_sent(
        sent, server_view(peer_lines), wrapper=wrapper, unfinished=unfinished
    )
    log = [*output, *(sent.lines if sent else unfinished)]
    return _make_measured(cell, endpoint, decision, trust, seconds, log, peer_lines)


async def _await_delivery(
    endpoint: PostfixEndpoint, recipient: str, output: list[str], time_limit: float
) -> Delivery | None:
    """The message's outcome; None: time is up, or a process that it has to pass has died."""
    if any("fatal:" in line for line in output):
        return None
    sent = asyncio.ensure_future(endpoint.target.join.sent.delivery(recipient, time_limit))
    death = asyncio.ensure_future(endpoint.await_death_of_sender())
    try:
        await asyncio.wait({sent, death}, return_when=asyncio.FIRST_COMPLETED)
        return sent.result() if sent.done() else None
    finally:
        for task in (sent, death):
            task.cancel()


def _hand_over(
    cell: Cell, endpoint: PostfixEndpoint, recipient: str, further: Iterable[str] = ()
) -> str:
    """The script that gives the message to sendmail(1) of the instance."""
    etc = f"{endpoint.instance.directory}/etc"
    headers = (
        f"From: {SENDER}",
        f"To: {recipient}",
        f"Subject: {cell.id}",
        # cleanup(8) logs it, so that the message's lines are found where it has no outcome.
        f"Message-Id: <{recipient_token(cell)}@postfix-matrix.test>",
        f"Date: {formatdate()}",
        *further,
    )
    text = "\\n".join(headers) + f"\\n\\n{cell.id}\\n"
    return f"printf '%b' '{text}' | sendmail -C {etc} -i -f {SENDER} {recipient}"


def _make_measured(
    cell: Cell,
    endpoint: PostfixEndpoint,
    decision: Decision,
    trust: str | None,
    seconds: float | None,
    log: list[str],
    peer_log: list[str],
) -> Measured:
    rounded = round(seconds, 6) if seconds is not None else None
    observation = make_observation(cell, endpoint.config_digest, decision, rounded)
    evidence = {
        "cell": cell.id,
        "request": None,
        "client": None,
        "log": log,
        "peer_log": peer_log,
        "received": None,
        "notes": list(decision.notes),
    }
    return Measured(replace(observation, trust=trust), evidence, decision)
