"""The conformance test of the client contract: a driver tried on servers that are known for sure.

The servers are the controls of every run: two that grant everything, one that refuses every
handshake; their plain Postfix, which announces no STARTTLS; and a port that never says a word.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from harness.clients.contract import ClientResult, Credentials, Message, Request
from harness.clients.driver import CA_FILE, ROLE, Driver
from harness.conformance import client_checks as judge
from harness.conformance.client_checks import ClientReport
from harness.conformance.image_checks import Check
from harness.targets.control import BACKEND_PORTS, ControlServer
from harness.targets.lab import Lab, Role
from harness.targets.pki import SERVER_NAME
from harness.targets.sasl import PASSWORD, USERNAME
from harness.tls import Offer, Protocol, Service

#: Seconds of a dialogue, and of one that is to be too long.
TIME_LIMIT, SHORT = 10.0, 1.0
AT_ONCE = 8
#: A port where a connection is taken and nothing is ever said; and one where nobody listens.
SILENT_PORT, NOBODYS_PORT = 10099, 10098
_SILENT = (
    # /proc/net/tcp has ports in hexadecimal.
    "perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new(LocalPort => "
    f"{SILENT_PORT}, Listen => 9, ReuseAddr => 1) or die; push @c, $s->accept while 1' "
    ">/dev/null 2>&1 </dev/null &\n"
    f"until grep -qi ':{SILENT_PORT:04X} 00000000:0000 0A' /proc/net/tcp; do sleep 0.05; done"
)


@dataclass(frozen=True, slots=True)
class Servers:
    """What a driver is tried on."""

    permissive: tuple[ControlServer, ...]
    forbidding: ControlServer

    def granting(self, protocol: Protocol) -> ControlServer | None:
        """The first permissive control that speaks a version."""
        for server in self.permissive:
            if server.control.lowest.rank <= protocol.rank <= server.control.highest.rank:
                return server
        return None


class Trial:
    """One driver's trial; ``run`` does it."""

    def __init__(
        self, lab: Lab, servers: Servers, reference: str, image_id: str, role: Role = ROLE
    ) -> None:
        self._driver = Driver(lab, "conformance", image_id, role)
        self._servers = servers
        self._reference = reference
        self._id = image_id

    async def run(self) -> ClientReport:
        """Try everything; gives a report whatever the driver does.

        Raises:
            InfrastructureError: its container does not start.
        """
        await self._driver.start()
        try:
            told = await self._driver.describe()
            checks = [judge.described(told)]
            offers = told.get("offers")
            known = offers if isinstance(offers, list) else []
            said = [Protocol(one) for one in known if one in list(Protocol)]
            checks += await self._offers(said)
            checks += await self._without_tls(said)
            checks += await self._alone()
            checks.append(judge.extras_done(await self._extras(told.get("extras"), said)))
            checks += await self._logins(said, sends=told.get("sends_mail") is True)
        finally:
            self._driver.close()
        return ClientReport(self._reference, self._id, told, tuple(checks))

    async def _offers(self, said: Iterable[Protocol]) -> list[Check]:
        offers = {str(one): Offer(one, one) for one in said}
        granted = await self._each(offers, self._servers.granting)
        # What cannot be told what to offer is tried as it comes.
        asked = offers or {"default": Offer()}
        forbidding = self._servers.forbidding
        refused = {label: await self._ask(forbidding, one) for label, one in asked.items()}
        lacking = {str(p): Offer(p, p) for p in Protocol if str(p) not in offers}
        # Only where no library has it: what a control cannot grant proves nothing about a client.
        incapable = await self._each(lacking, self._servers.granting)
        return [
            judge.all_of(
                "offers",
                "each version that it says it can offer is accepted by a server that grants it",
                granted,
                "accepted",
                "leave out of offers what the library cannot, and let nothing but the offer decide",
            ),
            judge.versions(granted),
            judge.all_of(
                "refusal",
                "a handshake that the server refuses is refused at handshake",
                refused,
                "refused at handshake",
                "report an alert, or a close in the handshake, as refused at handshake",
            ),
            judge.all_of(
                "incapable",
                "an offer that the library does not have is client-incapable, not a refusal",
                incapable,
                "client-incapable",
                "say client-incapable where no ClientHello was sent, with the library's words",
            ),
            judge.own_words({**refused, **incapable}),
        ]

    async def _without_tls(self, said: list[Protocol]) -> list[Check]:
        server = self._servers.permissive[0]
        offers = {str(one): Offer(one, one) for one in said[-1:]}
        port = BACKEND_PORTS[Service.SMTP]
        plain = {label: await self._ask(server, one, port=port) for label, one in offers.items()}
        return [
            judge.all_of(
                "not-offered",
                "with an offer, a server without STARTTLS is not-offered",
                plain,
                "not-offered",
                "require TLS where there is an offer, and look for STARTTLS in EHLO's reply",
            )
        ]

    async def _alone(self) -> list[Check]:
        server = self._servers.permissive[0]
        server.target.run(_SILENT)
        nobody = await self._ask(server, Offer(), port=NOBODYS_PORT)
        silent = await self._ask(server, Offer(), port=SILENT_PORT, limit=SHORT)
        default = await self._ask(server, Offer())
        many = [self._ask(server, Offer(), name=f"at-once-{n}") for n in range(AT_ONCE)]
        return [
            judge.all_of(
                "default",
                "with no offer, the client as its user would run it gets through",
                {"default": default},
                "accepted",
                "take what is in the request: host, port, server_name, ca_file",
            ),
            judge.all_of(
                "nobody",
                "a port where nobody listens is refused at connect",
                {"default": nobody},
                "refused at connect",
                "report ECONNREFUSED as refused at connect",
            ),
            judge.all_of(
                "time-limit",
                f"a server that says nothing is a timeout after time_limit, here {SHORT:g} s",
                {"default": silent},
                "timeout",
                "end the dialogue after time_limit seconds, whatever it is waiting for",
            ),
            judge.apart(await asyncio.gather(*many)),
        ]

    async def _logins(self, said: list[Protocol], *, sends: bool) -> list[Check]:
        if not sends:
            return []
        server, place = self._servers.permissive[0], Service.SUBMISSION
        offer = Offer(said[-1], said[-1]) if said else Offer()
        good = Credentials(USERNAME, PASSWORD)
        bad = Credentials(USERNAME, f"{PASSWORD}-not")
        logged_in = await self._ask(server, offer, service=place, credentials=good)
        turned_away = await self._ask(server, offer, service=place, credentials=bad)
        spelt = base64.b64encode(f"\0{USERNAME}\0{PASSWORD}".encode()).decode()
        return [
            judge.all_of(
                "login",
                "with credentials it logs in, and the message is queued",
                {"submission": logged_in},
                "accepted",
                "log in by PLAIN or LOGIN before MAIL",
            ),
            judge.all_of(
                "wrong-password",
                "a wrong password is refused at auth",
                {"submission": turned_away},
                "refused at auth",
                "report a 535 as refused at auth, with the reply",
            ),
            judge.secret([logged_in, turned_away], (PASSWORD, spelt)),
        ]

    async def _extras(self, able: object, said: list[Protocol]) -> dict[str, ClientResult]:
        """Each extra that it says it can do, by what came of it at a server that goes along."""
        asked = {"cert": "cert=trusted", "sni": "sni=other.test"}
        results: dict[str, ClientResult] = {}
        # TLSv1.3 has no second handshake (RFC 8446, section 4.1.2).
        versions = [one for one in said if one is not Protocol.TLSv1_3][-1:]
        for name in able if isinstance(able, list) else ():
            for version in versions:
                offer = Offer.parse(f"{version}+{asked.get(name, name)}")
                results[name] = await self._first_done(offer, version)
        return results

    async def _first_done(self, offer: Offer, version: Protocol) -> ClientResult:
        """What came of an offer at the first server that goes along, else at the last.

        OpenSSL 3 takes no second handshake of a client's, so not every control does.
        """
        result = ClientResult("none", "error", error="no control speaks this version")
        for server in self._servers.permissive:
            if server.control.lowest.rank <= version.rank <= server.control.highest.rank:
                result = await self._ask(server, offer)
                if result.outcome in ("accepted", "hung-up"):
                    return result
        return result

    async def _each(
        self,
        offers: Mapping[str, Offer],
        server_for: Callable[[Protocol], ControlServer | None],
    ) -> dict[str, ClientResult]:
        """Each offer at the server that is for its version; those that have none are left out."""
        found: dict[str, ClientResult] = {}
        for label, offer in offers.items():
            server = server_for(Protocol(label))
            if server is not None:
                found[label] = await self._ask(server, offer)
        return found

    async def _ask(
        self,
        server: ControlServer,
        offer: Offer,
        *,
        service: Service = Service.SMTP,
        port: int | None = None,
        credentials: Credentials | None = None,
        limit: float = TIME_LIMIT,
        name: str = "",
    ) -> ClientResult:
        request = Request(
            id=f"conformance/{server.control.name}/{service}/{offer}/{name or port or ''}",
            host=server.target.host,
            port=port or service.port,
            server_name=SERVER_NAME,
            implicit_tls=service.implicit_tls,
            offer=offer,
            ca_file=CA_FILE,
            message=Message("shop@webshop.test", "conformance@sink.test", "conformance"),
            credentials=credentials,
            time_limit=limit,
        )
        return await self._driver.ask(request)
