"""The trial of an image: it is started the way a run does, with an instance in it."""

from __future__ import annotations

import asyncio
import secrets
import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Any

from docker.errors import APIError

from harness.conformance.container_log import (
    TAG,
    ContainerOutput,
    find_connection,
    find_line,
    has_whole_line,
    judge_long,
    judge_quiet,
    judge_short,
    judge_smtpd,
    list_complaints,
    long_message,
)
from harness.conformance.image_checks import (
    CheckFinding,
    find_blockers,
)
from harness.docker_engine.cancel import Cancel
from harness.docker_engine.session import (
    LABEL_RUN,
    discard_container,
    engine_errors,
)
from harness.errors import HarnessError, InfrastructureError
from harness.scenarios.scenario import Scenario
from harness.targets.lab import Lab, attach_socket
from harness.targets.postfix import ROLE, ROOT, Instance, PostfixTarget
from harness.targets.shell import Shell
from harness.targets.stream import LineStream
from harness.tls import Service

#: Seconds in which a log line must come out, and s_client must have the certificate.
LOG_LIMIT, DIALOGUE_LIMIT = 5.0, 10.0
#: Seconds until a message is sent again: one that is sent before the daemon listens is lost.
_RESEND_AFTER = 0.5
_AT_ONCE = 4
#: Seconds in which the engine notices that a container has ended, and between two checks.
_END_LIMIT, _PAUSE = 5.0, 0.05
#: The time of a configuration file: Postfix waits until one that has just changed "cools down".
_OLD_TIME = "200001010000"

#: An smtpd of the image, whatever options its master.cf gives to the stock service.
_SCENARIO = Scenario(
    id="conformance",
    title="An instance for the conformance test of the image contract",
    source="postfix-matrix",
    claim="It starts, greets and offers STARTTLS.",
    master_cf="smtp inet n - n - - smtpd\n  -o smtpd_tls_security_level=may\n",
    # The image's own entries are tried with their addresses.
    as_is=True,
)
#: No server listens there: no client of this instance logs in.
_NO_SASL = "inet:127.0.0.1:12345"
_SENT = "BEGIN CERTIFICATE"


def try_image(
    lab: Lab,
    image: str,
    attrs: Mapping[str, Any],
    known: Mapping[str, CheckFinding],
    cancel: Cancel,
) -> dict[str, CheckFinding]:
    """The findings of starting the image, without those that ``known`` findings block.

    Raises:
        InfrastructureError: the engine does not answer, or the container was removed meanwhile.
        Cancelled: the user cancelled the work.
    """
    if find_blockers("command", known):
        return {}
    config = attrs.get("Config") or {}
    if not (config.get("Entrypoint") or config.get("Cmd")):
        return {"command": _command_finding("the image has none")}
    # Log lines are not joined with cells here, so the loop for that never runs. It is closed last:
    # streams on the container call it until the container is removed.
    with (
        closing(asyncio.new_event_loop()) as loop,
        _start_container(lab, image) as (name, container, refusal),
    ):
        if container is None:
            return {"command": _command_finding(refusal)}
        with cancel.closing(container.kill):
            return _run_trial(_ImageTrial(lab, name, container, known, loop))


class _ImageTrial:
    """A container that was started, its output, and the findings so far."""

    def __init__(
        self,
        lab: Lab,
        name: str,
        container: Any,
        known: Mapping[str, CheckFinding],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.container = container
        # Replaced at the end if it does not run any more.
        self.findings = {**known, "command": CheckFinding("it runs")}
        self.output = ContainerOutput()
        self._lab, self._name, self._loop = lab, name, loop

    def run(self) -> None:
        """Make all checks that are not blocked.

        Raises:
            InfrastructureError: the container does not answer.
        """
        stream = LineStream(
            attach_socket(self.container, stdin=False), self.output.add, name=self._name
        )
        stream.start()
        with closing(stream), closing(Shell(self.container)) as shell:
            if not find_blockers("syslog", self.findings):
                self._check_syslog(shell)
            if not find_blockers("master", self.findings):
                self._check_instance(shell)
            self.findings["quiet"] = judge_quiet(self._all_lines())
            # Fails if the container has ended; the engine reports that later than the shell.
            shell.run(":")

    def _check_syslog(self, shell: Shell) -> None:
        mark = f"short-{secrets.token_hex(8)}"
        end = time.monotonic() + LOG_LIMIT
        shell.run(f"mkdir -p {ROOT}/log && touch -t {_OLD_TIME} {ROOT}/log/main.cf")
        output = ""
        while time.monotonic() < end:
            output = shell.run(_postlog_command(mark)).output
            if self.output.wait(lambda lines: find_line(mark, lines) is not None, _RESEND_AFTER):
                break
        self.findings["syslog"] = judge_short(mark, self.output.lines, LOG_LIMIT, output)
        if self.findings["syslog"].met:
            self._check_long_lines(shell)

    def _check_long_lines(self, shell: Shell) -> None:
        messages = [long_message(f"long-{secrets.token_hex(8)}") for _ in range(_AT_ONCE)]
        shell.run("".join(f"{_postlog_command(text)} &\n" for text in messages) + "wait")
        self.output.wait(
            lambda lines: all(has_whole_line(text, lines) for text in messages), LOG_LIMIT
        )
        self.findings["long-lines"] = judge_long(messages, self.output.lines)

    def _check_instance(self, shell: Shell) -> None:
        try:
            target = PostfixTarget(self._lab, self._name, self.container, self._loop)
            with closing(target):
                instance = target.start_instance(_SCENARIO, _NO_SASL)
        except HarnessError as error:
            # Raises if the container has ended, since then the error is not about Postfix.
            shell.run(":")
            self.findings["master"] = _master_finding(error.what)
        else:
            self._judge_instance(instance)

    def _judge_instance(self, instance: Instance) -> None:
        if not instance.started:
            errors = "; ".join([*instance.output.split("\n"), *self._wait_for_complaints()])
            self.findings["master"] = _master_finding(errors.strip("; "))
            return
        self.findings["master"] = CheckFinding(f"in {instance.directory}")
        if find_blockers("starttls", self.findings):
            return
        self.findings["starttls"] = self._check_starttls(instance)
        if find_blockers("smtpd-log", self.findings):
            return
        tag = instance.tags[Service.SMTP]
        self.output.wait(lambda lines: find_connection(tag, lines) is not None, LOG_LIMIT)
        self.findings["smtpd-log"] = judge_smtpd(tag, self.output.lines)

    def _check_starttls(self, instance: Instance) -> CheckFinding:
        address = f"127.0.0.1:{instance.ports[Service.SMTP]}"
        command = f"openssl s_client -connect {address} -starttls smtp"
        # In a separate shell, since the command may not end.
        with closing(Shell(self.container)) as shell:
            try:
                output = shell.run(command, time_limit=DIALOGUE_LIMIT).output
            except InfrastructureError:
                output = f"no end in {DIALOGUE_LIMIT:g} s"
        if _SENT in output:
            return CheckFinding("it did")
        last_lines = [line for line in output.splitlines() if line.strip()][-3:]
        return CheckFinding(
            f"openssl s_client: {' / '.join(last_lines)}; "
            + "; ".join(self._wait_for_complaints()),
            "start Postfix in the image with smtpd_tls_security_level = may, and see what it logs",
        )

    def _all_lines(self) -> Sequence[str]:
        """Standard output from its first line on, which a stream may have missed."""
        try:
            log: bytes = self.container.logs(stdout=True, stderr=False)
        except APIError:
            # The engine's logging driver keeps nothing.
            return self.output.lines
        return log.decode(errors="replace").splitlines()

    def _wait_for_complaints(self) -> list[str]:
        self.output.wait(lambda lines: bool(list_complaints(lines)), _RESEND_AFTER)
        return list_complaints(self.output.lines)[-3:]


def _run_trial(trial: _ImageTrial) -> dict[str, CheckFinding]:
    """Run a trial; if the image's command ended, report that rather than the error it caused."""
    try:
        trial.run()
    except InfrastructureError:
        # A shell notices the end of its container before the engine reports it.
        end = time.monotonic() + _END_LIMIT
        while (command := _check_running(trial.container)).met:
            if time.monotonic() > end:
                raise
            time.sleep(_PAUSE)
    else:
        command = _check_running(trial.container)
    return {**trial.findings, "command": command}


@contextmanager
def _start_container(lab: Lab, image: str) -> Iterator[tuple[str, Any, str]]:
    """A name, the container of that name (None if it does not start), and the error."""
    name = f"check-{secrets.token_hex(4)}"
    try:
        try:
            container, refusal = lab.start(image, name, ROLE), ""
        except InfrastructureError:
            container, refusal = None, _start_error(lab, name)
            if not refusal:
                raise
        yield name, container, refusal
    finally:
        for container_left in _list_by_name(lab, name):
            discard_container(container_left)


def _start_error(lab: Lab, name: str) -> str:
    """The engine's error for a container that it created and could not start; "" if none."""
    errors = (str(container.attrs["State"]["Error"]) for container in _list_by_name(lab, name))
    return next(errors, "")


def _list_by_name(lab: Lab, name: str) -> list[Any]:
    session = lab.session
    with engine_errors("looking for the container of a check"):
        return session.client.containers.list(
            all=True,
            ignore_removed=True,
            filters={"label": f"{LABEL_RUN}={session.id}", "name": name},
        )


def _check_running(container: Any) -> CheckFinding:
    """Whether a container runs, and if not, how it ended."""
    with engine_errors("asking how a container is"):
        container.reload()
        state = container.attrs["State"]
        if state["Running"]:
            return CheckFinding("it runs")
        error_text = container.logs(stdout=False, tail=3).decode(errors="replace").strip()
    ended = f"it ended with exit code {state['ExitCode']}"
    return _command_finding(
        f"{ended}: {error_text}" if error_text else f"{ended}, without an error message"
    )


def _command_finding(finding: str) -> CheckFinding:
    return CheckFinding(
        finding,
        "let the image's command be a syslog daemon in the foreground: "
        'CMD ["busybox", "syslogd", "-n", "-O", "-"], with no ENTRYPOINT before it',
    )


def _master_finding(finding: str) -> CheckFinding:
    return CheckFinding(
        finding, "correct the image's master.cf, or its installation ('postfix check' shows more)"
    )


def _postlog_command(text: str) -> str:
    """A command that logs a text with Postfix's defaults, whatever the image's main.cf has."""
    return f"postlog -i -c {ROOT}/log -t {TAG} {shlex.quote(text)}"
