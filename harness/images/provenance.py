"""What an image really runs, read back from a running container, against what its labels say."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import docker

from harness.docker_engine.cancel import Cancel
from harness.docker_engine.containers import finished
from harness.errors import BuildError
from harness.images import labels as names

# postconf -T wants a main.cf, and old releases do not have it. There the library that smtpd(8)
# loads is asked: each libcrypto carries its own name. In a static program that is the program.
_SCRIPT = r"""
dir=$(mktemp -d) && : >"$dir/main.cf" || exit 1
say() { printf '%s=%s\n' "$1" "$2"; }
say postfix "$(postconf -dh mail_version)"
say compiled "$(postconf -c "$dir" -T compile-version 2>/dev/null)"
say loaded "$(postconf -c "$dir" -T run-version 2>/dev/null)"
smtpd=$(postconf -dh daemon_directory)/smtpd
library=$(ldd "$smtpd" 2>/dev/null | sed -n 's/.*libcrypto\.so[^ ]* => \([^ ]*\) .*/\1/p')
say library "$(grep -aoE 'OpenSSL [0-9]+\.[0-9.]+[a-z]* +[0-9]+ [A-Z][a-z]+ [0-9]{4}' \
    "${library:-$smtpd}" | head -n 1)"
say cli "$(openssl version)"
command -v dpkg-query >/dev/null && say packages "$(dpkg-query -W \
    -f '${db:Status-Abbrev}${Package} ${Version};' postfix openssl 'libssl[0-9]*' 2>/dev/null)"
say unsigned "$(cat /usr/share/postfix-matrix/base/unsigned 2>/dev/null)"
rm -r "$dir"
"""

_OPENSSL = re.compile(r"OpenSSL (\d\S*)")


@dataclass(frozen=True, slots=True)
class Versions:
    """What was read back. "" stands for what the image could not tell.

    ``openssl_compiled`` is what Postfix was compiled with, ``openssl_loaded`` the library that its
    processes load, ``openssl_cli`` that of the openssl(1) on PATH; ``packages`` the distribution's
    packages of both ("postfix 3.7.11-0+deb12u1; ...").
    """

    postfix: str
    openssl_compiled: str
    openssl_loaded: str
    openssl_cli: str
    packages: str = ""


def read_back(
    client: docker.DockerClient,
    reference: str,
    *,
    labels: Mapping[str, str] | None = None,
    cancel: Cancel | None = None,
) -> Versions:
    """Run the image (no network, removed at once) and ask Postfix and OpenSSL for their versions.

    Raises:
        BuildError: there is no Postfix in it that answers.
        InfrastructureError: it could not be run.
    """
    command = ["/bin/sh", "-c", _SCRIPT]
    stop = cancel or Cancel()
    with finished(client, reference, command, labels=labels or {}, cancel=stop) as done:
        versions = parse(done.out)
    if not (versions.postfix and versions.openssl_loaded):
        missing = "its Postfix" if not versions.postfix else "the OpenSSL that its Postfix loads"
        raise BuildError(
            f"image {reference}: {missing} could not be read back: {done.err.strip()}",
            cause="it has no postconf on PATH, or a Postfix without TLS",
            next_step="see docs/image-contract.md for what an image must have",
        )
    return versions


def parse(out: str) -> Versions:
    """The versions from the script's lines."""
    said = dict(line.split("=", 1) for line in out.splitlines() if "=" in line)
    listed = said.get("packages", "").split(";")
    installed = [one.removeprefix("ii ").strip() for one in listed if one.startswith("ii ")]
    installed += [said["unsigned"]] if said.get("unsigned") else []
    return Versions(
        postfix=said.get("postfix", "").strip(),
        openssl_compiled=_openssl(said.get("compiled", "")),
        # What the process says of itself, else what its library's file says.
        openssl_loaded=_openssl(said.get("loaded", "")) or _openssl(said.get("library", "")),
        openssl_cli=_openssl(said.get("cli", "")),
        packages="; ".join(installed),
    )


def compare(name: str, labels: Mapping[str, str], found: Versions) -> None:
    """Hold labels against what was read back.

    Raises:
        BuildError: they differ; the message names both.
    """
    said = {"Postfix": labels.get(names.POSTFIX), "OpenSSL": labels.get(names.OPENSSL)}
    real = {"Postfix": found.postfix, "OpenSSL": found.openssl_loaded}
    lies = [
        f"image {name} says {product} {said[product]}, but it runs {real[product]}"
        for product in said
        if said[product] != real[product]
    ]
    if labels.get(names.FLAVOUR) and found.openssl_compiled not in ("", found.openssl_loaded):
        # Of a distribution's packages that is usual; a pair of ours is compiled with its own.
        lies.append(
            f"image {name}: Postfix was compiled with OpenSSL {found.openssl_compiled}, "
            f"but loads {found.openssl_loaded}"
        )
    if found.openssl_cli != found.openssl_loaded:
        lies.append(
            f"image {name}: Postfix loads OpenSSL {found.openssl_loaded}, "
            f"but the openssl on PATH is {found.openssl_cli or 'missing'}"
        )
    if lies:
        raise BuildError(
            "\n".join(lies),
            cause="the image was changed or labelled by hand, or loads another library than meant",
            next_step=f"build it again: remove the image {name} and run once more",
        )


def check(
    client: docker.DockerClient,
    image_id: str,
    name: str,
    labels: Mapping[str, str],
    cache_dir: Path,
    *,
    run_labels: Mapping[str, str] | None = None,
    cancel: Cancel | None = None,
) -> Versions:
    """Read the image back, unless that was done before (by its id), and compare with its labels.

    Raises:
        BuildError: labels and reality differ.
        InfrastructureError: it could not be run.
    """
    try:
        found = Versions(**json.loads(_record(cache_dir, image_id).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        found = read_back(client, image_id, labels=run_labels, cancel=cancel)
        remember(cache_dir, image_id, found)
    compare(name, labels, found)
    return found


def remember(cache_dir: Path, image_id: str, found: Versions) -> None:
    """Keep what was read back; an id stands for the image's bytes, so it stays true."""
    record = _record(cache_dir, image_id)
    record.parent.mkdir(parents=True, exist_ok=True)
    # Two processes may write at once: each its own file, and the last move wins.
    with tempfile.NamedTemporaryFile("w", dir=record.parent, delete=False) as part:
        json.dump(asdict(found), part)
    Path(part.name).replace(record)


def _record(cache_dir: Path, image_id: str) -> Path:
    return cache_dir / "checked" / f"{image_id.removeprefix('sha256:')}.json"


def _openssl(text: str) -> str:
    """``3.0.22`` from "OpenSSL 3.0.22 25 Aug 2026"."""
    match = _OPENSSL.search(text)
    return match[1] if match else ""
