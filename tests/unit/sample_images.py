"""Provenance for the synthetic run: images as the harness describes them, and what is missing.

The versions, hashes and paths are made up; the form is docs/run-folder.md's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

OURS, OCI = "org.postfix-matrix.", "org.opencontainers.image."
LEGACY_PAIR = "postfix-3.1.0+openssl-1.0.2h-legacy"
DEBIAN_PAIR = "postfix-3.10.13+openssl-4.0.3-debian"
FOREIGN = "mine"
#: Builds that have something to be known beside their names, and their versions.
MARKED = {
    LEGACY_PAIR: ("3.1.0", "1.0.2h"),
    DEBIAN_PAIR: ("3.10.13", "4.0.3"),
    FOREIGN: ("3.9.1", "3.3.2"),
}
NOTES = {
    LEGACY_PAIR: ("unverified source", "legacy flavour"),
    DEBIAN_PAIR: ("Debian's OpenSSL",),
    FOREIGN: ("own image",),
}
TREE = "/home/me/src/postfix-3.1.0"
TREE_SHOWN = "~/src/postfix-3.1.0"
LOG_NAME = "postfix-3.1.0-openssl-1.0.2h-legacy.log"
#: Runs of earlier versions have the whole path, which reports do not show.
BUILD_LOG = f"/home/me/.cache/postfix-matrix/logs/{LOG_NAME}"
COMPILER = "tls_dh.c:123:9: error: unknown type name 'DH_METHOD'"
#: One of each category; the first has many lines, as a compiler has.
MISSING = (
    {"name": "postfix-2.8.0+openssl-3.5.1", "kind": "build", "category": "does-not-build",
     "why": f"postfix-2.8.0+openssl-3.5.1 does not build: {COMPILER}\n"
     "    make: *** [tls_dh.o] Error 1\n    ``` not the end\n  next step: see the log"},
    {"name": "postfix-3.11.0+openssl-3.5.1", "kind": "build", "category": "source",
     "why": "no source of postfix-3.11.0 could be reached\n  likely cause: no way out\n"
     "  next step: name a mirror with --mirror"},
    {"name": "theirs", "kind": "build", "category": "image",
     "why": "image theirs:1 has no postconf on PATH"},
    {"name": "php-phpmailer-debian11", "kind": "client", "category": "other",
     "why": "the driver did not start"},
)  # fmt: skip


def images(
    builds: Mapping[str, tuple[str, str]], clients: Iterable[str], controls: Iterable[str]
) -> dict[str, Any]:
    """``images`` of run.json."""
    descriptions = {
        name: {"version": "1.2", "tls_version": f"OpenSSL {name.rpartition('-')[2]}"}
        for name in clients
    }
    return (
        {name: build(name, *versions) for name, versions in builds.items()}
        | {
            name: _image(name, "client", {}, describe=description)
            for name, description in descriptions.items()
        }
        | {name: _image(name, "control", {"front": "stunnel 5.68"}) for name in controls}
    )


def build(name: str, postfix: str, openssl: str) -> dict[str, Any]:
    """One build's image, with all that is known of it."""
    read = {"postfix": postfix, "openssl_compiled": openssl, "openssl_loaded": openssl,
            "openssl_cli": openssl, "packages": ""}  # fmt: skip
    known: dict[str, Any] = {"postfix": postfix, "openssl": openssl, "read_back": read}
    if name == FOREIGN:
        return _image(name, "build", {}, **known, foreign=True) | {"reference": "registry/mine:7"}
    if "+" not in name:
        how = {"how": "the distribution's own packages", "suite": "bookworm",
               "packages": f"postfix {postfix}-0+deb12u1; openssl {openssl}-1"}  # fmt: skip
        return _image(name, "build", how, **known)
    return _image(name, "build", _pair_labels(name, postfix), **known, **_pair_fields(name))


def _pair_fields(name: str) -> dict[str, Any]:
    if name == LEGACY_PAIR:
        return {"unverified": True, "flavour": "legacy", "build_log": BUILD_LOG}
    return {"flavour": "debian" if name == DEBIAN_PAIR else "stock", "build_log": None}


def _pair_labels(name: str, postfix: str) -> dict[str, str]:
    linked = name.partition("+openssl-")[2]
    is_unverified = name == LEGACY_PAIR
    debian = name == DEBIAN_PAIR
    return {
        "how": "from source; found by rpath; CCARGS_EXTRA='-DHAS_CLOSEFROM -fcommon'",
        "source": f"postfix-{postfix} sha256:{'ab' * 32} "
        + (f"unverified, {TREE}" if is_unverified else "corroborated:2"),
        "openssl-source": f"openssl {linked.removesuffix('-debian')}-1 of Debian sid" if debian
        else f"openssl-{linked.partition('-')[0]} sha256:{'cd' * 32} corroborated:0",
        "origin": "mmdebstrap bookworm 2026-11-23",
        "suite": "bookworm",
        "recipe": "ef" * 32,
    }  # fmt: skip


def _image(name: str, kind: str, labels: Mapping[str, str], **more: Any) -> dict[str, Any]:
    oci = {
        "created": "2026-11-22T20:00:00+00:00",
        "base.name": "postfix-matrix/base-bookworm:ba5e00000000",
        "base.digest": "sha256:" + "ba" * 32,
    }
    return {
        "kind": kind,
        "reference": f"postfix-matrix/{name.replace('+', '-')}:0123456789ab",
        "id": "sha256:" + "c3" * 32,
        "labels": {
            OURS + "contract": "1",
            **{OURS + key: value for key, value in labels.items()},
            **{OCI + key: value for key, value in oci.items() if labels},
        },
        **more,
    }
