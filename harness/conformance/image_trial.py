"""An image started the way a run starts it, and an instance in it: the contract's live half."""

from __future__ import annotations

import asyncio
import secrets
import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from typing import Any

from docker.errors import APIError, DockerException

from harness.conformance.container_log import (
    TAG,
    ContainerOutput,
    among,
    complaints,
    connection,
    judge_long,
    judge_quiet,
    judge_short,
    judge_smtpd,
    long_message,
    whole,
)
from harness.conformance.image_checks import (
    CheckFinding,
    blocked,
)
from harness.docker_engine.cancel import Cancel
from harness.docker_engine.session import (
    LABEL_RUN,
    talking,
)
from harness.errors import HarnessError, InfrastructureError
from harness.scenarios.scenario import Scenario
from harness.targets.lab import Lab, attach
from harness.targets.postfix import ROLE, ROOT, Instance, PostfixTarget
from harness.targets.shell import Shell
from harness.targets.stream import LineStream
from harness.tls import Service

#: Seconds in which a log line must come out, and s_client must have got its certificate.
LOG_LIMIT, DIALOGUE_LIMIT = 5.0, 10.0
#: A message that is sent before the daemon listens is lost, so it is sent again, in seconds.
_AGAIN = 0.5
_AT_ONCE = 4
#: Seconds in which the engine notices that a container has ended, and between two looks.
_END_LIMIT, _PAUSE = 5.0, 0.05
#: Postfix waits until a configuration file that has just changed has "cooled down".
_COOL = "200001010000"

#: An smtpd of the image's, whatever options its master.cf gives to the stock one.
_SCENARIO = Scenario(
    id="conformance",
    title="An instance for the conformance test of the image contract",
    source="postfix-matrix",
    claim="It starts, greets and offers STARTTLS.",
    master_cf="smtp inet n - n - - smtpd\n  -o smtpd_tls_security_level=may\n",
    # The image's own entries are tried with their addresses.
    as_is=True,
)
#: Nobody listens there: no client of this instance logs in.
_NO_SASL = "inet:127.0.0.1:12345"
_SENT = "BEGIN CERTIFICATE"


def try_out(
    lab: Lab,
    image: str,
    attrs: Mapping[str, Any],
    known: Mapping[str, CheckFinding],
    cancel: Cancel,
) -> dict[str, CheckFinding]:
    """What the image came to when it was started; what ``known`` blocks is left out.

    Raises:
        InfrastructureError: the engine does not answer, or somebody removed the container.
        Cancelled: the user cancelled the work.
    """
    if blocked("command", known):
        return {}
    config = attrs.get("Config") or {}
    if not (config.get("Entrypoint") or config.get("Cmd")):
        return {"command": _no_command("the image has none")}
    # The join of log lines to cells is not wanted here, so nobody runs the loop that feeds it. It
    # is closed last: streams on the container call it until that is gone.
    with (
        closing(asyncio.new_event_loop()) as loop,
        _container(lab, image) as (name, container, refusal),
    ):
        if container is None:
            return {"command": _no_command(refusal)}
        with cancel.closing(container.kill):
            return _observe(_Trial(lab, name, container, known, loop))


class _Trial:
    """A container that was started, its output, and what is known so far."""

    def __init__(
        self,
        lab: Lab,
        name: str,
        container: Any,
        known: Mapping[str, CheckFinding],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.container = container
        # Until the end tells better.
        self.findings = {**known, "command": CheckFinding("it runs")}
        self.output = ContainerOutput()
        self._lab, self._name, self._loop = lab, name, loop

    def run(self) -> None:
        """Try all that is not blocked.

        Raises:
            InfrastructureError: the container does not answer.
        """
        stream = LineStream(attach(self.container, stdin=False), self.output.add, name=self._name)
        stream.start()
        with closing(stream), closing(Shell(self.container)) as shell:
            if not blocked("syslog", self.findings):
                self._syslog(shell)
            if not blocked("master", self.findings):
                self._instance(shell)
            self.findings["quiet"] = judge_quiet(self._all_lines())
            # The last word: the engine is slower to tell that a container has ended.
            shell.run(":")

    def _syslog(self, shell: Shell) -> None:
        mark = f"short-{secrets.token_hex(8)}"
        end = time.monotonic() + LOG_LIMIT
        shell.run(f"mkdir -p {ROOT}/log && touch -t {_COOL} {ROOT}/log/main.cf")
        said = ""
        while time.monotonic() < end:
            said = shell.run(_postlog(mark)).output
            if self.output.wait(lambda lines: among(mark, lines) is not None, _AGAIN):
                break
        self.findings["syslog"] = judge_short(mark, self.output.lines, LOG_LIMIT, said)
        if self.findings["syslog"].met:
            self._long_lines(shell)

    def _long_lines(self, shell: Shell) -> None:
        messages = [long_message(f"long-{secrets.token_hex(8)}") for _ in range(_AT_ONCE)]
        shell.run("".join(f"{_postlog(text)} &\n" for text in messages) + "wait")
        self.output.wait(lambda lines: all(whole(one, lines) for one in messages), LOG_LIMIT)
        self.findings["long-lines"] = judge_long(messages, self.output.lines)

    def _instance(self, shell: Shell) -> None:
        try:
            target = PostfixTarget(self._lab, self._name, self.container, self._loop)
            with closing(target):
                instance = target.start_instance(_SCENARIO, _NO_SASL)
        except HarnessError as error:
            # Of a container that has ended this raises, and tells nothing of its Postfix.
            shell.run(":")
            self.findings["master"] = _not_started(error.what)
        else:
            self._judge_instance(instance)

    def _judge_instance(self, instance: Instance) -> None:
        if not instance.started:
            said = "; ".join([*instance.words.split("\n"), *self._complaints()])
            self.findings["master"] = _not_started(said.strip("; "))
            return
        self.findings["master"] = CheckFinding(f"in {instance.directory}")
        if blocked("starttls", self.findings):
            return
        self.findings["starttls"] = self._starttls(instance)
        if blocked("smtpd-log", self.findings):
            return
        tag = instance.tags[Service.SMTP]
        self.output.wait(lambda lines: connection(tag, lines) is not None, LOG_LIMIT)
        self.findings["smtpd-log"] = judge_smtpd(tag, self.output.lines)

    def _starttls(self, instance: Instance) -> CheckFinding:
        where = f"127.0.0.1:{instance.ports[Service.SMTP]}"
        command = f"openssl s_client -connect {where} -starttls smtp"
        # In a shell of its own, which may be left waiting.
        with closing(Shell(self.container)) as shell:
            try:
                said = shell.run(command, time_limit=DIALOGUE_LIMIT).output
            except InfrastructureError:
                said = f"no end in {DIALOGUE_LIMIT:g} s"
        if _SENT in said:
            return CheckFinding("it did")
        told = [line for line in said.splitlines() if line.strip()][-3:]
        return CheckFinding(
            f"openssl s_client: {' / '.join(told)}; " + "; ".join(self._complaints()),
            "start Postfix in the image with smtpd_tls_security_level = may, and see what it logs",
        )

    def _all_lines(self) -> Sequence[str]:
        """Standard output from the first line on, which a stream may have come too late for."""
        try:
            log: bytes = self.container.logs(stdout=True, stderr=False)
        except APIError:
            # The engine's logging driver keeps nothing.
            return self.output.lines
        return log.decode(errors="replace").splitlines()

    def _complaints(self) -> list[str]:
        self.output.wait(lambda lines: bool(complaints(lines)), _AGAIN)
        return complaints(self.output.lines)[-3:]


def _observe(trial: _Trial) -> dict[str, CheckFinding]:
    """Run a trial; whatever broke it off, a command that ended is told as that."""
    try:
        trial.run()
    except InfrastructureError:
        # A shell that is cut off hears of a container's end before the engine tells of it.
        end = time.monotonic() + _END_LIMIT
        while (command := _state(trial.container)).met:
            if time.monotonic() > end:
                raise
            time.sleep(_PAUSE)
    else:
        command = _state(trial.container)
    return {**trial.findings, "command": command}


@contextmanager
def _container(lab: Lab, image: str) -> Iterator[tuple[str, Any, str]]:
    """A name, the container of that name (None if it does not start), and why it does not."""
    name = f"check-{secrets.token_hex(4)}"
    try:
        try:
            container, refusal = lab.start(image, name, ROLE), ""
        except InfrastructureError:
            container, refusal = None, _refusal(lab, name)
            if not refusal:
                raise
        yield name, container, refusal
    finally:
        for left in _of_name(lab, name):
            with suppress(DockerException):
                left.remove(force=True, v=True)


def _refusal(lab: Lab, name: str) -> str:
    """What the engine says of a container that it made and could not start; "" if it made none."""
    return next((str(one.attrs["State"]["Error"]) for one in _of_name(lab, name)), "")


def _of_name(lab: Lab, name: str) -> list[Any]:
    session = lab.session
    with talking("looking for the container of a check"):
        return session.client.containers.list(
            all=True,
            ignore_removed=True,
            filters={"label": f"{LABEL_RUN}={session.id}", "name": name},
        )


def _state(container: Any) -> CheckFinding:
    """Whether a container runs, and if not, how it ended."""
    with talking("asking how a container is"):
        container.reload()
        state = container.attrs["State"]
        if state["Running"]:
            return CheckFinding("it runs")
        said = container.logs(stdout=False, tail=3).decode(errors="replace").strip()
    ended = f"it ended with exit code {state['ExitCode']}"
    return _no_command(f"{ended}: {said}" if said else f"{ended}, without an error message")


def _no_command(found: str) -> CheckFinding:
    return CheckFinding(
        found,
        "let the image's command be a syslog daemon in the foreground: "
        'CMD ["busybox", "syslogd", "-n", "-O", "-"], with no ENTRYPOINT before it',
    )


def _not_started(found: str) -> CheckFinding:
    return CheckFinding(
        found, "correct the image's master.cf, or its installation ('postfix check' tells more)"
    )


def _postlog(text: str) -> str:
    """Log a text as Postfix does, by the defaults: a main.cf of the image's may say otherwise."""
    return f"postlog -i -c {ROOT}/log -t {TAG} {shlex.quote(text)}"
