"""A server made up in memory, which obeys a protocol list: it measures for tests of the check.

Nothing in it is a Postfix. It has three clients' worth of cells, and can be told to time out, to be
of another mood in some measurement, and to refuse what another version refuses.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from harness.observations.record import Observation, TlsView
from harness.outcomes import Outcome
from harness.postfix_config.main_cf import parse_main_cf
from harness.postfix_config.protocol_lists import excluded_protocols
from harness.scenarios.scenario import Scenario
from harness.scenarios.services import services_of
from harness.snapshots.snapshot import Measurement
from harness.snapshots.values import BuildVersions, CellPlace
from harness.tls import Offer, Protocol

BUILDS = {
    "debian-12": BuildVersions("3.7.11", "3.0.20", "postfix 3.7.11-0+deb12u1"),
    "debian-13": BuildVersions("3.10.13", "3.5.9", "postfix 3.10.13-0+deb13u1"),
}
CLIENT = "openssl-3.5.7"
OFFERS = ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3", "default")
CIPHERS = {
    "TLSv1": "ECDHE-RSA-AES256-SHA",
    "TLSv1.1": "ECDHE-RSA-AES256-SHA",
    "TLSv1.2": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLSv1.3": "TLS_AES_256_GCM_SHA384",
}
#: Changes what a measurement shows: gets the scenario's id, the place and the observation.
Twist = Callable[[str, CellPlace, Observation], Observation]


def places(service: str = "smtp", builds: Collection[str] = tuple(BUILDS)) -> list[CellPlace]:
    """The cells of one service on some builds."""
    return [CellPlace(build, service, CLIENT, offer) for build in builds for offer in OFFERS]


def candidate(main_cf: str, master_cf: str = "") -> Scenario:
    """A whole configuration of these texts."""
    return Scenario("candidate", "t", "s", "", main_cf=main_cf, master_cf=master_cf, whole=True)


def observe(
    place: CellPlace, scenario: str, outcome: Outcome, reason: str = "", protocol: str = ""
) -> Observation:
    """One observation."""
    view = TlsView(protocol, CIPHERS[protocol], 256) if protocol else None
    return Observation(
        place.cell(scenario).id, place.build, scenario, "sha256:x", place.service, place.client,
        place.offer, outcome, reason=reason or None, client_saw=view, server_saw=view,
        agree=True if view else None,
    )  # fmt: skip


@dataclass
class SampleServer:
    """Measures as ``snapshots.blame.Measure`` has it; ``calls`` are the scenarios' ids so far."""

    twist: Twist = lambda _scenario, _place, observation: observation
    builds: Mapping[str, BuildVersions] = field(default_factory=lambda: dict(BUILDS))
    unavailable: Mapping[str, str] = field(default_factory=dict)
    calls: list[tuple[str, int, bool]] = field(default_factory=list)

    def __call__(
        self, scenarios: Sequence[Scenario], asked: Collection[CellPlace], alone: bool
    ) -> Mapping[str, Measurement]:
        """What the scenarios show at these places."""
        return {scenario.id: self._measure(scenario, asked, alone) for scenario in scenarios}

    def _measure(
        self, scenario: Scenario, asked: Collection[CellPlace], alone: bool
    ) -> Measurement:
        self.calls.append((scenario.id, len(asked), alone))
        cells = {
            place: self.twist(scenario.id, place, self._answer(scenario, place))
            for place in asked
            if place.service in services_of(scenario)
            and not {place.build, place.client} & set(self.unavailable)
        }
        return Measurement(cells, self.builds, self.unavailable)

    def _answer(self, scenario: Scenario, place: CellPlace) -> Observation:
        settings = parse_main_cf(scenario.main_cf).values
        out = excluded_protocols(settings.get("smtpd_tls_protocols", ""), "3.7.11", ssl2=False)
        if settings.get("smtpd_tls_security_level", "none") == "none":
            return observe(place, scenario.id, Outcome.NOT_OFFERED)
        if out is None:
            reason = "tls-disabled-bad-protocol-list"
            return observe(place, scenario.id, Outcome.REFUSED, reason)
        offer = Offer.parse(place.offer)
        wants = [p for p in Protocol if offer.lowest is None or p is offer.lowest]
        shared = [p for p in wants if p not in out and str(p) in CIPHERS]
        if not shared:
            return observe(place, scenario.id, Outcome.REFUSED, "protocol-version")
        return observe(place, scenario.id, Outcome.ACCEPTED, protocol=str(shared[-1]))
