"""Client driver: a build's own Postfix, its smtp(8) or its posttls-finger, by the relay."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import postfix_finger
from common.contract import PROTOCOLS, Request, main, make_message_id
from common.mailer import Relayed, Report, format_message
from common.process import Ended, run_program
from postfix_log import Log
from postfix_settings import NEXT_HOP, Build, Way, make_main_cf, make_master_cf, parse_version

ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C",
}
ROOT = Path("/run/postfix-matrix-client")
#: The folders that Postfix's programs want in a queue, and that belong to mail_owner.
QUEUE = (
    *("active", "bounce", "corrupt", "defer", "deferred", "flush"),
    *("hold", "incoming", "private", "saved", "trace"),
)
#: s_client's option for a version alone.
OPTIONS = dict(zip(PROTOCOLS, ("ssl2", "ssl3", "tls1", "tls1_1", "tls1_2", "tls1_3"), strict=True))
#: SSLv3's number on the wire.
SSL3 = b"\3\0"
#: Seconds that a master may take to say that it has started.
START_PATIENCE = 8.0


def ask_program(*command: str, environment: Mapping[str, str] = ENVIRONMENT) -> str:
    """What a program says of itself, on whichever of its outputs."""
    done = subprocess.run(
        command, env=dict(environment), capture_output=True, text=True, check=False, timeout=20
    )
    return (done.stdout + done.stderr).strip()


def read_default(name: str) -> str:
    """A parameter's own value."""
    return ask_program("postconf", "-d", "-h", name)


def read_build() -> Build:
    """What this image's Postfix is."""
    daemons = read_default("daemon_directory")
    programs = [Path(daemons, "smtp"), *Path("/usr/lib").rglob("libpostfix-tls.so*")]
    text = b"".join(program.read_bytes() for program in programs if program.is_file())
    # Their names are strings of the code that reads protocol lists; a linker may have one string
    # be the end of another.
    names = [name for name in PROTOCOLS if name.encode() + b"\0" in text]
    openssl = ask_program("openssl", "version")
    return Build(
        parse_version(read_default("mail_version")),
        openssl,
        tuple(names),
        "cyrus" in ask_program("postconf", "-A").split(),
        find_unavailable_versions(openssl),
    )


class Finger:
    """The mailer of posttls-finger."""

    plaintext = False

    def __init__(self, build: Build) -> None:
        self._build = build

    async def describe(self) -> dict[str, Any]:
        """What this is."""
        return {**describe_build("posttls-finger", self._build), "sends_mail": False}

    async def send_message(self, request: Request, port: int) -> Report:
        """Run it once."""
        postfix_finger.require_tool(os.access(postfix_finger.FINGER, os.X_OK))
        ended: Ended = await run_program(
            postfix_finger.make_command(request, port, self._build), ENVIRONMENT
        )
        return postfix_finger.read_output(ended.both_outputs)


class SmtpSender:
    """The mailer of smtp(8): one Postfix for each way of sending, started when first asked for."""

    plaintext = True

    def __init__(self, build: Build) -> None:
        self._build = build
        self._log = Log()
        self._waiting: dict[str, asyncio.Future[Report]] = {}
        self._started: dict[Way, asyncio.Task[Path]] = {}
        self._masters: list[subprocess.Popen[bytes]] = []
        self._up: dict[str, asyncio.Event] = {}
        self._socket: socket.socket | None = None

    async def describe(self) -> dict[str, Any]:
        """What this is."""
        return {**describe_build("smtp(8)", self._build), "sends_mail": True}

    async def send_message(self, request: Request, port: int) -> Report:
        """Hand the message to sendmail(1), and wait for the line that says what came of it."""
        self._listen_to_log()
        way = Way.for_request(request)
        text = make_main_cf(way, self._build, str(self._folder_of(way)), request.ca_file)
        if way not in self._started:
            self._started[way] = asyncio.create_task(self._start_instance(way, text))
        folder = await asyncio.shield(self._started[way])
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Report] = loop.create_future()
        token = make_message_id(request.id)
        self._waiting[token] = future
        header = f"{NEXT_HOP}: [{request.server_name}]:{port}\r\n".encode()
        command = ["/usr/sbin/sendmail", "-C", str(folder / "etc"), "-i", "-f", request.sender]
        try:
            given = (header + format_message(request)).replace(b"\r\n", b"\n")
            ended = await run_program([*command, request.recipient], ENVIRONMENT, given)
            if ended.status != 0:
                raise RuntimeError(f"sendmail(1) took no message: {ended.both_outputs}")
            return await future
        finally:
            self._waiting.pop(token, None)

    def _folder_of(self, way: Way) -> Path:
        number = list(self._started).index(way) if way in self._started else len(self._started)
        return ROOT / str(number)

    def _listen_to_log(self) -> None:
        """Be the system's log: Postfix logs to /dev/log by syslog(3)."""
        if self._socket is not None:
            return
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("/dev/log")
        Path("/dev/log").chmod(0o666)
        self._socket.setblocking(False)
        asyncio.get_running_loop().add_reader(self._socket, self._take_lines)

    def _take_lines(self) -> None:
        assert self._socket is not None
        while True:
            try:
                line = self._socket.recv(65536).decode("utf-8", "replace")
            except BlockingIOError:
                return
            if started := re.search(r"daemon started .*configuration (\S+)", line):
                self._started_event(started[1]).set()
            if (message := self._log.feed(line)) is not None:
                report = self._log.take_report(message)
                future = self._waiting.get(message)
                if report is not None and future is not None and not future.done():
                    future.set_result(report)

    def _started_event(self, folder: str) -> asyncio.Event:
        return self._up.setdefault(folder, asyncio.Event())

    async def _start_instance(self, way: Way, text: str) -> Path:
        """Set an instance up and start its master.

        Raises:
            RuntimeError: it does not start.
        """
        folder = ROOT / str(list(self._started).index(way))
        etc = folder / "etc"
        self._write_files(folder, text)
        started = self._started_event(str(etc))
        master = f"{read_default('daemon_directory')}/master"
        self._masters.append(
            subprocess.Popen(
                [master, "-c", str(etc)],
                env={**ENVIRONMENT, "MAIL_CONFIG": str(etc)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        )
        try:
            await asyncio.wait_for(started.wait(), START_PATIENCE)
        except TimeoutError:
            raise RuntimeError(
                f"master(8) did not start: {ask_program(master, '-c', str(etc))}"
            ) from None
        return folder

    def _write_files(self, folder: Path, text: str) -> None:
        etc, queue = folder / "etc", folder / "queue"
        for made in (etc, folder / "data", *(queue / name for name in QUEUE)):
            made.mkdir(parents=True, mode=0o755)
        for name in ("maildrop", "public", "pid"):
            (queue / name).mkdir(mode=0o730 if name == "maildrop" else 0o755)
        stock = Path(read_default("config_directory"), "master.cf").read_text("utf-8", "replace")
        files = {
            "main.cf": text,
            "master.cf": make_master_cf(stock),
            "next_hop": f"/^{NEXT_HOP}: (\\S+)$/ FILTER smtp:$1\n",
            "strip": f"/^{NEXT_HOP}:/ IGNORE\n",
        }
        for name, content in files.items():
            (etc / name).write_text(content)
        owner, group = read_default("mail_owner"), read_default("setgid_group")
        owned = [folder / "data", *(queue / name for name in (*QUEUE, "maildrop", "public"))]
        ask_program("chown", owner, *map(str, owned))
        ask_program("chgrp", group, str(queue / "maildrop"), str(queue / "public"))


def describe_build(name: str, build: Build) -> dict[str, Any]:
    """What both tools say of the build."""
    return {
        "client": name,
        "version": ".".join(map(str, build.version)),
        "tls_library": "OpenSSL",
        "tls_version": build.openssl,
        "offers": [protocol for protocol in build.protocols if protocol not in build.unavailable],
    }


def find_unavailable_versions(openssl: str) -> dict[str, str]:
    """The versions that this OpenSSL was built without, with its message, or what shows it."""
    unavailable = {}
    for version, option in OPTIONS.items():
        output = ask_program("openssl", "s_client", f"-{option}", "-connect", "127.0.0.1:1")
        if match := re.search(r"^.*unknown option.*$", output, re.M | re.I):
            unavailable[version] = match[0]
    if (
        re.match(r"OpenSSL 1\.0\.", openssl)
        and "SSLv3" not in unavailable
        and read_first_hello() != SSL3
    ):
        unavailable["SSLv3"] = (
            f"{openssl}: built without SSLv3, it offers more when told of nothing else"
        )
    return unavailable


def read_first_hello() -> bytes:
    """The version in the hello of an ``openssl s_client`` that may do nothing but SSLv3.

    By the way that Postfix uses OpenSSL 1.0.x: one method for all versions, and some left out. A
    library without SSLv3 (Debian's, Ubuntu's) still has a method of SSLv3 alone.
    """
    command = ["openssl", "s_client", "-no_ssl2", "-no_tls1", "-no_tls1_1", "-no_tls1_2"]
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(START_PATIENCE)
        command += ["-connect", f"127.0.0.1:{server.getsockname()[1]}"]
        with subprocess.Popen(
            command,
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ):
            connection, _ = server.accept()
            with connection:
                return connection.recv(16)[9:11]


if __name__ == "__main__":
    this = read_build()
    is_finger = os.environ.get("POSTFIX_MATRIX_TOOL") == "posttls-finger"
    asyncio.run(main(Relayed(Finger(this) if is_finger else SmtpSender(this))))
