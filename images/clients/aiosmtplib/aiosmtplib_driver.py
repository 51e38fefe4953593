#!/usr/bin/python3
"""Client driver: aiosmtplib sends one real message a request, with ``aiosmtplib.send``.

With an offer, the versions are pinned on the SSLContext, every cipher is allowed, and TLS is asked
for (``start_tls=True``). Without, it is aiosmtplib as its documentation has it: ``start_tls`` is
left alone, and the only thing it is told is which authority to trust.
"""

from __future__ import annotations

import asyncio
import functools
import ssl
import sys
import warnings
from email.mime.text import MIMEText
from email.utils import formatdate
from typing import Any

import aiosmtplib
from common.contract import (
    EHLO_NAME,
    PROTOCOLS,
    Ending,
    Offer,
    Reply,
    Request,
    Trace,
    find_queue_id,
    main,
    make_message_id,
)
from common.tuned import REFUSALS, TunedContext, default_context, make_pinned_context, tune_context
from common.wire import announces_keyword
from dialogue import Dialogue
from observing import CURRENT, DiallingLoop, install_protocol


class AiosmtplibIncapable(Exception):
    """Python's ssl module will not make this offer; the message is the cause's."""


def version_name(protocol: str) -> str:
    """``TLSv1.2`` as ssl.TLSVersion spells it: ``TLSv1_2``."""
    return protocol.replace(".", "_")


@functools.cache
def get_shared_context(offer: Offer, ca_file: str) -> ssl.SSLContext:
    """The TLS context for an offer without extras. One for all its requests."""
    return make_offer_context(offer, ca_file)


def make_tuned_context(request: Request) -> TunedContext:
    """A context of its own for a request with extras.

    Raises:
        AiosmtplibIncapable: see `make_offer_context`.
    """
    extras = request.extras
    offer, ca_file = request.offer, request.ca_file
    made = default_context(ca_file) if offer is None else make_offer_context(offer, ca_file)
    tune_context(
        made,
        certificate=extras.certificate,
        key=extras.key,
        sends_name=extras.sends_name,
        name=extras.name,
    )
    return made


def make_offer_context(offer: Offer, ca_file: str) -> TunedContext:
    """A TLS context that lets nothing but the offer decide.

    Raises:
        AiosmtplibIncapable: Python or its OpenSSL refuses the offer, or has never heard of it.
    """
    try:
        versions = offer.lowest, offer.highest
        made = make_pinned_context(versions, offer.ciphers, offer.groups)
    except REFUSALS as exc:
        raise AiosmtplibIncapable from exc
    made.load_verify_locations(cafile=ca_file)
    return made


def compose_message(request: Request) -> MIMEText:
    """The message: small, with an id that leads back to the cell.

    Not an EmailMessage, which takes longer to write than the TLS handshake does.
    """
    message = MIMEText(f"{request.id}\n")
    message["From"] = request.sender
    message["To"] = request.recipient
    message["Subject"] = request.subject
    message["Date"] = formatdate()
    message["Message-ID"] = make_message_id(request.id)
    return message


def describe_error(exc: BaseException) -> str:
    """The library's error as it was, and what it was raised from where that says something else."""
    lines = [f"{type(exc).__name__}: {exc}"]
    cause = exc.__cause__
    if cause is not None and str(cause) not in lines[0]:
        lines.append(f"from {type(cause).__name__}: {cause}")
    return "; ".join(lines)


def has_tls_error(exc: BaseException | None) -> bool:
    """Whether an error of OpenSSL is this exception or stands behind it."""
    while exc is not None:
        if isinstance(exc, ssl.SSLError):
            return True
        exc = exc.__cause__
    return False


def judge_failure(exc: Exception, dialogue: Dialogue) -> Ending:
    """What the failure of ``aiosmtplib.send`` comes to.

    Raises:
        Exception: the one given, when it is nobody's refusal; the loop reports it as an error.
    """
    trace, refusal = dialogue.trace, dialogue.refusal
    if isinstance(exc, TimeoutError):
        raise exc
    if isinstance(exc, AiosmtplibIncapable):
        cause = exc.__cause__
        return Ending("client-incapable", "handshake", f"{type(cause).__name__}: {cause}")
    if isinstance(exc, OSError) and trace.local_address is None:
        return _not_connected(exc)
    if refusal is not None:
        stage, reply = refusal
        return Ending("refused", stage, describe_error(exc), reply)
    believed_in = trace.stage == "ehlo" and dialogue.over_tls and not dialogue.replies_over_tls
    if trace.stage == "handshake" or (believed_in and has_tls_error(exc)):
        outcome = "refused" if dialogue.hello_sent else "client-incapable"
        return _handshake_failed(exc, outcome)
    if isinstance(exc, ConnectionError):
        return Ending("refused", trace.stage, describe_error(exc))
    if type(exc) is aiosmtplib.SMTPException and dialogue.last_ehlo is not None:
        return _name_unavailable(exc, dialogue)
    raise exc


def _not_connected(exc: OSError) -> Ending:
    if not isinstance(exc.__cause__, ConnectionRefusedError):
        raise exc
    return Ending("refused", "connect", describe_error(exc))


def _handshake_failed(exc: Exception, outcome: str) -> Ending:
    if not isinstance(exc, OSError | aiosmtplib.SMTPException):
        raise exc
    return Ending(outcome, "handshake", describe_error(exc))


def _name_unavailable(exc: Exception, dialogue: Dialogue) -> Ending:
    """aiosmtplib stops by itself where the server does not announce what it needs."""
    ehlo = dialogue.last_ehlo
    assert ehlo is not None
    if not dialogue.over_tls and dialogue.request.offer and not announces_keyword(ehlo, "STARTTLS"):
        return Ending("not-offered", "ehlo", describe_error(exc), ehlo)
    if dialogue.request.username is not None and not announces_keyword(ehlo, "AUTH"):
        return Ending("refused", "auth", describe_error(exc), ehlo)
    raise exc


class Aiosmtplib:
    """The driver; it has no state of its own."""

    plaintext = True
    extras = frozenset({"cert", "sni", "resume", "hangup=data"})

    async def describe(self) -> dict[str, Any]:
        """What this is; ``offers`` are the versions that Python says it was built with."""
        names = {version: version_name(version) for version in PROTOCOLS}
        offers = [version for version, name in names.items() if getattr(ssl, f"HAS_{name}", False)]
        return {
            "client": "aiosmtplib",
            "version": f"{aiosmtplib.__version__} on Python {sys.version.split()[0]}",
            "tls_library": "OpenSSL",
            "tls_version": ssl.OPENSSL_VERSION,
            "offers": offers,
            "sends_mail": True,
        }

    async def run(self, request: Request, trace: Trace) -> Ending:
        """Send the message."""
        dialogue = self._have_dialogue(request, trace)
        try:
            chosen = make_send_arguments(request)
            if request.extras.resume:
                await _connect_first(chosen, dialogue)
                dialogue.close()
                trace.lines.append("[the client connects again, with the session it had]")
                dialogue = self._have_dialogue(request, trace)
            if request.extras.hangup == "data":
                return await _hang_up(chosen, dialogue)
            _, reply_text = await aiosmtplib.send(compose_message(request), **chosen)
        except Exception as exc:
            return judge_failure(exc, dialogue)
        finally:
            dialogue.close()
        trace.queue_id = find_queue_id(reply_text)
        # aiosmtplib returns the last reply's text; it has checked that the code is 250.
        outcome = "accepted" if dialogue.over_tls else "plaintext"
        return Ending(outcome, reply=Reply(250, reply_text))

    @staticmethod
    def _have_dialogue(request: Request, trace: Trace) -> Dialogue:
        """A connection that is to be made, watched from here on."""
        made = Dialogue(request, trace)
        CURRENT.set(made)
        return made


async def _connect_first(chosen: dict[str, Any], dialogue: Dialogue) -> None:
    """A first connection, whose session the context then has for a second."""
    client = aiosmtplib.SMTP(**_without_login(chosen))
    await client.connect()
    await client.ehlo()
    # TLSv1.3's session comes after the handshake (RFC 8446, section 4.6.1): with EHLO's reply.
    chosen["tls_context"].session = dialogue.session
    await client.quit()


async def _hang_up(chosen: dict[str, Any], dialogue: Dialogue) -> Ending:
    """Close the connection once the server has asked for the message."""
    request = dialogue.request
    client = aiosmtplib.SMTP(**_without_login(chosen))
    await client.connect()
    if request.username is not None:
        await client.login(request.username, request.password or "")
    await client.mail(request.sender)
    await client.rcpt(request.recipient)
    response = await client.execute_command(b"DATA")
    if response.code != 354:
        raise aiosmtplib.SMTPResponseException(response.code, response.message)
    dialogue.close()
    dialogue.trace.lines.append("[the client hangs up]")
    return Ending("hung-up", "data", "the client hung up, as it was told")


def _without_login(chosen: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in chosen.items() if key not in ("username", "password")}


def ignore_lost_connections(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """aiosmtplib leaves futures behind when a connection breaks; that has been reported already."""
    if not isinstance(context.get("exception"), aiosmtplib.SMTPServerDisconnected):
        loop.default_exception_handler(context)


def make_send_arguments(request: Request) -> dict[str, Any]:
    """The arguments for ``aiosmtplib.send``.

    Raises:
        AiosmtplibIncapable: see `make_offer_context`.
    """
    chosen: dict[str, Any] = {
        "hostname": request.server_name,
        "port": request.port,
        # Else it asks the resolver for its own name, and waits.
        "local_hostname": EHLO_NAME,
    }
    if request.username is not None:
        chosen |= {"username": request.username, "password": request.password}
    if request.plaintext:
        chosen["start_tls"] = False
    if request.implicit_tls:
        chosen["use_tls"] = True
    if request.extras.list_abilities():
        chosen["tls_context"] = make_tuned_context(request)
    elif request.offer is None:
        chosen["cert_bundle"] = request.ca_file
    else:
        chosen["tls_context"] = get_shared_context(request.offer, request.ca_file)
    if request.offer is not None:
        chosen["start_tls"] = None if request.implicit_tls else True
    return chosen


if __name__ == "__main__":
    # The old versions are the point here.
    warnings.simplefilter("ignore", DeprecationWarning)
    install_protocol()
    with asyncio.Runner(loop_factory=DiallingLoop) as runner:
        runner.get_loop().set_exception_handler(ignore_lost_connections)
        runner.run(main(Aiosmtplib()))
