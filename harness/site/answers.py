"""Whether a client delivers to a server, in sentences that an administrator can act on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from harness.observations.record import Observation, Outcome
from harness.reports.labels import describe_result, obstacles_text
from harness.scenarios.claims import BASELINE
from harness.scenarios.expectations import DELIVERED
from harness.site.addresses import page_link
from harness.site.cells import NONE, CellRow
from harness.site.site_index import PairCells, SiteIndex
from harness.site.titles import port_title, sends_mail
from harness.verdicts.observation_diff import (
    UNOBSERVED,
    cipher_of,
    protocol_of,
    without_certificate,
)
from harness.verdicts.since import kind_of_build, known_releases
from harness.verdicts.verdict import image_versions
from harness.verdicts.version_boundaries import LabelledBuild, find_dependence
from harness.verdicts.version_dependence_text import coverage_sentences, dependence_sentences

#: Advice that is named as a way out, or as what would break it.
_MOST_NAMED = 6
_MOST_SINCE = 12


@dataclass(frozen=True, slots=True)
class Answer:
    """One sentence; ``kind`` is yes, no, partly or unknown."""

    kind: str
    text: str
    service: str = ""


@dataclass(frozen=True, slots=True)
class AdviceTurn:
    """A piece of advice under which a pair does otherwise than with the server's defaults."""

    title: str
    href: str
    ports: str


@dataclass(frozen=True, slots=True)
class PairTurns:
    """``helps``: with it the client delivers; ``stops``: with it no more; ``stuck``: sentences."""

    helps: tuple[AdviceTurn, ...] = ()
    stops: tuple[AdviceTurn, ...] = ()
    stuck: tuple[str, ...] = ()


def delivers(observation: Observation) -> bool:
    """Whether the message got through, or the handshake where the client does no more."""
    return observation.outcome in DELIVERED


def pair_answers(index: SiteIndex, client: str, build: str) -> list[Answer]:
    """One answer per port, with the server's defaults and the client as its user runs it."""
    cells = index.baseline_cells(client, build)
    if cells is None:
        return []
    mails = sends_mail(index.content.state.image(client))
    rows = cells.defaults
    return [
        answer_of(
            service, index.observation(rows[service]), mails, last_known(index, rows[service])
        )
        for service in index.services
        if service in rows
    ]


def last_known(index: SiteIndex, row: CellRow) -> str:
    """What a cell that shows nothing now showed when it was last known; "" elsewhere."""
    if row.known == NONE:
        return ""
    content = index.content
    run = content.tables.run.names[row.known_run]
    started = content.state.runs.get(run, {}).get("started", "")[:10]
    return f"{content.comparer.sentence(row.offer, row.known)} on {started}"


def answer_of(service: str, shown: Observation, mails: bool, known: str = "") -> Answer:
    """The answer for one port."""
    port = port_title(service)
    if shown.outcome is Outcome.ACCEPTED:
        with_what = ", ".join(part for part in (protocol_of(shown), cipher_of(shown)) if part)
        end = "the message is queued" if mails else "the handshake succeeds (it sends no mail)"
        trust = ", without a certificate" if without_certificate(shown) else ""
        return Answer("yes", f"Yes on {port}: {with_what}{trust}; {end}.", service)
    if shown.outcome is Outcome.PLAINTEXT:
        return Answer(
            "partly", f"Without TLS only on {port}: the message is not encrypted.", service
        )
    if shown.outcome is Outcome.WOULD_NEGOTIATE:
        with_what = ", ".join(part for part in (protocol_of(shown), cipher_of(shown)) if part)
        text = f"Simulated on {port}: the server would negotiate {with_what}; nothing was sent."
        return Answer("partly", text, service)
    if shown.outcome in UNOBSERVED:
        before = f"; before that: {known}" if known else ""
        return Answer("unknown", f"Unknown on {port}: {describe_result(shown)}{before}.", service)
    who = who_decided(shown)
    decided = f"; decided by {who}" if who else ""
    if shown.is_simulated:
        text = f"Simulated on {port}: {describe_result(shown)}{decided}."
        return Answer("partly", text, service)
    return Answer("no", f"No on {port}: {describe_result(shown)}{decided}.", service)


def who_decided(shown: Observation) -> str:
    """The obstacles, or the side that decided; "" where nothing was refused."""
    return obstacles_text(shown) or (f"the {shown.decided_by}" if shown.decided_by else "")


def headline(answers: list[Answer]) -> str:
    """All ports in a few words, for a list and for search engines."""
    if not answers:
        return "not measured with the server's defaults"
    yes = [answer.service for answer in answers if answer.kind == "yes"]
    no = [answer.service for answer in answers if answer.kind == "no"]
    if len(yes) == len(answers):
        return f"yes ({', '.join(yes)})"
    if len(no) == len(answers):
        return f"no ({', '.join(no)})"
    parts = [(yes, "yes"), (no, "no")]
    named = "; ".join(f"{word}: {', '.join(names)}" for names, word in parts if names)
    return named or "no clear result"


def find_turns(index: SiteIndex, client: str, build: str) -> PairTurns:
    """What was tried on this very pair and makes it deliver, or stops it, by advice."""
    by_scenario = index.pairs[client, build]
    baseline = by_scenario.get(BASELINE)
    helps: dict[str, list[str]] = {}
    stops: dict[str, list[str]] = {}
    stuck = []
    for service, row in (baseline.defaults if baseline else {}).items():
        shown = index.observation(row)
        if shown.outcome in UNOBSERVED:
            continue
        tried = _deliveries_by_advice(index, by_scenario, service)
        turned = [name for name, delivered in tried.items() if delivered is not delivers(shown)]
        for name in turned:
            (stops if delivers(shown) else helps).setdefault(name, []).append(service)
        if not delivers(shown) and not turned:
            more = f"none of the {len(tried)} configurations tried here delivers"
            stuck.append(f"On {port_title(service)}: {more if tried else 'nothing was tried'}.")
    return PairTurns(_list_advice(index, helps), _list_advice(index, stops), tuple(stuck))


def _deliveries_by_advice(
    index: SiteIndex, by_scenario: Mapping[str, PairCells], service: str
) -> dict[str, bool]:
    """Whether each scenario but the baseline delivers at a service, where that is known."""
    rows = {
        name: cells.defaults[service]
        for name, cells in by_scenario.items()
        if name != BASELINE and service in cells.defaults
    }
    shown = {name: index.observation(row) for name, row in rows.items()}
    return {
        name: delivers(observation)
        for name, observation in shown.items()
        if observation.outcome not in UNOBSERVED
    }


def _list_advice(index: SiteIndex, turned: Mapping[str, list[str]]) -> tuple[AdviceTurn, ...]:
    """Advice with the ports that it turns, as many as a page names; the rest as a number."""
    turns = [
        AdviceTurn(
            index.content.state.scenario(name).title or name,
            page_link("advice", name),
            ", ".join(port_title(service) for service in services),
        )
        for name, services in turned.items()
    ]
    more = len(turns) - _MOST_NAMED
    if more > 0:
        turns[_MOST_NAMED:] = [AdviceTurn(f"{more} more, in the table below", "", "")]
    return tuple(turns)


def since_lines(index: SiteIndex, client: str) -> list[str]:
    """Since which versions a client delivers by default, port by port; as many as a page has."""
    return [
        f"{port_title(service)}: {sentence}"
        for service, sentences in _since_sentences(index, client)
        for sentence in sentences
    ][:_MOST_SINCE]


def _label_delivery(shown: Observation) -> str:
    if shown.is_simulated:
        return describe_result(shown)
    return "delivers" if delivers(shown) else f"does not ({describe_result(shown)})"


def _since_sentences(index: SiteIndex, client: str) -> Iterator[tuple[str, list[str]]]:
    """By service: since which versions a client, as its user runs it, delivers by default."""
    for service in index.services:
        points = []
        for build in index.measured_builds(client):
            cells = index.baseline_cells(client, build)
            row = cells.defaults.get(service) if cells else None
            if row is None:
                continue
            shown = index.observation(row)
            label = None
            if shown.outcome not in UNOBSERVED:
                label = _label_delivery(shown)
            postfix, openssl = image_versions(index.content.state.image(build))
            points.append(LabelledBuild(build, postfix, openssl, label, kind_of_build(build)))
        if points:
            dependence = find_dependence(points, known_releases())
            yield service, [*dependence_sentences(dependence), *coverage_sentences(dependence)]
