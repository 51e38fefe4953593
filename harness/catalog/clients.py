"""Clients and control servers of the catalog: names, and what their images are made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeVar

from harness.catalog.builds import Build, base_suite, openssl
from harness.catalog.cells import CONTROL_PREFIX, is_control
from harness.catalog.releases import load, release
from harness.errors import UsageError
from harness.tls import Protocol


@dataclass(frozen=True, slots=True)
class Client:
    """An SMTP client.

    ``recipe`` is its folder under ``images/``, ``common`` are folders there whose files its build
    context gets too, each under the last part of its name. ``openssl`` (with ``flavour``) is the
    release it is linked with, None where its packages bring their own TLS library. ``lock`` is a
    folder under ``images/`` with a lock file of packages that the harness fetches
    (harness/images/registries.py), and ``args`` are further arguments of its Dockerfile. ``about``
    says in a few words what it is and how far it goes.

    ``pins``: it can be told what to offer; else it has cells of the offer ``default`` only.
    ``unasked``: it is in a run that names no client.
    """

    name: str
    recipe: str
    suite: str
    about: str
    openssl: str | None = None
    flavour: str = "stock"
    common: tuple[str, ...] = ()
    lock: str | None = None
    args: Mapping[str, str] = field(default_factory=dict)
    pins: bool = True
    unasked: bool = False


@dataclass(frozen=True, slots=True)
class Control:
    """A server of ours in front of a plain Postfix, that of the build ``build``.

    It grants ``lowest`` to ``highest``; one that ``forbids`` speaks these, and refuses every
    handshake. ``openssl`` (with ``flavour``) and ``stunnel`` are the releases of its front; None
    where it is the distribution's own.
    """

    name: str
    recipe: str
    build: str
    lowest: Protocol
    highest: Protocol
    openssl: str | None = None
    flavour: str = "stock"
    stunnel: str | None = None
    forbids: bool = False

    def __post_init__(self) -> None:
        if not is_control(self.name):
            raise ValueError(f"control {self.name!r} must start with {CONTROL_PREFIX!r}")


_Named = TypeVar("_Named", Client, Control)


@cache
def all_clients() -> tuple[Client, ...]:
    """The clients, in the catalog's order."""
    return tuple(_client(record) for record in load("clients")["client"])


@cache
def all_controls() -> tuple[Control, ...]:
    """The control servers, in the catalog's order."""
    return tuple(_control(record) for record in load("clients")["control"])


def client(name: str) -> Client:
    """One client.

    Raises:
        UsageError: the catalog does not have it; the message names what it has.
    """
    return _named("client", name, all_clients())


def control(name: str) -> Control:
    """One control server.

    Raises:
        UsageError: the catalog does not have it; the message names what it has.
    """
    return _named("control", name, all_controls())


def _named(kind: str, name: str, known: tuple[_Named, ...]) -> _Named:
    for one in known:
        if one.name == name:
            return one
    names = " ".join(one.name for one in known)
    raise UsageError(f"unknown {kind} {name!r}", next_step=f"use one of {names}")


def _client(record: dict[str, Any]) -> Client:
    filled = {"suite": base_suite(), **record, "common": tuple(record.get("common", ()))}
    one = Client(**filled)
    if one.openssl:
        openssl(one.openssl if one.flavour == "stock" else f"{one.openssl}-{one.flavour}")
    return one


def _control(record: dict[str, Any]) -> Control:
    bounds = {bound: Protocol.parse(record[bound]) for bound in ("lowest", "highest")}
    one = Control(**{**record, **bounds})
    Build.parse(one.build)
    if one.openssl:
        release("openssl", one.openssl)
    if one.stunnel:
        release("stunnel", one.stunnel)
    return one
