"""The nodemailer driver: which runtime it runs, what that is, and what it cannot be told."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

CLIENTS = Path(__file__).resolve().parents[3] / "images" / "clients"
for folder in (CLIENTS, CLIENTS / "nodemailer"):
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
contract: Any = importlib.import_module("common.contract")
driver: Any = importlib.import_module("nodemailer_driver")

#: Of process.versions, as the three print it; Bun's and Deno's OpenSSL are made up.
NODE = {"node": "22.23.3", "openssl": "3.5.8"}
BUN = {"node": "26.3.0", "bun": "1.4.5", "boringssl": "fe703e9f", "openssl": "1.1.0"}
DENO = {"node": "26.3.0", "deno": "2.9.6", "openssl": "3.0.7+quic"}
#: Paths that Deno's program has: other packages have rustls in their names.
PATHS = b"\0/tokio-rustls-0.26.0/src/lib.rs\0/registry/rustls-0.23.40/src/conn.rs\0"


@pytest.mark.parametrize("runtime", ["node", "bun", "deno"])
def test_the_runtime_of_the_image_is_run(runtime: str, tmp_path: Path) -> None:
    """Protects the images: one driver serves all, and runs what is there."""
    (tmp_path / runtime).touch()
    first, *options, last = driver.find_command(tmp_path)
    assert (first, last) == (str(tmp_path / runtime), "/opt/client/worker.js")
    assert ("--allow-all" in options) is (runtime == "deno")


@pytest.mark.parametrize(
    ("node", "lowest", "highest"),
    [
        ("0.8.28", "SSLv2", "TLSv1"),
        ("0.12.18", "SSLv3", "TLSv1.2"),
        ("4.9.1", "TLSv1", "TLSv1.2"),
        ("10.24.1", "TLSv1", "TLSv1.2"),
        ("16.20.2", "TLSv1", "TLSv1.3"),
    ],
)
def test_each_age_of_node_has_its_versions(node: str, lowest: str, highest: str) -> None:
    """Protects the description: what a release's library has, and its API can be told."""
    assert driver.list_node_offers(node) == contract.Offer(lowest, highest).list_versions()


def test_a_runtime_is_called_by_its_true_library(tmp_path: Path) -> None:
    """Protects provenance: no cell of BoringSSL's or rustls' is put down to an OpenSSL."""
    program = tmp_path / "program"
    program.write_bytes(PATHS)
    identities = [driver.identify_runtime(versions, program) for versions in (NODE, BUN, DENO)]
    assert [identity["tls_version"] for identity in identities] == [
        "OpenSSL 3.5.8",
        "BoringSSL fe703e9f",
        "rustls 0.23.40",
    ]
    assert [identity["runtime"] for identity in identities] == [
        "Node.js 22.23.3",
        "Bun 1.4.5",
        "Deno 2.9.6",
    ]
    assert [identity["offers"][0] for identity in identities] == ["TLSv1", "TLSv1", "TLSv1.2"]


def test_a_library_that_does_not_tell_its_version_is_given_none(tmp_path: Path) -> None:
    """Protects honesty: tokio-rustls' version is not taken for that of rustls."""
    program = tmp_path / "program"
    program.write_bytes(b"\0/tokio-rustls-0.26.0/src/lib.rs\0")
    assert driver.find_rustls(program) == "of unknown version"


@pytest.mark.parametrize(
    ("runtime", "offer", "can"),
    [
        ("deno", contract.Offer("TLSv1.2", "TLSv1.3"), True),
        ("deno", contract.Offer("TLSv1.2", "TLSv1.2", ciphers=("AES128-SHA",)), False),
        ("deno", contract.Offer("TLSv1.3", "TLSv1.3", groups=("P-384",)), False),
        ("bun", contract.Offer("TLSv1.2", "TLSv1.2", ciphers=("AES128-SHA",)), True),
        ("bun", contract.Offer("TLSv1.2", "TLSv1.3", ciphers=("AES128-SHA",)), False),
        ("bun", contract.Offer("TLSv1.3", "TLSv1.3", groups=("P-384",)), True),
        ("node", contract.Offer("TLSv1.3", "TLSv1.3", ciphers=("AES128-SHA",)), True),
        ("deno", None, True),
    ],
)
def test_names_that_would_be_passed_over_are_not_offered(
    runtime: str, offer: Any, can: bool
) -> None:
    """Protects accepted cells: none stands for a cipher or group that was not the only one."""
    assert (driver.explain_impossible_offer(runtime, offer) is None) is can
