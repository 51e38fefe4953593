#!/usr/bin/python3
"""A worker of the driver's: one JSON job a line in, one answer a line out (common/worker.py).

Each job is one message by ESMTPSenderFactory, as twisted.mail's documentation has it, tried once.
"""

from __future__ import annotations

import json
import sys
from email.message import EmailMessage
from email.utils import formatdate
from io import BytesIO
from pathlib import Path
from typing import Any

import OpenSSL  # type: ignore[import-not-found]
import twisted  # type: ignore[import-not-found]
from cryptography import __version__ as cryptography
from cryptography.hazmat.backends.openssl import backend
from OpenSSL import SSL
from pyopenssl_offer import Library, choose_settings, explain_impossible_offer
from twisted.internet import defer, reactor, ssl, stdio  # type: ignore[import-not-found]
from twisted.internet.interfaces import (  # type: ignore[import-not-found]
    IOpenSSLClientConnectionCreator,
)
from twisted.mail import smtp  # type: ignore[import-not-found]
from twisted.protocols.basic import LineOnlyReceiver  # type: ignore[import-not-found]
from zope.interface import implementer  # type: ignore[import-not-found]

LIBRARY = Library(
    has_tls13=hasattr(SSL, "OP_NO_TLSv1_3"),
    has_suites=hasattr(SSL.Context, "set_tls13_ciphersuites"),
)
#: Errors with a code that Twisted made up: no server said so.
INVENTED = (
    smtp.TLSError,
    smtp.TLSRequiredError,
    smtp.AUTHRequiredError,
    smtp.EHLORequiredError,
)
OF_AUTH = (smtp.AUTHRequiredError, smtp.AUTHDeclinedError, smtp.AuthenticationError)


class PyOpenSslIncapable(Exception):
    """pyOpenSSL will not make this offer; the message is the cause's."""


@implementer(IOpenSSLClientConnectionCreator)
class Pinned:
    """TLS as the offer has it, and nothing else."""

    def __init__(self, job: dict[str, Any]) -> None:
        """Raises PyOpenSslIncapable: the library refuses the offer, or cannot be told of it."""
        why = explain_impossible_offer(job, LIBRARY, job["inside"])
        if why is not None:
            raise PyOpenSslIncapable(why)
        settings = choose_settings(job, LIBRARY, job["inside"])
        self._name = job["host"].encode()
        # "Any version" by its old name, which all of pyOpenSSL's ages have.
        self._context = SSL.Context(SSL.SSLv23_METHOD)
        self._context.set_options(settings.options)
        try:
            self._context.set_cipher_list(settings.ciphers.encode())
            if settings.suites is not None:
                self._context.set_tls13_ciphersuites(settings.suites.encode())
        except SSL.Error as exc:
            raise PyOpenSslIncapable(describe_error(exc)) from exc

    def clientConnectionForTLS(self, _protocol: Any) -> Any:
        """As the interface has it."""
        connection = SSL.Connection(self._context, None)
        connection.set_tlsext_host_name(self._name)
        return connection


class TwistedSender(smtp.ESMTPSender):  # type: ignore[misc]
    """Twisted's sender, which keeps the reply that took the message."""

    def sentMail(self, code: int, resp: bytes, *more: Any) -> None:
        """As SenderMixin's."""
        self.factory.taken = code, resp
        smtp.ESMTPSender.sentMail(self, code, resp, *more)


class Factory(smtp.ESMTPSenderFactory):  # type: ignore[misc]
    """Twisted's factory, which also tells when the connection has gone."""

    protocol = TwistedSender
    domain = b"client.test"
    noisy = False

    def __init__(self, *args: Any, **options: Any) -> None:
        smtp.ESMTPSenderFactory.__init__(self, *args, **options)
        self.taken: tuple[int, bytes] | None = None
        self.gone: Any = defer.Deferred()

    def clientConnectionLost(self, connector: Any, reason: Any) -> None:
        """As SMTPSenderFactory's."""
        smtp.ESMTPSenderFactory.clientConnectionLost(self, connector, reason)
        self.gone.callback(None)

    def clientConnectionFailed(self, connector: Any, reason: Any) -> None:
        """As SMTPSenderFactory's."""
        smtp.ESMTPSenderFactory.clientConnectionFailed(self, connector, reason)
        self.gone.callback(None)


def compose_message(job: dict[str, Any]) -> BytesIO:
    """The message."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = job["from"], job["to"], job["subject"]
    message["Date"] = formatdate()
    message.set_content(job["subject"] + "\n")
    return BytesIO(message.as_bytes())


def make_context_factory(job: dict[str, Any]) -> Any:
    """TLS as the documentation has it, or as the offer; None for none."""
    if job["plaintext"]:
        return None
    if job["lowest"] is not None:
        return Pinned(job)
    authority = ssl.Certificate.loadPEM(Path(job["ca_file"]).read_bytes())
    return ssl.optionsForClientTLS(job["host"], trustRoot=authority)


def begin_dialogue(job: dict[str, Any]) -> Factory:
    """Begin a dialogue; its factory's ``result`` and ``gone`` tell the rest."""
    context = make_context_factory(job)
    login = [job[name].encode() if job[name] else None for name in ("username", "password")]
    factory = Factory(
        *(*login, job["from"], job["to"], compose_message(job), defer.Deferred()),
        retries=0,
        timeout=job["time_limit"],
        contextFactory=context,
        requireAuthentication=job["username"] is not None,
        requireTransportSecurity=not job["plaintext"],
    )
    if job["implicit"]:
        reactor.connectSSL(job["host"], job["port"], factory, context)
    else:
        reactor.connectTCP(job["host"], job["port"], factory)
    return factory


def describe_error(exc: BaseException) -> str:
    """An exception's type and message, without Twisted's log of the dialogue: it has passwords."""
    if isinstance(exc, smtp.SMTPClientError):
        text = exc.resp.decode("utf-8", "replace") if isinstance(exc.resp, bytes) else exc.resp
        return f"{type(exc).__name__}: {exc.code} {text}"
    return f"{type(exc).__name__}: {exc}"


def describe_failure(exc: BaseException) -> dict[str, Any]:
    """The answer of a dialogue that came to nothing."""
    answer: dict[str, Any] = {"sent": False, "error": describe_error(exc)}
    if isinstance(exc, OF_AUTH):
        answer["stage"] = "auth"
    elif isinstance(exc, smtp.SMTPDeliveryError) and exc.addresses:
        answer["stage"] = "rcpt"
    if isinstance(exc, smtp.SMTPClientError) and not isinstance(exc, INVENTED) and exc.code > 0:
        answer.update(code=exc.code, text=exc.resp.decode("utf-8", "replace"))
    return answer


@defer.inlineCallbacks  # type: ignore[untyped-decorator]
def answer_job(job: dict[str, Any]) -> Any:
    """One job's answer, when its connection has gone."""
    try:
        factory = begin_dialogue(job)
    except PyOpenSslIncapable as exc:
        return {"incapable": str(exc)}
    try:
        yield factory.result
    except Exception as exc:
        answer = describe_failure(exc)
    else:
        code, text = factory.taken or (0, b"")
        answer = {"sent": True, "code": code, "text": text.decode("utf-8", "replace")}
    yield factory.gone
    return answer


class Jobs(LineOnlyReceiver):  # type: ignore[misc]
    """Standard input and output."""

    delimiter = b"\n"
    MAX_LENGTH = 1 << 20

    @defer.inlineCallbacks  # type: ignore[untyped-decorator]
    def lineReceived(self, line: bytes) -> Any:
        """A job."""
        answer = yield answer_job(json.loads(line))
        self.sendLine(json.dumps(answer).encode())

    def connectionLost(self, _reason: Any) -> None:
        """No more jobs come."""
        if reactor.running:
            reactor.stop()


def describe_library() -> dict[str, Any]:
    """What this is, as the packages say."""
    return {
        "version": f"{twisted.__version__} on pyOpenSSL {OpenSSL.__version__}"
        f" and cryptography {cryptography}",
        "openssl": backend.openssl_version_text(),
        "offers": list(LIBRARY.versions),
    }


if __name__ == "__main__":
    if sys.argv[1:] == ["--describe"]:
        print(json.dumps(describe_library()))
    else:
        stdio.StandardIO(Jobs())
        reactor.run()
