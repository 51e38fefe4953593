#!/usr/bin/python3
"""A worker of the driver's: one JSON job a line in, one answer a line out (common/worker.py).

nassl is a TLS library for probing servers, and speaks no SMTP; smtplib does, over nassl's client.
"""

from __future__ import annotations

import io
import json
import platform
import smtplib
import sys
from email.message import EmailMessage
from importlib import metadata
from pathlib import Path
from typing import Any

from nassl import _nassl, _nassl_legacy  # type: ignore[import-not-found]
from nassl.legacy_ssl_client import LegacySslClient  # type: ignore[import-not-found]
from nassl.ssl_client import (  # type: ignore[import-not-found]
    ClientCertificateRequested,
    OpenSslVerifyEnum,
    OpenSslVersionEnum,
    SslClient,
)
from nassl_offer import VERSIONS, choose_settings, explain_impossible_offer, find_version

LIBRARIES = {"legacy": (LegacySslClient, _nassl_legacy), "modern": (SslClient, _nassl)}
TLS_ERRORS = (_nassl.OpenSSLError, ClientCertificateRequested)


class NasslIncapable(Exception):
    """nassl will not make this offer; the message is the cause's."""


def make_client(job: dict[str, Any], library: str) -> Any:
    """nassl's client as it comes, checking the certificate; or as the offer has it, and no more.

    Raises:
        NasslIncapable: the library refuses the offer, or cannot be told of it.
    """
    make, _ = LIBRARIES[library]
    constants: dict[str, Any] = {}
    if job["certificate"]:
        constants = {
            "client_certificate_chain": Path(job["certificate"]),
            "client_key": Path(job["key"]),
        }
    if job["lowest"] is None:
        client = make(ssl_verify_locations=Path(job["ca_file"]), **constants)
        name_server(client, job)
        return client
    why = explain_impossible_offer(job, library, job["inside"])
    if why is not None:
        raise NasslIncapable(why)
    settings = choose_settings(job, library, job["inside"])
    try:
        client = make(
            ssl_version=OpenSslVersionEnum[settings.version],
            ssl_verify=OpenSslVerifyEnum.NONE,
            **constants,
        )
        client._ssl.set_options(settings.options)
        client.set_cipher_list(settings.ciphers)
        if settings.suites is not None:
            client.set_ciphersuites(settings.suites)
        if settings.groups is not None:
            client.set_groups(list(settings.groups))
    except (*TLS_ERRORS, ValueError, NotImplementedError) as exc:
        raise NasslIncapable(describe_error(exc)) from exc
    if settings.version != "SSLV2":  # which has no server name
        name_server(client, job)
    return client


def name_server(client: Any, job: dict[str, Any]) -> None:
    """Have the client send the server name that the job says, or none."""
    if job["sni"] is not None:
        client.set_tlsext_host_name(job["sni"])


class Stream(io.RawIOBase):
    """A handshaken client as smtplib wants its sockets.

    nassl's own read() waits for the network before it looks at what has come already, such as a
    banner right behind the handshake.
    """

    def __init__(self, client: Any, sock: Any) -> None:
        self._client = client
        self._sock = sock
        client.set_underlying_socket(sock)
        try:
            client.do_handshake()
        finally:
            # The end of TLSv1.3's handshake, or the alert that broke it off.
            client._flush_ssl_engine()

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """As io.RawIOBase."""
        while True:
            try:
                data = self._client._ssl.read(len(buffer))
            except _nassl.WantReadError:
                sealed = self._sock.recv(4096)
                if not sealed:
                    return 0
                self._client._network_bio.write(sealed)
            else:
                buffer[: len(data)] = data
                return len(data)

    def sendall(self, data: bytes) -> None:
        """As a socket's."""
        self._client.write(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        """As a socket's."""
        return io.BufferedReader(self)

    def close(self) -> None:
        """As a socket's."""
        self._sock.close()
        super().close()


class NasslSmtp(smtplib.SMTP):
    """smtplib.SMTP, whose TLS is nassl's; it keeps its last reply."""

    code: int = 0
    text: str = ""

    def getreply(self) -> tuple[int, bytes]:
        """As SMTP.getreply."""
        code, text = super().getreply()
        self.code, self.text = code, text.decode("utf-8", "replace")
        return code, text

    def start_tls(self, client: Any) -> None:
        """STARTTLS, as SMTP.starttls has it."""
        code, text = self.docmd("STARTTLS")
        if code != 220:
            raise smtplib.SMTPResponseException(code, text)
        self.sock = Stream(client, self.sock)  # type: ignore[assignment]
        self.file = None
        self.helo_resp = self.ehlo_resp = None
        self.esmtp_features = {}
        self.does_esmtp = False


class NasslSmtps(NasslSmtp):
    """The same with TLS from the start."""

    def __init__(self, client: Any, *args: Any, **options: Any) -> None:
        self._client = client
        super().__init__(*args, **options)

    def _get_socket(self, *args: Any) -> Any:
        return Stream(self._client, super()._get_socket(*args))  # type: ignore[misc]


def compose_message(job: dict[str, Any]) -> EmailMessage:
    """The message."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = job["from"], job["to"], job["subject"]
    message.set_content(job["subject"] + "\n")
    return message


def hold_dialogue(job: dict[str, Any], library: str, result: dict[str, Any]) -> None:
    """One dialogue; ``result`` is filled as it goes on."""
    client = None if job["plaintext"] else make_client(job, library)
    where = {"host": job["host"], "port": job["port"], "timeout": job["time_limit"]}
    result["stage"] = "handshake" if job["implicit"] else "banner"
    mail = NasslSmtps(client, **where) if job["implicit"] else NasslSmtp(**where)
    try:
        result["stage"] = "ehlo"
        mail.ehlo("client.test")
        if client is not None and not job["implicit"]:
            result["stage"] = "starttls"
            mail.start_tls(client)
            result["stage"] = "ehlo"
            mail.ehlo("client.test")
        if client is not None:
            result["cipher"] = client.get_current_cipher_name()
            result["bits"] = client.get_current_cipher_bits()
        if job["username"]:
            result["stage"] = "auth"
            mail.login(job["username"], job["password"])
        result["stage"] = "mail"
        mail.send_message(compose_message(job))
        result.update(sent=True, code=mail.code, text=mail.text)
        mail.quit()
    except smtplib.SMTPRecipientsRefused as exc:
        (result["code"], text), *_ = exc.recipients.values()
        result.update(stage="rcpt", text=text.decode("utf-8", "replace"))
        raise
    finally:
        mail.close()


def describe_error(exc: BaseException) -> str:
    """An exception's type and message; OpenSSL's messages have a line each."""
    return f"{type(exc).__name__}: {str(exc).strip()}"


def answer_job(job: dict[str, Any], library: str) -> dict[str, Any]:
    """One job's answer."""
    result: dict[str, Any] = {"sent": False}
    try:
        hold_dialogue(job, library, result)
    except NasslIncapable as exc:
        return {"incapable": str(exc)}
    except smtplib.SMTPResponseException as exc:
        text = exc.smtp_error
        result["code"] = exc.smtp_code
        result["text"] = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
        result["error"] = describe_error(exc)
    except (*TLS_ERRORS, OSError, smtplib.SMTPException) as exc:
        result["error"] = describe_error(exc)
    return result


def describe_library(library: str) -> dict[str, Any]:
    """What this is. nassl tells its OpenSSL's version nowhere but in the program's bytes."""
    program = Path(LIBRARIES[library][1].__file__)
    return {
        "version": f"{metadata.version('nassl')} on Python {platform.python_version()}",
        "openssl": find_version(program.read_bytes()),
        "offers": list(VERSIONS[library]),
    }


if __name__ == "__main__":
    if sys.argv[2:] == ["--describe"]:
        print(json.dumps(describe_library(sys.argv[1])))
    else:
        for line in sys.stdin:
            print(json.dumps(answer_job(json.loads(line), sys.argv[1])), flush=True)
