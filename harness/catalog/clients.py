"""Clients and control servers of the catalog: names, and what their images are made from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeVar

from harness.catalog.builds import Build, base_suite, known_builds, openssl
from harness.catalog.cells import CONTROL_PREFIX, is_control
from harness.catalog.peers import all_peers
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
    (harness/sources/registries.py), and ``args`` are further arguments of its Dockerfile. ``about``
    says in a few words what it is and how far it goes.

    ``pins``: it can be told what to offer; else it has cells of the offer ``default`` only.
    ``unasked``: it is in a run that names no client. ``reference``: it is an image of the user's
    own, which has no recipe. ``build``: its software is that build's own Postfix, whose image its
    own stands on.
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
    reference: str = ""
    build: str = ""

    @property
    def is_daemon(self) -> bool:
        """Whether it needs what Postfix's master(8) needs: other users, files to own."""
        return bool(self.build) and self.args["TOOL"] == SENDER


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


#: What of a build's own Postfix can be a client: smtp(8), and posttls-finger(1).
SENDER, FINGER = "smtp", "posttls-finger"
_TOOLS = {
    SENDER: "Postfix's own smtp(8), under its master(8); sends a mail",
    FINGER: "posttls-finger(1); shakes hands, sends no mail",
}
#: What else has an image in a run.
_RESERVED = frozenset({"sasl", "dns", "peer"})
CLIENT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
_Named = TypeVar("_Named", Client, Control)


@cache
def all_clients() -> tuple[Client, ...]:
    """The clients, in the catalog's order."""
    return tuple(_client(record) for record in load("clients")["client"])


@cache
def all_controls() -> tuple[Control, ...]:
    """The control servers, in the catalog's order."""
    return tuple(_control(record) for record in load("clients")["control"])


def build_client(tool: str, build: str) -> Client:
    """A build's own Postfix as a client: ``smtp-debian-12``, ``posttls-finger-debian-12``."""
    return Client(
        f"{tool}-{build}",
        "clients/postfix",
        base_suite(),
        f"{build}: {_TOOLS[tool]}",
        common=("clients/common",),
        args={"TOOL": tool, "RUN_AS": "root" if tool == SENDER else "nobody"},
        build=build,
    )


@cache
def build_clients() -> tuple[Client, ...]:
    """Those of all builds that the catalog lists; any other pair's can be had by its whole name."""
    return tuple(build_client(tool, one.id) for tool in _TOOLS for one in known_builds())


def is_of_a_build(name: str) -> bool:
    """Whether a client's name, or a glob for one, is of a build's own Postfix."""
    return name.startswith(tuple(f"{tool}-" for tool in _TOOLS))


def own_client(name: str, reference: str) -> Client:
    """A client of the user's, from an image that keeps the client contract.

    What it can be told to offer is for its driver to say, offer by offer.

    Raises:
        UsageError: it cannot have that name.
    """
    named = [*(one.name for one in all_clients()), *(one.name for one in all_peers()), *_RESERVED]
    if name in named or is_of_a_build(name) or is_control(name) or not CLIENT_NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be the name of a client",
            cause="the tool has something of that name"
            if CLIENT_NAME.fullmatch(name)
            else "a name has letters, digits and . _ + - only, since it is a part of cells' ids",
            next_step="name it: --client NAME=REFERENCE",
        )
    return Client(name, "", "", "an image of the user's own", reference=reference)


def client(name: str) -> Client:
    """One client of the catalog.

    Raises:
        UsageError: the catalog does not have it; the message names what it has.
    """
    for tool in _TOOLS:
        if name.startswith(f"{tool}-"):
            return build_client(tool, Build.parse(name.removeprefix(f"{tool}-")).id)
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
