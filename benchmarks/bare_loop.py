"""Handshakes without a harness around them: run by the Python of a client's container.

Arguments: address port starttls|implicit count jobs. Prints ``COUNT SECONDS`` of the completed
dialogues. It offers what the harness's clients offer: TLSv1.2, every cipher.
"""

from __future__ import annotations

import socket
import ssl
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import BinaryIO


def make_context() -> ssl.SSLContext:
    """A context of TLSv1.2 alone, without verification."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    made.minimum_version = made.maximum_version = ssl.TLSVersion.TLSv1_2
    made.set_ciphers("ALL:COMPLEMENTOFALL:@SECLEVEL=0")
    return made


def read_reply(stream: BinaryIO, code: bytes) -> None:
    """Read a reply, which must have this code (RFC 5321 4.2)."""
    line = stream.readline()
    while line[3:4] == b"-":
        line = stream.readline()
    if not line.startswith(code):
        raise RuntimeError(f"expected {code!r}, the server sent {line!r}")


def send_command(sock: socket.socket, stream: BinaryIO, command: bytes, code: bytes) -> None:
    """Send a command and read its reply."""
    sock.sendall(command + b"\r\n")
    read_reply(stream, code)


def have_dialogue(where: tuple[str, int], implicit: bool, tls: ssl.SSLContext) -> None:
    """Connect, EHLO, STARTTLS, handshake, EHLO, QUIT; or, implicit, without the first three."""
    with socket.create_connection(where, timeout=10) as plain:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not implicit:
            with plain.makefile("rb") as stream:
                read_reply(stream, b"220")
                send_command(plain, stream, b"EHLO bare.test", b"250")
                send_command(plain, stream, b"STARTTLS", b"220")
        with tls.wrap_socket(plain, do_handshake_on_connect=False) as inner:
            # Else the kernel delays the acknowledgement that the banner waits for by 40 ms.
            inner.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            inner.do_handshake()
            inner.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            with inner.makefile("rb") as stream:
                if implicit:
                    read_reply(stream, b"220")
                send_command(inner, stream, b"EHLO bare.test", b"250")
                send_command(inner, stream, b"QUIT", b"221")


def main() -> None:
    """Have all dialogues, ``jobs`` at the same time; the first failure ends it."""
    address, port, mode, count, jobs = sys.argv[1:]
    tls = make_context()
    with ThreadPoolExecutor(int(jobs)) as pool:
        begin = time.monotonic()
        futures = [
            pool.submit(have_dialogue, (address, int(port)), mode == "implicit", tls)
            for _ in range(int(count))
        ]
        done = sum(future.result() is None for future in futures)
        print(done, time.monotonic() - begin)


if __name__ == "__main__":
    main()
