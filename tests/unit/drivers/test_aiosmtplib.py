"""The aiosmtplib driver's record of a dialogue: what is kept, and what never is."""

from __future__ import annotations

import base64
import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

CLIENTS = Path(__file__).resolve().parents[3] / "images" / "clients"
for folder in (CLIENTS, CLIENTS / "aiosmtplib"):
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
contract: Any = importlib.import_module("common.contract")
dialogue: Any = importlib.import_module("dialogue")

USER = base64.b64encode(b"webshop").decode()
PASSWORD = base64.b64encode(b"s3cret").decode()
BOTH = base64.b64encode(b"\0webshop\0s3cret").decode()


def hold_dialogue(*pieces: str | tuple[int, str]) -> Any:
    """A dialogue in which this was said: lines by the client, replies by the server."""
    held = dialogue.Dialogue(None, contract.Trace(stage="banner"))
    for piece in pieces:
        if isinstance(piece, str):
            held.note_sent(piece.encode() + b"\r\n")
        else:
            held.note_reply(contract.Reply(*piece))
    return held


@pytest.mark.parametrize(
    "pieces",
    [
        (f"AUTH PLAIN {BOTH}", (235, "ok")),
        ("AUTH PLAIN", (334, ""), BOTH, (535, "no")),
        (f"AUTH LOGIN {USER}", (334, "UGFzc3dvcmQ6"), PASSWORD, (235, "ok")),
        ("AUTH LOGIN", (334, "VXNlcm5hbWU6"), USER, (334, "UGFzc3dvcmQ6"), PASSWORD, (535, "no")),
    ],
)
def test_credentials_never_reach_the_dialogue(pieces: tuple[Any, ...]) -> None:
    """Protects the user's password in whatever way it is sent: evidence is published."""
    held = hold_dialogue(*pieces, "MAIL FROM:<a@b.test>")
    shown = "\n".join(held.trace.lines)
    assert not any(secret in shown for secret in (USER, PASSWORD, BOTH))
    assert "C: MAIL FROM:<a@b.test>" in held.trace.lines
    assert "(credentials)" in shown


def test_the_first_refusal_and_its_stage_stay() -> None:
    """Protects the stage of a refusal from what aiosmtplib does to clean up after it."""
    held = hold_dialogue(
        "MAIL FROM:<a@b.test>",
        (250, "ok"),
        "RCPT TO:<c@d.test>",
        (554, "5.7.1 no"),
        "RSET",
        (250, "ok"),
        "QUIT",
        (502, "no such thing"),
    )
    stage, reply = held.refusal
    assert (stage, reply.code) == ("rcpt", 554)


def test_the_message_is_counted_and_not_repeated() -> None:
    """Protects the dialogue from a message's text, whose lines may look like commands."""
    held = hold_dialogue("DATA", (354, "go on"), "AUTH in a message\r\n\r\ntext\r\n.")
    assert held.trace.lines[-1] == "C: (30 bytes of message)"
    assert held.trace.stage == "data"
