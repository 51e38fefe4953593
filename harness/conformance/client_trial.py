"""The conformance test of the client contract: a driver is tried on servers with known behaviour.

The servers are the controls of every run: two that accept every offer, one that refuses every
handshake; their plain Postfix, which announces no STARTTLS; and a port that never sends anything.
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

#: Time limits in seconds: of a dialogue, and of one that must exceed it.
TIME_LIMIT, SHORT = 10.0, 1.0
AT_ONCE = 8
#: A port that accepts connections and never sends anything; and one on which no server listens.
SILENT_PORT, CLOSED_PORT = 10099, 10098
_SILENT = (
    # /proc/net/tcp has ports in hexadecimal.
    "perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new(LocalPort => "
    f"{SILENT_PORT}, Listen => 9, ReuseAddr => 1) or die; push @c, $s->accept while 1' "
    ">/dev/null 2>&1 </dev/null &\n"
    f"until grep -qi ':{SILENT_PORT:04X} 00000000:0000 0A' /proc/net/tcp; do sleep 0.05; done"
)


@dataclass(frozen=True, slots=True)
class TrialServers:
    """The servers that a driver is tried on."""

    permissive: tuple[ControlServer, ...]
    forbidding: ControlServer

    def find_granting(self, protocol: Protocol) -> ControlServer | None:
        """The first permissive control that supports a version."""
        for server in self.permissive:
            if server.control.lowest.rank <= protocol.rank <= server.control.highest.rank:
                return server
        return None


class ClientTrial:
    """The trial of one driver; ``run`` carries it out."""

    def __init__(
        self, lab: Lab, servers: TrialServers, reference: str, image_id: str, role: Role = ROLE
    ) -> None:
        self._driver = Driver(lab, "conformance", image_id, role)
        self._servers = servers
        self._reference = reference
        self._id = image_id

    async def run(self) -> ClientReport:
        """Make all checks; return a report whatever the driver does.

        Raises:
            InfrastructureError: its container does not start.
        """
        await self._driver.start()
        try:
            description = await self._driver.describe()
            checks = [judge.check_description(description)]
            offers = description.get("offers")
            known = offers if isinstance(offers, list) else []
            protocols = [Protocol(name) for name in known if name in list(Protocol)]
            checks += await self._check_offers(protocols)
            checks += await self._check_without_tls(protocols)
            checks += await self._check_surroundings()
            extras = await self._try_extras(description.get("extras"), protocols)
            checks.append(judge.check_extras(extras))
            checks += await self._check_logins(
                protocols, sends=description.get("sends_mail") is True
            )
        finally:
            self._driver.close()
        return ClientReport(self._reference, self._id, description, tuple(checks))

    async def _check_offers(self, protocols: Iterable[Protocol]) -> list[Check]:
        offers = {str(protocol): Offer(protocol, protocol) for protocol in protocols}
        granted = await self._try_each(offers, self._servers.find_granting)
        # A client whose offer cannot be set is tried with its default offer.
        requested = offers or {"default": Offer()}
        forbidding = self._servers.forbidding
        refused = {
            label: await self._send_request(forbidding, offer) for label, offer in requested.items()
        }
        others = {str(p): Offer(p, p) for p in Protocol if str(p) not in offers}
        # Only versions that a control supports: the others prove nothing about a client.
        incapable = await self._try_each(others, self._servers.find_granting)
        return [
            judge.check_outcomes(
                "offers",
                "each version that it says it can offer is accepted by a server that grants it",
                granted,
                "accepted",
                "leave out of offers what the library cannot do, and let only the offer decide",
            ),
            judge.check_protocols(granted),
            judge.check_outcomes(
                "refusal",
                "a handshake that the server refuses is refused at handshake",
                refused,
                "refused at handshake",
                "report an alert, or a close in the handshake, as refused at handshake",
            ),
            judge.check_outcomes(
                "incapable",
                "an offer that the library does not have is client-incapable, not a refusal",
                incapable,
                "client-incapable",
                "report client-incapable where no ClientHello was sent, with the library's message",
            ),
            judge.check_error_texts({**refused, **incapable}),
        ]

    async def _check_without_tls(self, protocols: list[Protocol]) -> list[Check]:
        server = self._servers.permissive[0]
        offers = {str(protocol): Offer(protocol, protocol) for protocol in protocols[-1:]}
        port = BACKEND_PORTS[Service.SMTP]
        plain = {
            label: await self._send_request(server, offer, port=port)
            for label, offer in offers.items()
        }
        return [
            judge.check_outcomes(
                "not-offered",
                "with an offer, a server without STARTTLS is not-offered",
                plain,
                "not-offered",
                "require TLS where there is an offer, and look for STARTTLS in EHLO's reply",
            )
        ]

    async def _check_surroundings(self) -> list[Check]:
        server = self._servers.permissive[0]
        server.target.run(_SILENT)
        closed = await self._send_request(server, Offer(), port=CLOSED_PORT)
        silent = await self._send_request(server, Offer(), port=SILENT_PORT, limit=SHORT)
        default = await self._send_request(server, Offer())
        many = [self._send_request(server, Offer(), name=f"at-once-{n}") for n in range(AT_ONCE)]
        return [
            judge.check_outcomes(
                "default",
                "with no offer, the client as its user would run it gets through",
                {"default": default},
                "accepted",
                "take what is in the request: host, port, server_name, ca_file",
            ),
            judge.check_outcomes(
                "nobody",
                "a port on which no server listens is refused at connect",
                {"default": closed},
                "refused at connect",
                "report ECONNREFUSED as refused at connect",
            ),
            judge.check_outcomes(
                "time-limit",
                f"a server that sends nothing is a timeout after time_limit, here {SHORT:g} s",
                {"default": silent},
                "timeout",
                "end the dialogue after time_limit seconds, whatever it is waiting for",
            ),
            judge.check_concurrency(await asyncio.gather(*many)),
        ]

    async def _check_logins(self, protocols: list[Protocol], *, sends: bool) -> list[Check]:
        if not sends:
            return []
        server, service = self._servers.permissive[0], Service.SUBMISSION
        offer = Offer(protocols[-1], protocols[-1]) if protocols else Offer()
        good = Credentials(USERNAME, PASSWORD)
        bad = Credentials(USERNAME, f"{PASSWORD}-not")
        logged_in = await self._send_request(server, offer, service=service, credentials=good)
        rejected = await self._send_request(server, offer, service=service, credentials=bad)
        encoded = base64.b64encode(f"\0{USERNAME}\0{PASSWORD}".encode()).decode()
        return [
            judge.check_outcomes(
                "login",
                "with credentials it logs in, and the message is queued",
                {"submission": logged_in},
                "accepted",
                "log in by PLAIN or LOGIN before MAIL",
            ),
            judge.check_outcomes(
                "wrong-password",
                "a wrong password is refused at auth",
                {"submission": rejected},
                "refused at auth",
                "report a 535 as refused at auth, with the reply",
            ),
            judge.check_secrecy([logged_in, rejected], (PASSWORD, encoded)),
        ]

    async def _try_extras(
        self, extras: object, protocols: list[Protocol]
    ) -> dict[str, ClientResult]:
        """The result of each extra in the description, with a server that supports it."""
        values = {"cert": "cert=trusted", "sni": "sni=other.test"}
        results: dict[str, ClientResult] = {}
        # TLSv1.3 has no second handshake (RFC 8446, section 4.1.2).
        versions = [version for version in protocols if version is not Protocol.TLSv1_3][-1:]
        for name in extras if isinstance(extras, list) else ():
            for version in versions:
                offer = Offer.parse(f"{version}+{values.get(name, name)}")
                results[name] = await self._try_extra(offer, version)
        return results

    async def _try_extra(self, offer: Offer, version: Protocol) -> ClientResult:
        """The result of an offer with the first server that supports it, else with the last.

        OpenSSL 3 accepts no renegotiation by a client, so not every control does.
        """
        result = ClientResult("none", "error", error="no control supports this version")
        for server in self._servers.permissive:
            if server.control.lowest.rank <= version.rank <= server.control.highest.rank:
                result = await self._send_request(server, offer)
                if result.outcome in ("accepted", "hung-up"):
                    return result
        return result

    async def _try_each(
        self,
        offers: Mapping[str, Offer],
        server_for: Callable[[Protocol], ControlServer | None],
    ) -> dict[str, ClientResult]:
        """The result of each offer with the server for its version; without a server, none."""
        results: dict[str, ClientResult] = {}
        for label, offer in offers.items():
            server = server_for(Protocol(label))
            if server is not None:
                results[label] = await self._send_request(server, offer)
        return results

    async def _send_request(
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
