"""What a build's Postfix is told to make an offer; nothing is run here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from common.contract import EHLO_NAME, Offer, Request
from common.mailer import Incapable

#: Which messages go where: a header that is taken off again on the way out.
NEXT_HOP = "X-Postfix-Matrix-Next-Hop"


@dataclass(frozen=True)
class Build:
    """A build, as it says itself: mail_version, ``openssl version``, and what it can do.

    ``protocols`` are the names that its protocol lists know, ``unavailable`` the versions that its
    OpenSSL was built without, with its message for each; ``sasl``: it has a client's side.
    """

    version: tuple[int, ...]
    openssl: str
    protocols: tuple[str, ...]
    sasl: bool
    unavailable: Mapping[str, str]

    @property
    def has_levels(self) -> bool:
        """Whether a cipher list may say @SECLEVEL (OpenSSL 1.1.0 and later)."""
        return not re.match(r"OpenSSL (?:0\.|1\.0\.)", self.openssl)


@dataclass(frozen=True)
class Way:
    """What an instance of Postfix is set up for: requests that need the same settings share it."""

    offer: Offer | None
    implicit_tls: bool
    plaintext: bool
    login: tuple[str, str] | None

    @classmethod
    def for_request(cls, request: Request) -> Way:
        """The way of a request."""
        login = None
        if request.username is not None:
            login = request.username, str(request.password)
        return cls(request.offer, request.implicit_tls, request.plaintext, login)


def parse_version(text: str) -> tuple[int, ...]:
    """``3.7.11`` or ``3.12-20260101`` in numbers."""
    return tuple(int(part) for part in re.findall(r"\d+", text.partition("-")[0]))


def make_tls_settings(way: Way, build: Build) -> dict[str, str]:
    """The smtp_tls_* settings of a way, by the names of smtp(8).

    Left to itself Postfix does TLS where it is offered, at level may, as its users run it; with an
    offer nothing but the offer decides.

    Raises:
        Incapable: this Postfix has no parameter for it.
    """
    if way.plaintext:
        return {"smtp_tls_security_level": "none"}
    settings = {"smtp_tls_security_level": "may" if way.offer is None else "encrypt"}
    if way.implicit_tls:
        if build.version < (3, 0):
            raise Incapable("smtp_tls_wrappermode: Postfix never had it before 3.0")
        settings |= {"smtp_tls_wrappermode": "yes", "smtp_tls_security_level": "encrypt"}
    return settings if way.offer is None else {**settings, **make_offer_settings(way.offer, build)}


def make_offer_settings(offer: Offer, build: Build) -> dict[str, str]:
    """The settings that pin an offer.

    Raises:
        Incapable: this Postfix has no parameter for it.
    """
    if any(name.startswith("TLS_") for name in offer.ciphers):
        raise Incapable("Postfix has no option for the ciphers of TLSv1.3")
    level = ":@SECLEVEL=0" if build.has_levels else ""
    named = ":".join(offer.ciphers) or "ALL:COMPLEMENTOFALL"
    settings = {
        "smtp_tls_mandatory_protocols": make_protocol_list(offer, build),
        "smtp_tls_mandatory_ciphers": "medium",
        "smtp_tls_mandatory_exclude_ciphers": "",
        "smtp_tls_exclude_ciphers": "",
        "tls_medium_cipherlist": named + level,
    }
    if offer.groups:
        if build.version < (3, 2):
            raise Incapable("tls_eecdh_auto_curves: Postfix never had it before 3.2")
        settings["tls_eecdh_auto_curves"] = " ".join(offer.groups)
    return settings


def make_protocol_list(offer: Offer, build: Build) -> str:
    """The protocol list of an offer: what is outside is left out by its name.

    Raises:
        Incapable: a version of the offer has no name in this release, or its OpenSSL has none
            of them (1.0.x would offer what was left out instead, and turn away from the answer).
    """
    if all(version in build.unavailable for version in offer.list_versions()):
        raise Incapable(build.unavailable[offer.highest])
    unnamed = [version for version in offer.list_versions() if version not in build.protocols]
    if unnamed:
        raise Incapable(f"{unnamed[0]}: this Postfix's lists never had that name")
    outside = [f"!{version}" for version in build.protocols if version not in offer.list_versions()]
    return ", ".join(outside)


def make_main_cf(way: Way, build: Build, folder: str, ca_file: str) -> str:
    """An instance's main.cf.

    Raises:
        Incapable: this Postfix cannot be told so.
    """
    lines = {
        "queue_directory": f"{folder}/queue",
        "data_directory": f"{folder}/data",
        "myhostname": EHLO_NAME,
        "mydestination": "",
        "mynetworks": "127.0.0.0/8",
        "inet_protocols": "ipv4",
        "alias_maps": "",
        "alias_database": "",
        # Each message goes where its header says; whatever else comes up goes nowhere.
        "header_checks": f"regexp:{folder}/etc/next_hop",
        "smtp_header_checks": f"regexp:{folder}/etc/strip",
        "default_transport": "discard:nobody",
        "local_transport": "discard:nobody",
        "notify_classes": "",
        # The name is in /etc/hosts.
        "smtp_host_lookup": "native",
        # What does not go out at once is not tried again.
        "minimal_backoff_time": "4000s",
        "maximal_backoff_time": "8000s",
        "queue_run_delay": "4000s",
        "smtp_connection_cache_on_demand": "no",
        "smtp_tls_loglevel": "1",
        "smtp_tls_CAfile": ca_file,
        **make_tls_settings(way, build),
        **_login_settings(way, build),
    }
    if build.version >= (3, 0):
        lines |= {"compatibility_level": "2", "smtputf8_enable": "no"}
    return "".join(f"{name} = {value}".rstrip() + "\n" for name, value in lines.items())


def _login_settings(way: Way, build: Build) -> dict[str, str]:
    if way.login is None:
        return {}
    if not build.sasl:
        raise Incapable("postconf -A names no client SASL: this Postfix has no option to log in")
    return {
        "smtp_sasl_auth_enable": "yes",
        "smtp_sasl_password_maps": f"static:{':'.join(way.login)}",
        "smtp_sasl_security_options": "noanonymous",
    }


def make_master_cf(stock: str) -> str:
    """The image's own master.cf: nothing listens, and nothing is chrooted."""
    lines: list[str] = []
    for line in stock.splitlines():
        fields = line.split()
        if line[:1].isspace():
            # Options of an entry; those of entries that listen have nothing to belong to.
            lines += [line] if lines and lines[-1] else []
        elif fields and not line.startswith("#"):
            listens = len(fields) < 8 or fields[1] == "inet"
            fields[4:5] = ["n"] if len(fields) >= 8 else fields[4:5]
            lines.append("" if listens else " ".join(fields))
    return "\n".join(lines) + "\n"
