"""The kinds of what goes wrong on an image's way, by the messages of engines and registries."""

from __future__ import annotations

import pytest

from harness.docker_engine.transfers import Transfer, TransferFault, _Layers

LOOPBACK = "127.0.0.1:5000/images:debian-12-0123456789ab"


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        ("", None),
        (
            f"manifest for {LOOPBACK} not found: manifest unknown: manifest unknown",
            TransferFault.ABSENT,
        ),
        ("name unknown: repository name not known to registry", TransferFault.ABSENT),
        (
            "pull access denied for example/images, repository does not exist or may require "
            "'docker login': denied: requested access to the resource is denied",
            TransferFault.DENIED,
        ),
        ("unauthorized: authentication required", TransferFault.DENIED),
        (f'Head "http://{LOOPBACK}": no basic auth credentials', TransferFault.DENIED),
        ("denied: permission_denied: write_package", TransferFault.DENIED),
        (
            'Get "http://127.0.0.1:5000/v2/": dial tcp 127.0.0.1:5000: connect: connection refused',
            TransferFault.OTHER,
        ),
        (
            'Get "https://registry.invalid/v2/": dial tcp: lookup registry.invalid: no such host',
            TransferFault.OTHER,
        ),
        (
            'Get "https://10.0.0.1/v2/": net/http: request canceled while waiting for connection',
            TransferFault.OTHER,
        ),
        ("filesystem layer verification failed for digest sha256:0", TransferFault.OTHER),
        ("unexpected EOF", TransferFault.OTHER),
        ("write /var/lib/docker/tmp/x: no space left on device", TransferFault.OTHER),
    ],
)
def test_a_message_has_its_kind(error: str, fault: TransferFault | None) -> None:
    """The kind decides whether one image is given up, or the registry."""
    assert Transfer(error=error).fault is fault


def test_layers_are_counted_as_they_arrive() -> None:
    """A download of minutes shows how far it is; the engine reports each layer many times."""
    reports: list[str] = []
    layers = _Layers(reports.append)
    for layer, status in (
        ("debian-12-0123456789ab", "Pulling from images"),
        ("aaaaaaaaaaaa", "Pulling fs layer"),
        ("bbbbbbbbbbbb", "Already exists"),
        ("aaaaaaaaaaaa", "Downloading"),
        ("aaaaaaaaaaaa", "Download complete"),
        ("aaaaaaaaaaaa", "Pull complete"),
        ("aaaaaaaaaaaa", "Pull complete"),
    ):
        layers.note({"id": layer, "status": status})
    layers.note({"status": "Digest: sha256:0"})
    assert reports == ["1 of 2 layers", "2 of 2 layers"]
