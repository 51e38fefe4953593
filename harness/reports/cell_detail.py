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
from harness.observations.run_folder import (
    Evidence,
    ImageInfo,
    RunData,
)
from harness.reports.differences import beside_baseline
from harness.reports.grid import BASELINE
from harness.reports.labels import (
    BUILD_NOTES,
    CHECK,
    COMPLAINT,
    CONTROL_LOG,
    DECIDING_REPLY,
    LAST_REPLY,
    PEER_LOG,
    SENDER_LOG,
    SERVER_LOG,
    SIGNS,
    WARNINGS,
    build_note,
    build_notes,
    in_the_way,
    sentence,
)
from harness.reports.plain_text import plain
from harness.reports.provenance import provenance


def show_cell(run: RunData, observation: Observation, console: Console) -> None:
    """Print what is known about one cell: both sides' views, their words, the configuration."""
    evidence = run.evidence(observation)
    sign = SIGNS[observation.outcome]
    note = build_note(run.run.images.get(observation.build))
    _line(console, observation.cell + (f" ({note})" if note else ""), "bold")
    _line(console, f"{sign.glyph} {sentence(observation)}", "bold")
    _facts(run, observation, console)
    console.print(Padding(_views(observation), (1, 0, 0, 2), expand=False))
    _line(console, agreement(observation), "bold red" if observation.agree is False else "")
    if evidence is None:
        _line(console, f"No evidence file could be read at {observation.evidence}.", "yellow")
    else:
        _show_evidence(evidence, is_control(observation.build), console)
    if not is_control(observation.build):
        _show_instance(run.instance(observation.build, observation.scenario), console)


def agreement(observation: Observation) -> str:
    """Whether the two sides' views agree, in a sentence."""
    if observation.agree is None:
        return "Client and server could not be compared: one of them has no view."
    if observation.agree:
        return "Client and server agree."
    return "Client and server DISAGREE about what was negotiated."


def _facts(run: RunData, observation: Observation, console: Console) -> None:
    facts = Table.grid(padding=(0, 2))
    image = run.run.images.get(observation.build)
    if image is not None:
        _image_facts(facts, observation.build, image)
    scenario = run.run.scenarios.get(observation.scenario)
    if scenario:
        facts.add_row("claim", Text(plain(scenario.claim)))
    if observation.decided_by:
        facts.add_row("decided by", Text(plain(observation.decided_by)))
    if observation.obstacles:
        facts.add_row("in the way", Text(plain(in_the_way(observation))))
        _grounds_facts(run, observation, facts)
    if observation.trust:
        facts.add_row("certificate", Text(observation.trust))
    if observation.control:
        control = run.find(observation.control)
        outcome = sentence(control) if control else "not in this run"
        facts.add_row("control", Text(plain(f"{observation.control}: {outcome}")))
    if beside := beside_baseline(run, observation):
        facts.add_row(BASELINE, Text(plain(beside.sentence)))
    if observation.seconds is not None:
        facts.add_row("took", f"{observation.seconds * 1000:.0f} ms")
    console.print(Padding(facts, (0, 0, 0, 2), expand=False))


def _grounds_facts(run: RunData, observation: Observation, facts: Table) -> None:
    """What tells so: the list in effect, and the build's own controls."""
    grounds = (run.evidence(observation) or {}).get("grounds") or {}
    if its_list := grounds.get("list"):
        facts.add_row("its list", Text(plain(str(its_list))))
    if files := grounds.get("files"):
        facts.add_row("its files", Text(plain(", ".join(map(str, files)))))
    for cell, outcome in (grounds.get("controls") or {}).items():
        facts.add_row("own control", Text(plain(f"{cell}: {outcome}")))


def _image_facts(facts: Table, name: str, image: ImageInfo) -> None:
    if image.postfix:
        facts.add_row("build", Text(plain(f"Postfix {image.postfix}, OpenSSL {image.openssl}")))
    for note in build_notes(image):
        style = "bold yellow" if note in WARNINGS else "bold"
        facts.add_row("", Text.assemble((note, style), f": {BUILD_NOTES[note]}"))
    for line in provenance(name, image).whence:
        facts.add_row("made from", Text(plain(line)))
    facts.add_row("image", Text(plain(f"{image.reference} {image.id}")))
    if image.build_log:
        facts.add_row("build log", Text(plain(image.build_log)))


def _views(observation: Observation) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for title in ("", "protocol", "cipher", "bits", "group"):
        table.add_column(title)
    for side, view in (("client", observation.client_saw), ("server", observation.server_saw)):
        table.add_row(side, *map(_word, _fields(view)))
    return table


def _fields(view: TlsView | None) -> Iterable[str | int | None]:
    empty = view or TlsView()
    return (empty.protocol, empty.cipher, empty.bits, empty.group)


def _word(value: str | int | None) -> Text:
    return Text("-", "bright_black") if value is None else Text(plain(str(value)))


def _show_evidence(evidence: Evidence, control: bool, console: Console) -> None:
    client = _mapping(evidence.get("client"))
    reply = _mapping(client.get("reply"))
    answer = f"{reply.get('code')} {reply.get('text')}" if reply else client.get("reply")
    logged = CONTROL_LOG if control else SENDER_LOG if "peer_log" in evidence else SERVER_LOG
    _block(console, "The client's error", client.get("error"))
    _block(console, _reply_title(reply, client), answer)
    if client:
        _block(console, "The client's dialogue", client.get("dialogue"), "(none)")
    _block(console, logged, evidence.get("log"), "(nothing)")
    _block(console, PEER_LOG, evidence.get("peer_log"))
    _block(console, "Received header of the message as delivered", evidence.get("received"))
    _block(console, "Notes", evidence.get("notes"))


def _reply_title(reply: Mapping[str, Any], client: Mapping[str, Any]) -> str:
    """A reply decided where it said no (4xx, 5xx), or where it took the message."""
    code = reply.get("code")
    no = isinstance(code, int) and code >= 400
    return DECIDING_REPLY if no or client.get("queue_id") else LAST_REPLY


def _show_instance(instance: Evidence | None, console: Console) -> None:
    if instance is None:
        _line(console, "\nNo evidence of the Postfix instance in this run.", "bright_black")
        return
    if instance.get("started") is False:
        _line(console, "\nPostfix did not start with this configuration.", "bold magenta")
    _show_check(str(instance.get("check") or ""), console)
    _block(console, "Log of the instance's start", instance.get("startup"))
    _block(console, "postconf -n", instance.get("postconf_n"))
    _block(console, "Added by the harness, and that only", instance.get("added"))
    files = _mapping(instance.get("files"))
    _block(console, "Test files it put at paths the candidate names",
           [f"{path}  {kind}" for path, kind in files.items()])  # fmt: skip


def _show_check(check: str, console: Console) -> None:
    """Complaints first and marked; the rest, such as a note of an updated file, is no warning."""
    lines = sorted(check.splitlines(), key=lambda line: not COMPLAINT.search(line))
    _line(console, f"\n{CHECK}", "bold cyan")
    for line in lines or ["(nothing)"]:
        style = "bold yellow" if COMPLAINT.search(line) else ""
        console.print(Padding(Text(plain(line), style), (0, 0, 0, 2), expand=False))


def _mapping(value: Any) -> Mapping[str, Any]:
    """An evidence file holds what a driver said; where that is no object, it is taken for none."""
    return value if isinstance(value, Mapping) else {}


def _block(console: Console, title: str, words: Any, empty: str = "") -> None:
    """A heading and indented lines; left out if there is nothing and no word for nothing."""
    lines = words if isinstance(words, list) else str(words or "").splitlines()
    text = "\n".join(plain(str(line)) for line in lines) or empty
    if text:
        _line(console, f"\n{title}", "bold cyan")
        console.print(Padding(Text(text), (0, 0, 0, 2), expand=False))


def _line(console: Console, text: str, style: str = "") -> None:
    console.print(Text(plain(text), style), highlight=False)
