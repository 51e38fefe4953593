"""The kinds of what goes wrong on an image's way, by the messages of engines and registries."""

from __future__ import annotations

import pytest

from harness.docker_engine.transfers import Transfer, TransferFault

LOOPBACK = "127.0.0.1:5000/images:debian-12-0123456789ab"


@pytest.mark.parametrize(
    ("error", "has_begun", "fault"),
    [
        ("", True, None),
        (
            f"manifest for {LOOPBACK} not found: manifest unknown: manifest unknown",
            False,
            TransferFault.ABSENT,
        ),
        ("name unknown: repository name not known to registry", False, TransferFault.ABSENT),
        (
            "pull access denied for example/images, repository does not exist or may require "
            "'docker login': denied: requested access to the resource is denied",
            False,
            TransferFault.DENIED,
        ),
        ("unauthorized: authentication required", False, TransferFault.DENIED),
        (f'Head "http://{LOOPBACK}": no basic auth credentials', False, TransferFault.DENIED),
        ("denied: permission_denied: write_package", True, TransferFault.DENIED),
        (
            'Get "http://127.0.0.1:5000/v2/": dial tcp 127.0.0.1:5000: connect: connection refused',
            False,
            TransferFault.UNREACHED,
        ),
        (
            'Get "https://registry.invalid/v2/": dial tcp: lookup registry.invalid: no such host',
            False,
            TransferFault.UNREACHED,
        ),
        (
            'Get "https://10.0.0.1/v2/": net/http: request canceled while waiting for connection',
            False,
            TransferFault.UNREACHED,
        ),
        ("filesystem layer verification failed for digest sha256:0", True, TransferFault.BROKEN),
        ("unexpected EOF", True, TransferFault.BROKEN),
        ("write /var/lib/docker/tmp/x: no space left on device", True, TransferFault.BROKEN),
    ],
)
def test_a_message_has_its_kind(error: str, has_begun: bool, fault: TransferFault | None) -> None:
    """The kind decides whether one image is given up, or the registry."""
    assert Transfer(error=error, has_begun=has_begun).fault is fault
