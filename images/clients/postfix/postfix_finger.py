"""posttls-finger(1): one run, one handshake; it sends no mail."""

from __future__ import annotations

import re

from common.contract import Request
from common.mailer import Incapable, Report, find_refusal
from postfix_log import ESTABLISHED, read_handshake
from postfix_settings import Build, Way, make_tls_settings

FINGER = "/usr/sbin/posttls-finger"


def make_command(request: Request, port: int, build: Build) -> list[str]:
    """The command line.

    Raises:
        Incapable: this release has no option for it.
    """
    settings = make_tls_settings(Way.for_request(request), build)
    arguments = [FINGER, "-c", "-t", f"{request.time_limit:.0f}", "-T", f"{request.time_limit:.0f}"]
    arguments += ["-L", "summary", "-l", settings.pop("smtp_tls_security_level")]
    arguments += ["-h", "native", "-F", request.ca_file]
    if settings.pop("smtp_tls_wrappermode", "no") == "yes":
        arguments.append("-w")
    if (listed := settings.pop("smtp_tls_mandatory_protocols", None)) is not None:
        arguments += ["-p", listed]
    if (grade := settings.pop("smtp_tls_mandatory_ciphers", None)) is not None:
        arguments += ["-g", grade]
    # What it has no option for is a parameter of its own, of the same name as everybody's.
    parameters = [f"{name}={value}" for name, value in settings.items() if name.startswith("tls_")]
    arguments += [word for setting in parameters for word in ("-o", setting)]
    return [*arguments, f"[{request.server_name}]:{port}"]


def read_output(output: str) -> Report:
    """What its output reports of the handshake."""
    lines = [line.partition(": ")[2] for line in output.splitlines()]
    if any(ESTABLISHED.search(line) for line in lines):
        return read_handshake(lines)
    messages = [line for line in lines if not re.match(r"[<>] |Connected to|using DANE", line)]
    refused = find_refusal("\n".join(line[2:] for line in lines if line.startswith("< ")))
    return Report(False, "\n".join(messages) or None, refused)


def require_tool(there: bool) -> None:
    """See that the build has the tool.

    Raises:
        Incapable: it has not (before 2.11).
    """
    if not there:
        raise Incapable("this build has no posttls-finger: Postfix never had it before 2.11")
