"""One cell's evidence in full, in a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harness.catalog.cells import is_control
from harness.observations.record import Observation, TlsView
from harness.observations.run_folder import Evidence, RunData
from harness.observations.run_json import ImageInfo
from harness.plain_text import escape_controls
from harness.reports.differences import compare_with_baseline
from harness.reports.grid import BASELINE
from harness.reports.labels import (
    BUILD_NOTES,
    CHECK,
    COMPLAINT,
    CONTROL_LOG,
    DECIDING_REPLY,
    LAST_REPLY,
    NO_CONFIGURATION,
    NOT_CHECKED,
    PEER_LOG,
    SENDER_LOG,
    SERVER_LOG,
    SIGNS,
    WARNINGS,
    build_note,
    build_notes,
    describe_result,
    obstacles_text,
)
from harness.reports.obstacle_settings import obstacle_settings
from harness.reports.provenance import image_provenance
from harness.reports.taken_over import describe_origin
from harness.reports.wrapping import entry_lines, wrap_text

#: Of a cell that runs which were merged measured with different results.
FLAKY = "Flaky: the runs that were merged have different results; observations.jsonl has all."


def show_cell(run: RunData, observation: Observation, console: Console) -> None:
    """Print what is known about a cell: both sides' views, their messages, the configuration."""
    evidence = run.evidence(observation)
    sign = SIGNS[observation.outcome]
    note = build_note(run.run.images.get(observation.build))
    _print_line(console, observation.cell + (f" ({note})" if note else ""), "bold")
    _print_line(console, f"{sign.glyph} {describe_result(observation)}", "bold")
    if observation.cell in run.run.flaky:
        _print_line(console, FLAKY, "bold red")
    _print_facts(run, observation, console)
    console.print(Padding(_views_table(observation), (1, 0, 0, 2), expand=False))
    _print_line(
        console, describe_agreement(observation), "bold red" if observation.agree is False else ""
    )
    if evidence is None:
        _print_line(console, f"No evidence file could be read at {observation.evidence}.", "yellow")
    else:
        _show_evidence(evidence, is_control(observation.build), console)
    if not is_control(observation.build):
        _show_instance(run.instance(observation.build, observation.scenario), console)


def describe_agreement(observation: Observation) -> str:
    """Whether the two sides' views agree, in a sentence."""
    if observation.agree is None:
        return "Client and server could not be compared: one of them has no view."
    if observation.agree:
        return "Client and server agree."
    return "Client and server DISAGREE about what was negotiated."


def _print_facts(run: RunData, observation: Observation, console: Console) -> None:
    facts: list[tuple[str, str]] = []
    image = run.run.images.get(observation.build)
    if image is not None:
        _add_image_facts(facts, observation.build, image)
    scenario = run.run.scenarios.get(observation.scenario)
    if scenario:
        facts.append(("claim", scenario.claim))
    if observation.decided_by:
        facts.append(("decided by", observation.decided_by))
    if observation.obstacles:
        facts.append(("obstacles", obstacles_text(observation)))
        _add_obstacle_settings(run, observation, facts)
        _add_grounds(run, observation, facts)
    if observation.trust:
        facts.append(("certificate", observation.trust))
    if observation.control:
        control = run.find(observation.control)
        outcome = describe_result(control) if control else "not in this run"
        facts.append(("control", f"{observation.control}: {outcome}"))
    if observation.taken_over:
        facts.append(("taken over", describe_origin(observation.taken_over)))
    if comparison := compare_with_baseline(run, observation):
        facts.append((BASELINE, comparison.sentence))
    if observation.seconds is not None:
        facts.append(("took", f"{observation.seconds * 1000:.0f} ms"))
    for line in entry_lines(facts, "  ", console.width):
        _print_line(console, line)


def _add_obstacle_settings(
    run: RunData, observation: Observation, facts: list[tuple[str, str]]
) -> None:
    """The settings that belong to each obstacle, as they are in effect."""
    by_obstacle = obstacle_settings(
        observation,
        run.instance(observation.build, observation.scenario),
        run.evidence(observation),
        run.run.images.get(observation.build),
    )
    for each in by_obstacle:
        for setting in each.settings:
            facts.append((each.obstacle, setting.text))


def _add_grounds(run: RunData, observation: Observation, facts: list[tuple[str, str]]) -> None:
    """How the obstacles are known: the permissive copies of the build."""
    grounds = (run.evidence(observation) or {}).get("grounds") or {}
    if files := grounds.get("files"):
        facts.append(("system files", ", ".join(map(str, files))))
    for cell, outcome in (grounds.get("controls") or {}).items():
        facts.append(("permissive copy", f"{cell}: {outcome}"))


def _add_image_facts(facts: list[tuple[str, str]], name: str, image: ImageInfo) -> None:
    if image.postfix:
        facts.append(("build", f"Postfix {image.postfix}, OpenSSL {image.openssl}"))
    for note in build_notes(image):
        facts.append(("warning" if note in WARNINGS else "note", f"{note}: {BUILD_NOTES[note]}"))
    for line in image_provenance(name, image).origin:
        facts.append(("made from", line))
    facts.append(("image", f"{image.reference} {image.id}"))
    if image.build_log:
        facts.append(("build log", image.build_log))


def _views_table(observation: Observation) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for title in ("", "protocol", "cipher", "bits", "group"):
        table.add_column(title)
    for side, view in (("client", observation.client_saw), ("server", observation.server_saw)):
        table.add_row(side, *map(_format_value, _view_fields(view)))
    return table


def _view_fields(view: TlsView | None) -> Iterable[str | int | None]:
    empty = view or TlsView()
    return (empty.protocol, empty.cipher, empty.bits, empty.group)


def _format_value(value: str | int | None) -> Text:
    return Text("-", "bright_black") if value is None else Text(escape_controls(str(value)))


def _show_evidence(evidence: Evidence, control: bool, console: Console) -> None:
    client = _as_mapping(evidence.get("client"))
    reply = _as_mapping(client.get("reply"))
    answer = f"{reply.get('code')} {reply.get('text')}" if reply else client.get("reply")
    logged = CONTROL_LOG if control else SENDER_LOG if "peer_log" in evidence else SERVER_LOG
    _print_block(console, "The client's error", client.get("error"))
    _print_block(console, _reply_title(reply, client), answer)
    if client:
        _print_block(console, "The client's dialogue", client.get("dialogue"), "(none)")
    _print_block(console, logged, evidence.get("log"), "(nothing)")
    _print_block(console, PEER_LOG, evidence.get("peer_log"))
    _print_block(console, "Received header of the message as delivered", evidence.get("received"))
    _print_block(console, "Notes", evidence.get("notes"))


def _reply_title(reply: Mapping[str, Any], client: Mapping[str, Any]) -> str:
    """The title of the reply: it decided if it is an error (4xx, 5xx), or accepted the message."""
    code = reply.get("code")
    is_error = isinstance(code, int) and code >= 400
    return DECIDING_REPLY if is_error or client.get("queue_id") else LAST_REPLY


def _show_instance(instance: Evidence | None, console: Console) -> None:
    if instance is None:
        _print_line(console, f"\n{NO_CONFIGURATION}", "yellow")
        return
    if instance.get("started") is False:
        _print_line(console, "\nPostfix did not start with this configuration.", "bold magenta")
    _show_check(str(instance.get("check") or ""), console)
    if instance.get("checked") is False:
        _print_line(console, f"  {NOT_CHECKED}", "yellow")
    _print_block(console, "Log of the instance's start", instance.get("startup"))
    _print_block(console, "postconf -n", instance.get("postconf_n"))
    _print_block(console, "Added by the harness", instance.get("added"))
    files = _as_mapping(instance.get("files"))
    _print_block(
        console,
        "Test files at paths that the candidate names",
        [f"{path}  {kind}" for path, kind in files.items()],
    )


def _show_check(check: str, console: Console) -> None:
    """Warnings first and marked; other lines, such as a note of an updated file, are not."""
    lines = sorted(check.splitlines(), key=lambda line: not COMPLAINT.search(line))
    _print_line(console, f"\n{CHECK}", "bold cyan")
    for line in lines or ["(nothing)"]:
        _print_indented(console, line, "bold yellow" if COMPLAINT.search(line) else "")


def _as_mapping(value: Any) -> Mapping[str, Any]:
    """An evidence file has what a driver reported; anything but an object counts as empty."""
    return value if isinstance(value, Mapping) else {}


def _print_block(console: Console, title: str, content: Any, empty: str = "") -> None:
    """Print a heading and indented lines; nothing if there are no lines and no ``empty`` text."""
    lines = content if isinstance(content, list) else str(content or "").splitlines()
    if lines or empty:
        _print_line(console, f"\n{title}", "bold cyan")
        for line in lines or [empty]:
            _print_indented(console, str(line))


def _print_indented(console: Console, text: str, style: str = "") -> None:
    """A line of a log or a file, wrapped at words with a hanging indent."""
    for part in text.splitlines() or [""]:
        for line in wrap_text(part, "  ", "      ", console.width) or [""]:
            _print_line(console, line, style)


def _print_line(console: Console, text: str, style: str = "") -> None:
    """One line as it is: a path or a cell's id may be copied."""
    console.print(Text(escape_controls(text), style), highlight=False, soft_wrap=True)
