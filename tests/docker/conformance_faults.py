"""Images that do not keep the image contract, each by a few lines on one that does."""

from __future__ import annotations

from dataclasses import dataclass

from harness.conformance.image_checks import TOOLS
from harness.images import labels as names
from harness.images.recipes import SOURCE_FILE

_SYSLOGD = "busybox syslogd -n -O -"
#: What the faults are put into: the debian-12 image, with busybox for its own syslog daemon.
PREPARED = f"RUN apt-get update && apt-get install busybox\nCMD {_SYSLOGD}"
_OTHER_OPENSSL = (
    r"""RUN printf '#!/bin/sh\n[ "$1" = version ] || exec /usr/bin/openssl "$@"\n"""
    r"""echo OpenSSL 1.1.1w  11 Sep 2023\n' >/usr/local/bin/openssl && chmod 755 /usr/local/bin/*"""
)
ONLY_LISTED = (
    f"RUN mkdir /only && for one in {' '.join(TOOLS)}; do ln -s /bin/busybox /only/$one; done "
    "&& for one in postfix postlog postconf openssl; do ln -s $(command -v $one) /only/; done\n"
    f'ENV PATH=/only\nCMD ["/bin/busybox", "syslogd", "-n", "-O", "-"]'
)


@dataclass(frozen=True, slots=True)
class Fault:
    """Lines that spoil the debian-12 image, and the reason of each check that they must fail."""

    lines: str
    reasons: dict[str, str]


FAULTS = {
    "lying-postfix": Fault(
        f"LABEL {names.POSTFIX}=9.9.9",
        {"postfix-version": r"says Postfix 9\.9\.9, but the image runs 3\.7\.\d+"},
    ),
    "lying-openssl": Fault(
        f"LABEL {names.OPENSSL}=1.0.2h",
        {"openssl-version": r"says OpenSSL 1\.0\.2h, but the image runs 3\.0\.\d+"},
    ),
    # A label cannot be taken away, but an empty one says as little.
    "no-contract": Fault(f"LABEL {names.CONTRACT}=", {"contract": "has no label .*contract"}),
    "another-contract": Fault(f"LABEL {names.CONTRACT}=7", {"contract": "keeps version 7"}),
    "no-provenance": Fault(
        f"LABEL {names.HOW}= {names.KIND}=client",
        {"labels": "kind is client, not build; .*how is empty or missing"},
    ),
    "not-root": Fault("USER postfix", {"root": "its user is postfix"}),
    "no-shell": Fault("RUN rm /bin/sh", {"shell": "no such file"}),
    "no-tools": Fault("RUN rm /usr/bin/awk /usr/bin/nice", {"tools": "no awk; no nice"}),
    "no-services": Fault(
        "RUN sed -i /submission/d /etc/services",
        {"services": "no submission at 587/tcp; no submissions or smtps at 465/tcp"},
    ),
    "no-postfix": Fault("RUN rm /usr/sbin/postfix", {"postfix": "no postfix"}),
    "no-postconf": Fault("RUN rm /usr/sbin/postconf", {"postconf": "no postconf"}),
    "no-daemon": Fault(
        "RUN rm /usr/lib/postfix/sbin/smtpd", {"daemons": "no /usr/lib/postfix/sbin/smtpd"}
    ),
    "no-master-cf": Fault("RUN rm /etc/postfix/master.cf", {"config": "no /etc/postfix/master.cf"}),
    "no-owners": Fault(
        "RUN sed -i /^postfix:/d /etc/passwd && sed -i /^postdrop:/d /etc/group",
        {"owners": "no user postfix; no group postdrop"},
    ),
    "no-openssl": Fault("RUN rm /usr/bin/openssl", {"openssl": "no openssl"}),
    "another-openssl": Fault(
        _OTHER_OPENSSL,
        {"openssl-same": r"smtpd loads OpenSSL 3\.0\.\d+, the openssl on PATH is of 1\.1\.1w"},
    ),
    "exits": Fault('ENTRYPOINT ["false"]', {"command": "ended with exit code 1"}),
    "no-such-command": Fault('CMD ["syslog-ng"]', {"command": "exit code 127: .*syslog-ng"}),
    "no-command": Fault("CMD []", {"command": "the image has none"}),
    "background": Fault('CMD ["busybox", "syslogd"]', {"command": "ended with exit code 0"}),
    "dies": Fault(f"CMD {_SYSLOGD} | sed -u 3q", {"command": "it ended with exit code 0"}),
    "no-syslog": Fault(
        'CMD ["sleep", "infinity"]', {"syslog": "message of postlog did not come out"}
    ),
    "unreadable-log": Fault(f"CMD {_SYSLOGD} | sed -u 's/^/> /'", {"syslog": "it writes '> "}),
    "cutting-log": Fault(
        rf"CMD {_SYSLOGD} | sed -u 's/\(.\{{256\}}\).*/\1/'",
        {"long-lines": "4 messages of 1,000 bytes, 4 did not come out whole.* has 256 bytes"},
    ),
    "noisy": Fault(f"CMD echo starting; exec {_SYSLOGD}", {"quiet": "the first is 'starting'"}),
    "bad-master-cf": Fault(
        "RUN echo nonsense >>/etc/postfix/master.cf", {"postconf": "master.cf: line .*bad field"}
    ),
    "odd-master-cf": Fault(
        "RUN echo '192.0.2.7:26 inet n - n - - smtpd' >>/etc/postfix/master.cf",
        {"master": r"fatal: bind 192\.0\.2\.7"},
    ),
    "bad-smtpd": Fault(
        "RUN cp /bin/false /usr/lib/postfix/sbin/smtpd",
        {"starttls": "process /usr/lib/postfix/sbin/smtpd pid .* exit status 1"},
    ),
    "deaf-to-smtpd": Fault(
        f"CMD {_SYSLOGD} | grep -v --line-buffered smtpd",
        {"smtpd-log": "no 'connect from' of postfix-conformance/smtpd"},
    ),
    "many": Fault(
        f"RUN rm /usr/bin/nice /etc/services /usr/bin/openssl\n"
        f'LABEL {names.KIND}= {names.CONTRACT}=\nCMD ["sleep", "infinity"]',
        {
            "contract": "has no label",
            "labels": "kind is missing",
            "tools": "no nice",
            "services": "no smtp at 25/tcp",
            "openssl": "no openssl",
        },
    ),
}
#: The debian-12 image with two programs of a Postfix that was built without TLS and SASL.
BARE = f"""
ARG TOOLCHAIN
ARG POSTFIX
FROM ${{TOOLCHAIN}} AS build
ARG SUBDIR
COPY {SOURCE_FILE} /src/
RUN cd /src && tar --no-same-owner -xf {SOURCE_FILE} && mv "$SUBDIR" /bare && cd /bare \\
 && make makefiles CCARGS='-DNO_DB -DNO_NIS -DNO_PCRE -DNO_EAI' shared=no dynamicmaps=no \\
      DEBUG= OPT= daemon_directory=/usr/lib/postfix/sbin >/dev/null \\
 && make -s -j"$(nproc)" DIRS='src/util src/global src/dns src/tls src/xsasl src/milter \\
      src/master src/postconf src/smtpd' >log 2>&1 || {{ tail -n 40 log >&2; exit 1; }}
FROM ${{POSTFIX}}
COPY --from=build /bare/bin/postconf /bare/libexec/smtpd /bare/
"""
