"""The pages that are there once: overview, lists, changes, runs, data, about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from harness.catalog.aliases import software_names
from harness.catalog.cells import is_simulated
from harness.scenarios.claims import BASELINE
from harness.site.addresses import link_segment, page_link, path_segment
from harness.site.changes import list_changes, nights, read_night
from harness.site.nights import SiteContent
from harness.site.objects import DATA
from harness.site.pages import PageWriter
from harness.site.side_pages import shorten
from harness.site.site_index import SiteIndex
from harness.site.titles import (
    build_versions_text,
    client_about,
    outcome_titles,
    page_title,
)
from harness.site.verdict_state import recorded_verdict

#: Cells of the overview's table of verdicts.
_MOST_VERDICTS = 420
_LONGEST_TITLE = 70
#: Cells of the page that has a run beside the runs before it.
_MOST_DIFFERENCES = 120


@dataclass(frozen=True, slots=True)
class AnswerChoices:
    """The clients and servers of the answer box: name, and text."""

    client_choices: tuple[tuple[str, str], ...]
    build_choices: tuple[tuple[str, str], ...]


def answer_choices(index: SiteIndex) -> AnswerChoices:
    """All clients and servers of a site."""
    state = index.content.state
    builds = [(name, build_versions_text(state.image(name))) for name in index.builds]
    return AnswerChoices(
        tuple((name, name) for name in index.clients),
        tuple((name, f"{name} ({text})" if text else name) for name, text in builds),
    )


class SitePages:
    """Writes them."""

    def __init__(
        self, index: SiteIndex, writer: PageWriter, choices: AnswerChoices, citation: str
    ) -> None:
        self._index, self._writer, self._choices = index, writer, choices
        self._content: SiteContent = index.content
        self._citation = citation

    def write_all(self) -> None:
        """All of them."""
        self._write_overview()
        self._write_can_index()
        self._write_changes()
        self._write_runs()
        self._write_about()
        self._write_missing()

    def _write_overview(self) -> None:
        index = self._index
        latest = next(nights(self._content.changes), None)
        compared = [night for night in nights(self._content.changes) if night[1]["compared"]]
        shown = compared[0] if compared else latest
        self._writer.write(
            "overview", "",
            page="overview",
            title=f"{self._writer.common['site_title']}: Postfix, OpenSSL and mail clients",
            description="Which mail client can deliver to which version of Postfix and OpenSSL, "
            "and what each piece of TLS advice changes. Every result with both sides' evidence.",
            heading="Can this client deliver to that server?",
            model=self._choices,
            counts={
                "cells": sum(count for count, _ in index.counts.values()),
                "clients": len(index.clients),
                "builds": len(index.builds),
                "scenarios": len(index.scenarios),
                "simulated": sum(map(is_simulated, index.clients)),
            },
            night=read_night(*shown) if shown and len(self._content.state.runs) > 1 else None,
            table=self._verdict_table(),
        )  # fmt: skip

    def _verdict_table(self) -> dict[str, Any]:
        """Scenarios × servers, as many as a page holds."""
        index, state = self._index, self._content.state
        judged = [name for name in index.scenarios if name in state.verdicts]
        builds = index.builds[:24]
        shown = judged[: max(1, _MOST_VERDICTS // max(1, len(builds) + 2))]
        rows = []
        for name in shown:
            verdict = recorded_verdict(state, name)
            by_build = state.verdicts[name]
            rows.append({
                "title": shorten(state.scenario(name).title or name, _LONGEST_TITLE),
                "href": page_link("advice", name),
                "verdict": verdict.verdict.value if verdict else "unmeasured",
                "builds": [by_build[b]["verdict"] if b in by_build else "" for b in builds],
            })  # fmt: skip
        return {
            "rows": rows,
            "builds": [{"name": name, "href": page_link("build", name)} for name in builds],
            "more": len(judged) - len(shown),
        }

    def _write_can_index(self) -> None:
        state, index = self._content.state, self._index
        clients = [
            {
                "name": name, "href": page_link("client", name),
                "about": client_about(name, state.image(name)),
            }
            for name in index.clients
        ]  # fmt: skip
        builds = [
            {
                "name": name, "href": page_link("build", name),
                "title": build_versions_text(state.image(name)),
            }
            for name in index.builds
        ]  # fmt: skip
        self._writer.write(
            "can_index", "can",
            page="can-index",
            title="Can this client deliver to that server?",
            description="Choose a mail client and a version of Postfix and OpenSSL.",
            here="can/",
            model=self._choices,
            clients=clients,
            builds=builds,
            aliases=[
                {"name": name.name, "href": page_link("client", name.id)}
                for name in software_names()
            ],
        )  # fmt: skip

    def _write_changes(self) -> None:
        changes = self._content.changes
        days = []
        for date in sorted(changes, reverse=True):
            records = sorted(changes[date]["runs"], key=lambda record: record["run"])
            shown = [read_night(date, record) for record in reversed(records)]
            days.append({
                "date": date, "href": page_link("changes", date),
                "text": " ".join(f"{night.run}: {night.statement}" for night in shown),
            })  # fmt: skip
            self._writer.write(
                "changes", "changes", date,
                page="changes",
                title=f"What changed on {date}",
                description=f"Cells and verdicts that changed on {date}.",
                crumbs=(("Changes", "changes/"),),
                here="changes/",
                date=date,
                nights=shown,
            )  # fmt: skip
        self._writer.write(
            "changes_index", "changes", page="changes", title="What changed, night by night",
            description="Cells and verdicts that changed, by day.", here="changes/", days=days,
        )  # fmt: skip
        self._write_comparisons()

    def _write_comparisons(self) -> None:
        """Each kept run beside the runs before it, for readers without the script."""
        kept = self._content.state.kept
        runs = [night for night in nights(self._content.changes) if night[1]["run"] in kept]
        shown = [read_night(date, record) for date, record in runs]
        self._writer.write(
            "compare", "compare", page="compare", title="Compare two runs",
            description="What differs between two kept runs.", crumbs=(("Changes", "changes/"),),
            runs=[
                {"id": night.run, "date": night.date, "text": night.statement,
                 "href": page_link("compare", night.run)}
                for night in shown
            ],
        )  # fmt: skip
        for night, (_, record) in zip(shown, runs, strict=True):
            cells = list_changes(record)
            self._writer.write(
                "compare_run", "compare", night.run, page="compare",
                title=page_title(f"Run {night.run} beside the runs before it"),
                description=f"Every cell that run {night.run} shows otherwise than before.",
                crumbs=(("Changes", "changes/"), ("Compare two runs", "compare/")),
                night=night, before=record["before"], cells=cells[:_MOST_DIFFERENCES],
                more=max(0, len(cells) - _MOST_DIFFERENCES),
                kept=[run for run in record["before"] if run in kept],
            )  # fmt: skip

    def _write_runs(self) -> None:
        runs = [self._describe_run(name) for name in self._content.state.runs]
        runs.sort(key=lambda run: str(run["started"]), reverse=True)
        self._writer.write(
            "runs", "runs", page="runs", title="Kept runs", description="The runs of this site.",
            crumbs=(("Data", "data/"),), runs=[run for run in runs if run["kept"]],
        )  # fmt: skip
        for run in runs:
            if run["kept"]:
                self._write_run(run)

    def _describe_run(self, name: str) -> dict[str, Any]:
        record = self._content.state.runs[name]
        return {
            **record, "id": name, "file": link_segment(name), "href": page_link("runs", name),
            "changes": page_link("changes", record["started"][:10]),
            "kept": name in self._content.state.kept,
        }  # fmt: skip

    def _write_run(self, run: dict[str, Any]) -> None:
        tool = run["tool"]
        facts = [
            ("started", run["started"]),
            ("finished", run["finished"] or "no"),
            ("made by", f"{tool['name']} {tool['version']}"),
            ("command", " ".join(run["command"])),
            ("cells", str(run["cells"])),
            *(("note", note) for note in run["notes"][:10]),
        ]
        self._writer.write(
            "run", "runs", run["id"], page="runs", title=f"Run {run['id']}",
            description=f"A run of {run['cells']} cells, started {run['started']}.",
            crumbs=(("Runs", "runs/"),), run=run, facts=facts,
        )  # fmt: skip

    def write_data(
        self, kept: list[dict[str, Any]], scenarios: list[dict[str, Any]], schemas: list[str]
    ) -> None:
        """The page of downloads; kept runs and ``scenarios`` as index.json has them."""
        runs = []
        for run in kept:
            path = self._writer.site / DATA / "runs" / f"{path_segment(run['id'])}.parquet"
            runs.append({
                **self._describe_run(run["id"]), "size": _size_text(path.stat().st_size),
                "sha256": run["sha256"],
            })  # fmt: skip
        self._writer.write(
            "data", "data", page="data", title="Data of every cell",
            description="All results as JSON and Parquet, with schemas and checksums.",
            here="data/", runs=runs, scenarios=scenarios, schemas=schemas,
        )  # fmt: skip

    def _write_about(self) -> None:
        self._writer.write(
            "about", "about", page="about", title="About: method, licence, how to cite",
            description="How these results are measured, and how to cite them.", here="about/",
            outcomes=outcome_titles(), citation=self._citation, baseline=BASELINE,
        )  # fmt: skip

    def _write_missing(self) -> None:
        """The page that many hosts show for an address without a file: at any depth."""
        base = self._writer.base_url
        root = urlsplit(base).path if base else "/"
        self._writer.write_file(
            "missing", "404.html", page="missing", title="There is no such page",
            description="There is no page at this address.", root=root, address="404.html",
        )  # fmt: skip


def _size_text(size: int) -> str:
    return f"{size / 1_000_000:.1f} MB" if size >= 1_000_000 else f"{max(1, size // 1000)} kB"
