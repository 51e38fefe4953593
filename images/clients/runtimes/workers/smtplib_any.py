#!/usr/bin/python
"""A worker of the driver's: one JSON job a line in, one answer a line out (common/worker.py).

Each job is one message, sent as smtplib's documentation of that release has it. Runs on Python 2.7
and on every Python 3 from 3.4 on, so it has no annotations and is left out of mypy and ruff.
"""

from __future__ import print_function, unicode_literals

import json
import platform
import smtplib
import socket
import ssl
import sys
import warnings
from email.mime.text import MIMEText

PYTHON2 = sys.version_info[0] == 2
VERSIONS = ("SSLv2", "SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
ALL_CIPHERS = "ALL:COMPLEMENTOFALL"
# Before 2.7.9 a socket is wrapped with one protocol and a list of ciphers, and there are no contexts.
HAS_CONTEXTS = hasattr(ssl, "SSLContext")
HAS_MINIMUM = HAS_CONTEXTS and hasattr(ssl.SSLContext, "minimum_version")
OPENSSL_1_1 = ssl.OPENSSL_VERSION_INFO >= (1, 1, 0)
# The first of VERSIONS that the library can offer: Ubuntu's has SSLv3 in 14.04, and never again.
LOWEST = 1 if ssl.OPENSSL_VERSION_INFO < (1, 0, 2) else 2


class IncapableError(Exception):
    """Python's ssl module will not make this offer; the message is the cause's."""


def constant_name(version):
    """TLSv1_2 of TLSv1.2."""
    return version.replace(".", "_")


def has_version(version):
    """Whether this Python's ssl module can be told this version alone."""
    name = constant_name(version)
    if hasattr(ssl, "HAS_" + name) and not getattr(ssl, "HAS_" + name):
        return False
    if version == "TLSv1.3":
        return bool(getattr(ssl, "HAS_TLSv1_3", False)) and hasattr(ssl, "OP_NO_TLSv1_3")
    return hasattr(ssl, "PROTOCOL_" + name)


def cipher_list(job):
    """The cipher list of an offer, in OpenSSL's words."""
    if any(name.startswith("TLS_") for name in job["ciphers"]):
        raise IncapableError("Python's ssl module cannot choose among the ciphers of TLSv1.3")
    # OpenSSL 1.1.0 brought security levels; earlier ones refuse a list that names one.
    return (":".join(job["ciphers"]) or ALL_CIPHERS) + (":@SECLEVEL=0" if OPENSSL_1_1 else "")


def offered_versions(job):
    """The versions of an offer, oldest first."""
    versions = VERSIONS[VERSIONS.index(job["lowest"]) : VERSIONS.index(job["highest"]) + 1]
    for version in versions:
        if not has_version(version):
            raise IncapableError("this Python's ssl module has no %s" % version)
    return versions


def pinned_context(job):
    """A context that lets nothing but the offer decide."""
    versions = offered_versions(job)
    context = ssl.SSLContext(getattr(ssl, "PROTOCOL_TLS_CLIENT", ssl.PROTOCOL_SSLv23))
    if hasattr(context, "check_hostname"):
        context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    # OpenSSL 3 else turns away from servers without secure renegotiation (SSL_OP_LEGACY_SERVER_CONNECT).
    context.options |= 0x4
    context.set_ciphers(str(cipher_list(job)))
    choose_groups(context, job)
    for version in VERSIONS:
        forbid = getattr(ssl, "OP_NO_" + constant_name(version), 0)
        if version in versions or HAS_MINIMUM:
            context.options &= ~forbid
        else:
            context.options |= forbid
    if HAS_MINIMUM:
        context.minimum_version = getattr(ssl.TLSVersion, constant_name(job["lowest"]))
        context.maximum_version = getattr(ssl.TLSVersion, constant_name(job["highest"]))
    return context


def choose_groups(context, job):
    """Offer one group alone, where the module can be told one."""
    if not job["groups"]:
        return
    if len(job["groups"]) > 1 or not OPENSSL_1_1:
        raise IncapableError("Python's ssl module can be told one group, and before OpenSSL 1.1.0 none")
    context.set_ecdh_curve(str(job["groups"][0]))


def default_context(job):
    """As the documentation has it from 3.4 on; before, there is nothing to be told."""
    return None if PYTHON2 else ssl.create_default_context(cafile=job["ca_file"])


def make_wrapper(job):
    """What wraps a socket for Python 2's smtplib, which takes no context; None: its own way."""
    if job["lowest"] is None:
        return None
    if HAS_CONTEXTS:
        context = pinned_context(job)
        return lambda sock, *_, **__: context.wrap_socket(sock)
    (version,) = offered_versions(job) if job["lowest"] == job["highest"] else (None,)
    if version is None:
        raise IncapableError("this Python's ssl module can be told one version, or nothing")
    if job["groups"]:
        raise IncapableError("this Python's ssl module chooses no groups")
    protocol = getattr(ssl, "PROTOCOL_" + constant_name(version))
    ciphers = str(cipher_list(job))
    wrap = ssl.wrap_socket
    return lambda sock, *_, **__: wrap(sock, ssl_version=protocol, ciphers=ciphers)


class Watched:
    """What of smtplib's own client is kept: its last reply. In Python 2 both classes are old-style."""

    last_code, last_text = 0, ""

    def getreply(self):
        code, text = smtplib.SMTP.getreply(self)
        self.last_code, self.last_text = code, text.decode("utf-8", "replace")
        return code, text


class WatchedSmtp(Watched, smtplib.SMTP):
    pass


class WatchedSmtps(Watched, smtplib.SMTP_SSL):
    pass


def connect(job, result):
    """A client that is connected, has shaken hands and has said EHLO."""
    named = {} if PYTHON2 else {"context": pinned_context(job) if job["lowest"] else default_context(job)}
    limit, host = job["time_limit"], str(job["host"])
    result["stage"] = "banner"
    if job["implicit"]:
        result["stage"] = "handshake"
        client = WatchedSmtps(host, job["port"], timeout=limit, **named)
    else:
        client = WatchedSmtp(host, job["port"], timeout=limit)
    result["stage"] = "ehlo"
    client.ehlo("client.test")
    if not job["implicit"] and not job["plaintext"]:
        result["stage"] = "starttls"
        code, text = client.starttls(**named)
        if code != 220:
            # Before 3.5 a refusal is returned, and the caller has to look.
            raise smtplib.SMTPResponseException(code, text)
        result["stage"] = "ehlo"
        client.ehlo("client.test")
    if not job["plaintext"]:
        note_session(client.sock, result)
    return client


def note_session(sock, result):
    """What the session negotiated, as far as this release tells."""
    if hasattr(sock, "version"):
        version = sock.version()
        result["protocol"] = "TLSv1" if version == "TLSv1.0" else version
    result["cipher"], _, result["bits"] = sock.cipher()
    certificate = sock.getpeercert(True)
    if certificate:
        result["peer_certificate"] = ssl.DER_cert_to_PEM_cert(certificate)


def compose_message(job):
    message = MIMEText(job["subject"] + "\n")
    message["From"], message["To"], message["Subject"] = job["from"], job["to"], job["subject"]
    return message.as_string()


def hold_dialogue(job, result):
    """One dialogue; ``result`` is filled as it goes on."""
    client = connect(job, result)
    try:
        if job["username"]:
            result["stage"] = "auth"
            client.login(str(job["username"]), str(job["password"]))
        result["stage"] = "mail"
        client.sendmail(job["from"], [job["to"]], compose_message(job))
        result.update(sent=True, code=client.last_code, text=client.last_text)
        client.quit()
    except smtplib.SMTPRecipientsRefused as exc:
        result["code"], text = list(exc.recipients.values())[0]
        result.update(stage="rcpt", text=text.decode("utf-8", "replace"))
        raise
    finally:
        client.close()


def answer_job(job):
    """One job's answer."""
    result = {"sent": False}
    own_wrap = getattr(ssl, "wrap_socket", None)
    try:
        wrapper = make_wrapper(job) if PYTHON2 else None
        if wrapper:
            ssl.wrap_socket = wrapper
        hold_dialogue(job, result)
    except IncapableError as exc:
        return {"incapable": str(exc)}
    except smtplib.SMTPResponseException as exc:
        text = exc.smtp_error
        result["code"] = exc.smtp_code
        result["text"] = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
        result["error"] = "%s: %s" % (type(exc).__name__, exc)
    except (ValueError, socket.error, ssl.SSLError, smtplib.SMTPException) as exc:
        result["error"] = "%s: %s" % (type(exc).__name__, exc)
        if isinstance(exc, ValueError) and result.get("stage") is None:
            return {"incapable": result["error"]}
    finally:
        if own_wrap:
            ssl.wrap_socket = own_wrap
    return result


def describe():
    return {
        "client": "smtplib",
        "version": "Python " + platform.python_version(),
        "tls_library": "OpenSSL",
        "tls_version": ssl.OPENSSL_VERSION,
        "offers": [version for version in VERSIONS[LOWEST:] if has_version(version)],
    }


if __name__ == "__main__":
    warnings.simplefilter("ignore", DeprecationWarning)
    if sys.argv[1:] == ["--describe"]:
        print(json.dumps(describe()))
    else:
        for line in iter(sys.stdin.readline, ""):
            print(json.dumps(answer_job(json.loads(line))))
            sys.stdout.flush()
