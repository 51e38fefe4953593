"""Whether an instance of Postfix was as it should be when a cell was measured on it.

A process that was killed or stopped from outside, a log that is silent or a Dovecot that is gone
must not be taken for an answer of the candidate. What a configuration does to Postfix is left to
``observations.decide``.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Iterable
from typing import NoReturn

from harness.clients.contract import ClientResult
from harness.errors import FaultError
from harness.observations.decide import ServerLog
from harness.targets.mail_log import SmtpSession
from harness.targets.postfix import Instance, PostfixTarget

#: Seconds in which a line must come through the log.
LOG_LIMIT = 3.0
_TAG = "postfix-matrix/log"
#: What a client reports that was served to the end, or that will be asked again anyway.
_SETTLED = frozenset({"accepted", "plaintext", "hung-up", "timeout", "error"})
_EARLY = frozenset({"connect", "banner"})
#: Postfix's words where the Dovecot of the engine, at an address of TCP, does not answer (xsasl).
_SASL_LOST = re.compile(
    r"SASL: Connect to .*\d:\d+\b.* failed|Connection lost to authentication server"
)


def check_sasl(lines: Iterable[str], host: str) -> None:
    """Check that Dovecot answered.

    Raises:
        FaultError: a line says that it did not.
    """
    for line in lines:
        if _SASL_LOST.search(line):
            raise FaultError(
                f"Dovecot did not answer the Postfix in {host}: {line}",
                cause="its container was killed or cut off",
                next_step="run again; --resume measures only what is left",
            )


class InstanceFaults:
    """Looks for faults of one instance."""

    def __init__(self, target: PostfixTarget, instance: Instance) -> None:
        self._target = target
        self._instance = instance

    def must_be_logged(self, result: ClientResult) -> bool:
        """Whether smtpd took the client, so that its log has lines of it."""
        is_early = result.stage in _EARLY and result.outcome not in ("accepted", "plaintext")
        return not is_early and result.outcome not in ("timeout", "error")

    async def check(
        self, result: ClientResult, session: SmtpSession | None, log: ServerLog
    ) -> None:
        """Check what a dialogue's result rests on.

        Raises:
            FaultError: a process was ended or stopped, or Dovecot is gone.
        """
        self._target.check_alive()
        self.check_kills()
        self.check_lines((*log.session, *log.deaths))
        is_closed = session is not None and session.closed
        if is_closed or log.deaths or result.outcome in _SETTLED or not self._instance.started:
            return
        if result.outcome == "client-incapable" and result.local_address is None:
            return
        pids = self._instance.pids
        if len(pids) == 1:
            await asyncio.to_thread(self._target.check_processes, {"master": pids.start})

    def check_kills(self) -> None:
        """Check that no process of the instance was ended from outside, at any time.

        master(8) does without a program for a minute then, so nothing can be measured any more.

        Raises:
            FaultError: one was.
        """
        if line := self._target.join.log.find_kill(self._instance.pids):
            self._raise_fault(f"a process of its Postfix was ended from outside: {line}")

    def check_lines(self, lines: Iterable[str]) -> None:
        """Check that the lines of a dialogue or a death do not tell of a lost Dovecot.

        Raises:
            FaultError: they do.
        """
        if self._instance.sasl:
            check_sasl(lines, self._target.host)

    async def check_log(self) -> None:
        """Check that what programs log still arrives here.

        Raises:
            FaultError: it does not.
        """
        target, mark = self._target, secrets.token_hex(8)
        script = f"postlog -c {self._instance.directory}/etc -t {_TAG} {mark} >/dev/null 2>&1 &"
        await asyncio.to_thread(target.run, script)
        end = asyncio.get_running_loop().time() + target.pace.stretch(LOG_LIMIT)
        while not any(mark in line.text for line in target.join.log.other.get(_TAG, ())):
            if asyncio.get_running_loop().time() > end:
                self._raise_fault("what its Postfix logs does not arrive")
            await asyncio.sleep(0.02)

    def _raise_fault(self, what: str) -> NoReturn:
        raise FaultError(
            f"{self._instance.scenario} on {self._target.name}: {what}",
            cause="a process was killed or stopped from outside, or memory has run out",
            next_step="run again; --resume measures only what is left",
        )
