"""``advice/ID/``: a piece of advice, its verdict, and which clients still deliver under it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from harness.counts import format_count
from harness.observations.run_folder import RunData
from harness.observations.run_json import Axes, RunRecord, ScenarioInfo, Tool
from harness.reports.answer_text import render_answer, settings_text
from harness.reports.html import web_address
from harness.site.addresses import facts_link, page_link, path_segment
from harness.site.answers import delivers
from harness.site.badges import badge_data, badge_svg
from harness.site.facts import order_names
from harness.site.pages import PageWriter, read_template
from harness.site.side_pages import shorten
from harness.site.site_index import SiteIndex
from harness.site.titles import VERDICT_SIGNS, build_versions_text, described_by, page_title
from harness.site.verdict_state import recorded_verdict
from harness.verdicts.line_effects import LinePart
from harness.verdicts.observation_diff import UNOBSERVED
from harness.verdicts.since import describe_dependence
from harness.verdicts.verdict import ScenarioVerdict, Verdict

_KINDS = {
    Verdict.CONFIRMED: "yes", Verdict.REFUTED: "no", Verdict.HARMFUL: "no",
    Verdict.DEPENDS: "partly", Verdict.NO_EFFECT: "partly",
}  # fmt: skip
#: Rows of a page to embed, and bytes of the whole.
_EMBEDDED, EMBED_LIMIT = 60, 15_000
_MOST_SHUT_OUT = 4


@dataclass(frozen=True, slots=True)
class ClientDeliveries:
    """A client under a piece of advice; ``fails`` are the servers and ports where it does not
    deliver."""

    client: str
    tried: int
    fails: tuple[str, ...]


class AdvicePages:
    """Writes the pages of all scenarios, and what other pages embed of them."""

    def __init__(self, index: SiteIndex, writer: PageWriter) -> None:
        self._index, self._writer = index, writer
        self._state = index.content.state

    def write_all(self) -> None:
        """All pages, and their list."""
        for name in self._index.scenarios:
            self._write_page(name)
        entries = [
            {
                "name": self._state.scenario(name).title or name,
                "href": page_link("advice", name),
                "verdict": verdict.verdict.value if verdict else "",
                "text": self._state.scenario(name).claim,
            }
            for name in self._index.scenarios
            for verdict in (recorded_verdict(self._state, name),)
        ]
        self._writer.write(
            "names", "advice", page="advice", title="Advice on Postfix's TLS settings",
            description="Every piece of advice that was measured, with its verdict.",
            here="advice/", heading="Advice", lead="What people advise, and what it is worth.",
            parts=[{"title": "Measured", "entries": entries}],
        )  # fmt: skip

    def _write_page(self, name: str) -> None:
        info = self._state.scenario(name)
        verdict = recorded_verdict(self._state, name)
        title = info.title or name
        href = page_link("advice", name)
        rows = self._build_rows(name)
        shown = self._describe_verdict(verdict)
        paste = self._render_paste(name, info, verdict)
        oldest = self._find_oldest(name)
        advice = {
            "title": title, "claim": info.claim, "url": web_address(info.url), "href": href,
        }  # fmt: skip
        self._writer.write(
            "advice", "advice", name,
            page="advice",
            title=page_title(f"{title}: does it work?"),
            description=f"{info.claim} {shown['sentence'] if shown else ''} Measured on "
            f"{len(rows)} builds of Postfix and OpenSSL.".strip(),
            crumbs=(("Advice", "advice/"),),
            here="advice/",
            feed=f"{href}feed.xml", own_feed=f"{href}feed.xml",
            advice=advice,
            verdict=shown,
            facts=[
                (label, text)
                for label, text in (
                    ("given in", info.source or ""),
                    ("collection", info.collection or ""),
                    ("compared with", info.against if info.against != name else ""),
                    ("measured", self._describe_time(name)),
                )
                if text
            ],
            boundaries=list(describe_dependence(verdict)) if verdict else [],
            settings=settings_text(info),
            acting=self._list_lines(name),
            oldest=oldest,
            rows=rows,
            view_facts=facts_link(name),
            paste=paste,
        )  # fmt: skip
        self._write_extras(name, advice, shown, rows, paste)

    def _list_lines(self, name: str) -> list[dict[str, str]]:
        """What each line does, those that act first; those that were not examined are left out."""
        lines = self._state.scenarios.get(name, {}).get("lines", ())
        parts = [part.value for part in LinePart if part is not LinePart.LEFT_OUT]
        examined = [line for line in lines if line["part"] in parts]
        return sorted(examined, key=lambda line: parts.index(line["part"]))

    def _describe_time(self, name: str) -> str:
        run = self._state.scenarios.get(name, {}).get("run", "")
        return f"{self._state.runs[run]['started'][:10]} (run {run})" if run else ""

    def _describe_verdict(self, verdict: ScenarioVerdict | None) -> dict[str, str] | None:
        if verdict is None:
            return None
        measured = [b for b in verdict.builds if b.verdict is not Verdict.UNMEASURED]
        return {
            "name": verdict.verdict.value,
            "kind": _KINDS.get(verdict.verdict, "unknown"),
            "sentence": f"{VERDICT_SIGNS[verdict.verdict][2]} Measured on "
            f"{format_count(len(measured), 'server')}.",
        }

    def _build_rows(self, name: str) -> list[dict[str, Any]]:
        verdicts = self._state.verdicts.get(name, {})
        counts = {
            build: self._index.counts[name, build]
            for build in self._index.builds
            if (name, build) in self._index.counts
        }
        rows = []
        for build in order_names({*verdicts, *counts}, self._index.content.order.builds):
            count, differs = counts.get(build, (0, 0))
            verdict = verdicts.get(build)
            rows.append({
                "name": build, "href": page_link("build", build),
                "versions": build_versions_text(self._state.image(build)),
                "verdict": verdict["verdict"] if verdict else "",
                "why": shorten(verdict["why"]) if verdict else "",
                "count": count, "differs": differs,
                "cells_href": page_link("cell", build, name),
            })  # fmt: skip
        return rows

    def _render_paste(self, name: str, info: ScenarioInfo, verdict: ScenarioVerdict | None) -> str:
        """The Markdown of ``postfix-matrix answer``; "" for a scenario without expectations."""
        if verdict is None or not info.expect:
            return ""
        return render_answer(self._run_data(name, info), verdict)

    def _run_data(self, name: str, info: ScenarioInfo) -> RunData:
        """The part of the scenario's run that its answer names."""
        record = self._state.scenarios[name]
        run = self._state.runs[record["run"]]
        builds = tuple(self._state.verdicts.get(name, ()))
        return RunData(
            self._writer.site,
            RunRecord(
                id=record["run"], started=run["started"], axes=Axes(builds=builds),
                tool=Tool(**run["tool"]), scenarios={name: info},
            ),
            (),
        )  # fmt: skip

    def _client_results(self, name: str) -> list[ClientDeliveries]:
        """Each client as its user runs it, on every server and port where it was tried."""
        results = []
        for client in self._index.clients:
            tried, fails = 0, []
            for build in self._index.measured_builds(client):
                cells = self._index.pairs[client, build].get(name)
                for service, row in (cells.defaults if cells else {}).items():
                    shown = self._index.observation(row)
                    if shown.outcome in UNOBSERVED:
                        continue
                    tried += 1
                    if not delivers(shown):
                        fails.append(f"{build} {service}")
            if tried:
                results.append(ClientDeliveries(client, tried, tuple(fails)))
        return results

    def _find_oldest(self, name: str) -> list[dict[str, Any]]:
        """By family of software: the oldest client that delivers everywhere, and those shut out.

        The catalog has the clients of a family from the oldest to the newest.
        """
        families: dict[str, list[ClientDeliveries]] = {}
        for result in self._client_results(name):
            families.setdefault(family_of(result.client), []).append(result)
        rows = []
        for family, results in families.items():
            delivering = [result for result in results if not result.fails]
            shut_out = [result for result in results if result.fails]
            oldest = delivering[0].client if delivering else ""
            rows.append({
                "family": family,
                "oldest": oldest and {
                    "name": oldest, "href": page_link("client", oldest),
                    "library": self._library_of(oldest),
                },
                "shut_out": [
                    {
                        "name": result.client, "href": page_link("client", result.client),
                        "text": f"{len(result.fails)} of {result.tried} ({result.fails[0]}"
                        f"{', …' if len(result.fails) > 1 else ''})",
                    }
                    for result in shut_out[:_MOST_SHUT_OUT]
                ],
            })  # fmt: skip
        return rows

    def _library_of(self, client: str) -> str:
        text = str(described_by(self._state.image(client)).get("tls_version") or "")
        return text.partition("(")[0].strip()

    def _write_extras(
        self,
        name: str,
        advice: dict[str, str],
        shown: dict[str, str] | None,
        rows: list[dict[str, Any]],
        paste: str,
    ) -> None:
        """Badge, embedded page and Markdown."""
        folder = self._writer.site / page_folder(name)
        verdict = Verdict(shown["name"]) if shown else None
        (folder / "badge.json").write_text(badge_data(name, verdict), encoding="utf-8")
        (folder / "badge.svg").write_text(badge_svg(name, verdict), encoding="utf-8")
        if paste:
            (folder / "answer.md").write_text(paste, encoding="utf-8", errors="backslashreplace")
        kept = _EMBEDDED
        text = self._render_embed(advice, shown, rows, kept)
        while len(text) > EMBED_LIMIT and kept:
            kept //= 2
            text = self._render_embed(advice, shown, rows, kept)
        (folder / "embed.html").write_bytes(text)
        self._writer.pages += 1

    def _render_embed(
        self,
        advice: dict[str, str],
        shown: dict[str, str] | None,
        rows: list[dict[str, Any]],
        kept: int,
    ) -> bytes:
        """The page to embed, with the first servers."""
        text: str = read_template("embed").render(
            {**self._writer.common, "root": "../../", "address": "./", "advice": advice},
            title=advice["title"],
            verdict=shown,
            rows=rows[:kept],
            more=max(0, len(rows) - kept),
        )
        return text.encode("utf-8", "backslashreplace")


def page_folder(name: str) -> str:
    """The folder of a piece of advice, relative to the site."""
    return f"advice/{path_segment(name)}"


def family_of(client: str) -> str:
    """The software of a client, as its name in the catalog begins: ``nodemailer``, ``openssl``."""
    head, dash, last = client.rpartition("-")
    if dash and any(character.isdigit() for character in last):
        return head
    return client.rstrip("0123456789.") if not dash else client
