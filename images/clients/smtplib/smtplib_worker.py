#!/usr/bin/python3
"""A worker of the driver's: one JSON job a line in, one answer a line out (common/worker.py).

Each job is one message, sent as smtplib's documentation has it. Runs on Python 3.9 and later.
"""

from __future__ import annotations

import json
import smtplib
import ssl
import sys
import warnings
from email.message import EmailMessage
from typing import Any

from common.tuned import (
    REFUSALS,
    TunedContext,
    default_context,
    make_pinned_context,
    read_certificate,
    tune_context,
)


class SmtplibIncapable(Exception):
    """Python's ssl module will not make this offer; the message is the cause's."""


def make_context(job: dict[str, Any]) -> TunedContext:
    """The context of a job, with the certificate and the server name that it wants.

    Raises:
        SmtplibIncapable: Python or its OpenSSL refuses the offer, or has never heard of it.
    """
    if job["lowest"] is None:
        made = default_context(job["ca_file"])
    else:
        try:
            versions = job["lowest"], job["highest"]
            made = make_pinned_context(versions, job["ciphers"], job["groups"])
        except REFUSALS as exc:
            raise SmtplibIncapable(f"{type(exc).__name__}: {exc}") from exc
    tune_context(
        made,
        certificate=job["certificate"],
        key=job["key"],
        sends_name=job["sni"] != job["host"],
        name=job["sni"],
    )
    return made


class Watched:
    """What of smtplib's own client is kept: its last reply, and what the session negotiated."""

    code: int = 0
    text: str = ""
    session: Any = None

    def getreply(self) -> tuple[int, bytes]:
        """As SMTP.getreply."""
        code, text = super().getreply()  # type: ignore[misc]
        self.code, self.text = code, text.decode("utf-8", "replace")
        return code, text


class WatchedSmtp(Watched, smtplib.SMTP):
    """smtplib.SMTP, watched."""


class WatchedSmtps(Watched, smtplib.SMTP_SSL):
    """smtplib.SMTP_SSL, watched."""


def compose_message(job: dict[str, Any]) -> EmailMessage:
    """The message."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = job["from"], job["to"], job["subject"]
    message.set_content(job["subject"] + "\n")
    return message


def connect_client(job: dict[str, Any], chosen: ssl.SSLContext, result: dict[str, Any]) -> Any:
    """A client that is connected, has shaken hands and has said EHLO."""
    result["stage"] = "banner"
    limit = job["time_limit"]
    if job["implicit"]:
        result["stage"] = "handshake"
        client: Any = WatchedSmtps(job["host"], job["port"], context=chosen, timeout=limit)
    else:
        client = WatchedSmtp(job["host"], job["port"], timeout=limit)
    try:
        result["stage"] = "ehlo"
        client.ehlo("client.test")
        # The documentation's way: whoever wants TLS asks for it, and fails without.
        if not job["implicit"] and not job["plaintext"]:
            result["stage"] = "starttls"
            client.starttls(context=chosen)
            result["stage"] = "ehlo"
            client.ehlo("client.test")
        if not job["plaintext"]:
            result["protocol"] = client.sock.version()
            result["cipher"], _, result["bits"] = client.sock.cipher()
            result["peer_certificate"] = read_certificate(client.sock)
    except BaseException:
        client.close()
        raise
    return client


def hold_dialogue(job: dict[str, Any], result: dict[str, Any]) -> None:
    """One dialogue; ``result`` is filled as it goes on."""
    chosen = make_context(job)
    if job["resume"]:
        # The session is there once the server has said something: TLSv1.3's comes after the
        # handshake (RFC 8446, section 4.6.1).
        first = connect_client(job, chosen, result)
        chosen.session = first.sock.session
        first.quit()
    client = connect_client(job, chosen, result)
    if job["resume"]:
        result["resumed"] = bool(client.sock.session_reused)
    try:
        if job["username"]:
            result["stage"] = "auth"
            client.login(job["username"], job["password"])
        result["stage"] = "mail"
        if job["hangup"] == "data":
            hang_up(client, job, result)
            return
        client.send_message(compose_message(job))
        result.update(sent=True, code=client.code, text=client.text)
        client.quit()
    except smtplib.SMTPRecipientsRefused as exc:
        (result["code"], text), *_ = exc.recipients.values()
        result.update(stage="rcpt", text=text.decode("utf-8", "replace"))
        raise
    finally:
        client.close()


def hang_up(client: Any, job: dict[str, Any], result: dict[str, Any]) -> None:
    """Close the connection in the middle of the message (RFC 5321, section 4.1.1.4)."""
    for stage, command in (("mail", client.mail), ("rcpt", client.rcpt)):
        result["stage"] = stage
        code, text = command(job["from"] if stage == "mail" else job["to"])
        if code != 250:
            raise smtplib.SMTPResponseException(code, text)
    result["stage"] = "data"
    code, text = client.docmd("DATA")
    if code != 354:
        raise smtplib.SMTPResponseException(code, text)
    client.send(f"Subject: {job['subject']}\r\n")
    client.close()
    result["hung_up"] = True


def answer_job(job: dict[str, Any]) -> dict[str, Any]:
    """One job's answer."""
    result: dict[str, Any] = {"sent": False}
    try:
        hold_dialogue(job, result)
    except SmtplibIncapable as exc:
        return {"incapable": str(exc)}
    except smtplib.SMTPResponseException as exc:
        text = exc.smtp_error
        result["code"] = exc.smtp_code
        result["text"] = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
        result["error"] = f"{type(exc).__name__}: {exc}"
    except (OSError, smtplib.SMTPException) as exc:
        result["error"] = f"{type(exc).__name__}: {exc}"
    if result.get("protocol") == "TLSv1.0":
        result["protocol"] = "TLSv1"
    return result


if __name__ == "__main__":
    warnings.simplefilter("ignore", DeprecationWarning)
    for line in sys.stdin:
        print(json.dumps(answer_job(json.loads(line))), flush=True)
