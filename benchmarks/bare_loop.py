"""Handshakes with nothing around them: run by the Python of a client's container.

Arguments: address port starttls|implicit count jobs. Prints ``COUNT SECONDS`` of those dialogues
that came to their end. It offers what the harness's clients offer: TLSv1.2, every cipher.
"""

from __future__ import annotations

import socket
import ssl
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import BinaryIO


def context() -> ssl.SSLContext:
    """TLSv1.2 alone; whom to trust is not the question."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    made.minimum_version = made.maximum_version = ssl.TLSVersion.TLSv1_2
    made.set_ciphers("ALL:COMPLEMENTOFALL:@SECLEVEL=0")
    return made


def hear(stream: BinaryIO, code: bytes) -> None:
    """One reply, which must have this code (RFC 5321 4.2)."""
    line = stream.readline()
    while line[3:4] == b"-":
        line = stream.readline()
    if not line.startswith(code):
        raise RuntimeError(f"expected {code!r}, the server said {line!r}")


def say(sock: socket.socket, stream: BinaryIO, word: bytes, code: bytes) -> None:
    """One command and its reply."""
    sock.sendall(word + b"\r\n")
    hear(stream, code)


def dialogue(where: tuple[str, int], implicit: bool, tls: ssl.SSLContext) -> None:
    """Connect, EHLO, STARTTLS, handshake, EHLO, QUIT; or, implicit, without the first three."""
    with socket.create_connection(where, timeout=10) as plain:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not implicit:
            with plain.makefile("rb") as stream:
                hear(stream, b"220")
                say(plain, stream, b"EHLO bare.test", b"250")
                say(plain, stream, b"STARTTLS", b"220")
        with tls.wrap_socket(plain, do_handshake_on_connect=False) as inner:
            # Else the kernel sits 40 ms on the acknowledgement that the server's banner waits for.
            inner.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            inner.do_handshake()
            inner.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            with inner.makefile("rb") as stream:
                if implicit:
                    hear(stream, b"220")
                say(inner, stream, b"EHLO bare.test", b"250")
                say(inner, stream, b"QUIT", b"221")


def main() -> None:
    """All of them, ``jobs`` at a time; the first that fails ends it."""
    address, port, mode, count, jobs = sys.argv[1:]
    tls = context()
    with ThreadPoolExecutor(int(jobs)) as pool:
        begin = time.monotonic()
        asked = [
            pool.submit(dialogue, (address, int(port)), mode == "implicit", tls)
            for _ in range(int(count))
        ]
        done = sum(one.result() is None for one in asked)
        print(done, time.monotonic() - begin)


if __name__ == "__main__":
    main()
