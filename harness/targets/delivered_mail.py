"""The messages that an instance has delivered into its test mailbox: their trace headers."""

from __future__ import annotations

import re

from harness.targets.shell import LastingShell, ShellLostError

_SEPARATOR = "== postfix-matrix: a message =="


def collect_headers(shell: LastingShell, directory: str) -> dict[str, str]:
    """Trace headers of the mail delivered since the last call, by recipient token. Blocks.

    ``directory`` is the instance's in the container.

    Raises:
        InfrastructureError: the container has died.
    """
    script = f"""cd {directory}/mail/sink/new 2>/dev/null || exit 0
set -- *
[ -e "$1" ] || exit 0
awk 'FNR == 1 {{ header = 1; print "{_SEPARATOR}" }} /^$/ {{ header = 0 }} header' "$@"
mv "$@" ../cur/"""
    try:
        output = shell.run_once(script).output
    except ShellLostError:
        # It may have moved what it did not report any more.
        back = f"cd {directory}/mail/sink/cur 2>/dev/null && mv -- * ../new/ || true"
        shell.run(back)
        output = shell.run(script).output
    headers: dict[str, str] = {}
    for message in output.split(_SEPARATOR + "\n")[1:]:
        token, header = delivered_token(message), trace_header(message)
        if token is not None and header is not None:
            headers[token] = header
    return headers


def trace_header(message: str) -> str | None:
    """The first ``Received:`` field with its folded lines (RFC 5322, section 3.6.7)."""
    lines = message.splitlines()
    for number, line in enumerate(lines):
        if line.lower().startswith("received:"):
            end = number + 1
            while end < len(lines) and lines[end][:1] in (" ", "\t"):
                end += 1
            return "\n".join(lines[number:end])
    return None


def delivered_token(message: str) -> str | None:
    """The recipient's token: the local part of virtual(8)'s ``Delivered-To:``."""
    match = re.search(r"^Delivered-To: ([a-z0-9]+)@", message, re.MULTILINE)
    return match[1] if match else None
