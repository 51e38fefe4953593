"""The drivers' reading of hellos, against what a real OpenSSL says and what it offers."""

from __future__ import annotations

import contextlib
import importlib
import ssl
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.targets.pki import Pki

CLIENTS = Path(__file__).resolve().parents[3] / "images" / "clients"
if str(CLIENTS) not in sys.path:
    sys.path.append(str(CLIENTS))
hello: Any = importlib.import_module("common.hello")
wire: Any = importlib.import_module("common.wire")


def shake_hands(
    lowest: ssl.TLSVersion, highest: ssl.TLSVersion, tmp_path: Path
) -> tuple[Any, Any, Any]:
    """A handshake in memory: the records of both sides as read, and the client's own view."""
    pair = _server_files(tmp_path)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(*pair)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    for side in (server, client):
        side.set_ciphers("ALL:@SECLEVEL=0")
    client.minimum_version, client.maximum_version = lowest, highest
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [client.wrap_bio(to_client, to_server), server.wrap_bio(to_server, to_client, True)]
    records = wire.Records(), wire.Records()
    for _ in range(6):
        for end, out, into, reading in (
            (ends[0], to_server, to_server, records[0]),
            (ends[1], to_client, to_client, records[1]),
        ):
            with contextlib.suppress(ssl.SSLWantReadError):
                end.do_handshake()
            sent = out.read()
            reading.feed(sent)
            into.write(sent)
    return records[0], records[1], ends[0]


def _server_files(folder: Path) -> tuple[str, str]:
    pair = Pki().pair("RSA")
    paths = folder / "server.pem", folder / "server.key"
    paths[0].write_text(pair.certificate)
    paths[1].write_text(pair.key)
    return str(paths[0]), str(paths[1])


@pytest.mark.parametrize(
    ("version", "name"),
    [(ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3")],
)
def test_what_the_server_chose_is_what_the_library_says(
    version: ssl.TLSVersion, name: str, tmp_path: Path
) -> None:
    """Protects the view of clients that report nothing: version and cipher come off the wire."""
    offered, chosen, client = shake_hands(version, version, tmp_path)
    cipher, _, bits = client.cipher()
    assert chosen.chosen.version == name == client.version()
    assert hello.cipher_name(chosen.chosen.cipher) == (cipher, bits)
    assert name in str(offered.offered)


def test_a_range_is_read_whole_and_its_highest_is_chosen(tmp_path: Path) -> None:
    """Protects the evidence of what was offered: each version of the range is named."""
    offered, chosen, _ = shake_hands(ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3, tmp_path)
    assert offered.offered.versions == ("TLSv1.2", "TLSv1.3")
    assert chosen.chosen.version == "TLSv1.3"
    group = chosen.chosen.group
    assert hello.group_name(group) in ("X25519", "prime256v1", "X25519MLKEM768")


@given(body=st.binary(max_size=120))
def test_any_bytes_are_read_without_failing(body: bytes) -> None:
    """Protects the relay: a hello that is none is no hello, and no trouble."""
    assert hello.read_client_hello(body) is None or hello.read_client_hello(body).ciphers >= 0
    hello.read_server_hello(body)
    hello.read_named_curve(body)


def test_numbers_and_names_lead_to_each_other() -> None:
    """Protects offers that name ciphers and groups: the name has the registry's number."""
    assert hello.cipher_code("ECDHE-RSA-AES128-GCM-SHA256") == 0xC02F
    assert hello.cipher_name(0xC02F) == ("ECDHE-RSA-AES128-GCM-SHA256", 128)
    assert hello.group_name(hello.group_code("X25519")) == "X25519"
    assert hello.cipher_name(0xFEED)[0] == "0xFEED"
    with pytest.raises(KeyError):
        hello.cipher_code("NO-SUCH-CIPHER")
