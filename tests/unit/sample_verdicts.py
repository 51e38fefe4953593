"""Runs made up in memory, for the tests of verdicts: nothing in them was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.observations.record import Observation, TlsView
from harness.observations.run_folder import RunData
from harness.observations.run_json import Axes, ImageInfo, RunRecord, ScenarioInfo
from harness.outcomes import Outcome
from harness.scenarios.expectations import Expectation

#: Builds with their versions.
BUILDS = {
    "debian-11": ("3.5.25", "1.1.1w"),
    "debian-12": ("3.7.11", "3.0.22"),
    "debian-13": ("3.10.13", "3.5.9"),
}
CLIENT = "openssl-3.5.7"
#: A result: "TLSv1.2" is accepted with it, "TLSv1.2 CIPHER" with that cipher, "refused reason" and
#: other outcomes are themselves.
Results = Mapping[str, str]


def observe(build: str, scenario: str, service: str, offer: str, result: str) -> Observation:
    """One cell with a result as above."""
    word, _, more = result.partition(" ")
    cell = f"{build}/{scenario}/{service}/{CLIENT}/{offer}"
    common: dict[str, Any] = {
        "cell": cell,
        "build": build,
        "scenario": scenario,
        "config": f"sha256:{scenario}",
        "service": service,
        "client": CLIENT,
        "offer": offer,
    }
    if word.startswith(("TLS", "SSL")):
        view = TlsView(word, more or "ECDHE-RSA-AES256-GCM-SHA384", 256)
        return Observation(
            **common, outcome=Outcome.ACCEPTED, client_saw=view, server_saw=view, agree=True
        )
    return Observation(**common, outcome=Outcome(word), reason=more or None)


def run_of(
    scenarios: Mapping[str, Mapping[str, Results]],
    expect: Sequence[Expectation] = (),
    *,
    texts: Mapping[str, str] | None = None,
    builds: Mapping[str, tuple[str, str]] = BUILDS,
    only: Mapping[str, Mapping[str, Mapping[str, Results]]] | None = None,
    applies: Mapping[str, Any] | None = None,
    folder: Path = Path("/nowhere"),
) -> RunData:
    """A run of scenarios, each service → offer → result, the same on every build.

    ``only`` has what is otherwise on a build, ``texts`` each scenario's main.cf. Every scenario but
    ``defaults`` expects ``expect``.
    """
    services = list(dict.fromkeys(s for cells in scenarios.values() for s in cells))
    offers = list(dict.fromkeys(o for c in scenarios.values() for r in c.values() for o in r))
    observations = []
    for build in builds:
        for name, cells in scenarios.items():
            for service, results in cells.items():
                other = (only or {}).get(build, {}).get(name, {}).get(service, {})
                for offer, result in {**results, **other}.items():
                    if result:
                        observations.append(observe(build, name, service, offer, result))
    infos = {
        name: ScenarioInfo(
            title=name,
            claim=f"{name} does it.",
            main_cf=(texts or {}).get(name, ""),
            applies=dict(applies or {}) if name != "defaults" else {},
            expect=tuple(expectation.to_data() for expectation in expect)
            if name != "defaults"
            else (),
        )
        for name in scenarios
    }
    images = {
        name: ImageInfo(kind="build", id=f"sha256:{name}", postfix=postfix, openssl=openssl)
        for name, (postfix, openssl) in builds.items()
    }
    axes = Axes(tuple(builds), tuple(scenarios), tuple(services), (CLIENT,), tuple(offers))
    run = RunRecord(
        id="made-up",
        started="2026-11-26T12:00:00Z",
        finished="2026-11-26T12:01:00Z",
        axes=axes,
        scenarios=infos,
        images=images,
        command=("postfix-matrix", "run"),
    )
    return RunData(folder, run, tuple(observations))
