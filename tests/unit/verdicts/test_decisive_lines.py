"""Which line of a connection's log decided it."""

from __future__ import annotations

import pytest

from harness.verdicts.decisive_lines import (
    DecisiveQuestion,
    decisive_line,
)
from tests.unit.verify_samples import (
    ESTABLISHED,
    REJECT,
)

LOG = [
    "Nov 30 01:45:29 postfix/smtpd[71]: connect from unknown[172.18.0.6]:33421",
    "Nov 30 01:45:29 postfix/smtpd[71]: warning: /etc/postfix/main.cf, line 9: overriding earlier "
    "entry: smtpd_tls_cert_file=x",
    ESTABLISHED,
    REJECT,
    "Nov 30 01:45:29 postfix/smtpd[71]: disconnect from unknown[172.18.0.6]:33421",
]


FAILED = [
    "Nov  3 01:45:29 postfix/smtpd[71]: SSL_accept error from unknown[172.18.0.6]:33421: -1",
    "Nov  3 01:45:29 postfix/smtpd[71]: warning: TLS library problem: error:0A000102:SSL routines::"
    "unsupported protocol:ssl/statem/statem_srvr.c:1657:",
]


@pytest.mark.parametrize(
    ("log", "question", "text"),
    [
        (LOG, DecisiveQuestion.NEGOTIATED, "Anonymous TLS connection established"),
        (LOG, DecisiveQuestion.REFUSED, "NOQUEUE: reject: RCPT"),
        (LOG, DecisiveQuestion.ENDED, "NOQUEUE: reject: RCPT"),
        (LOG[:3], DecisiveQuestion.ENDED, "TLS connection established"),
        (FAILED, DecisiveQuestion.ENDED, "TLS library problem"),
        ([*LOG, "x postfix/smtpd[71]: warning: No server certs available. TLS won't be enabled"],
         DecisiveQuestion.ENDED, "TLS won't be enabled"),
        ([*LOG, "x postfix/smtpd[9]: fatal: bad string length 0 < 1: x"], DecisiveQuestion.REFUSED,
         "fatal: bad string length"),
        (["x postfix/master[61]: warning: process /usr/libexec/postfix/smtpd pid 68 exit status 1"],
         DecisiveQuestion.ENDED, "pid 68 exit status 1"),
        (LOG[:2], DecisiveQuestion.ENDED, None),
    ],
)  # fmt: skip
def test_the_line_that_decided_stands_in_the_answer(
    log: list[str], question: DecisiveQuestion, text: str | None
) -> None:
    """Protects "why": the decisive one of a dozen lines is reported, without its time."""
    line = decisive_line(log, question)
    if text is None:
        assert line is None
    else:
        assert line is not None
        assert text in line
        assert not line.startswith("Nov")
