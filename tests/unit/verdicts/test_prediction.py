"""Real cells compared with what the recorded hellos of their clients predict."""

from __future__ import annotations

from harness.observations.record import Observation, Outcome, Stage, TlsView
from harness.verdicts.prediction import compare_predictions


def make_cell(client: str, outcome: Outcome, view: TlsView | None = None) -> Observation:
    """A cell of one client on one server."""
    stage = Stage.HANDSHAKE if outcome in (Outcome.REFUSED, Outcome.WOULD_BE_REFUSED) else None
    cell = f"debian-12/defaults/smtp/{client}/default"
    return Observation(cell, "debian-12", "defaults", "sha256:0", "smtp", client, "default",
                       outcome, stage, client_saw=view)  # fmt: skip


OLD, NEW = TlsView("TLSv1", "AES128-SHA"), TlsView("TLSv1.2", "AES128-SHA")


def test_a_hit_needs_the_same_protocol_and_cipher() -> None:
    """Protects the figure: a prediction of another version, or of a refusal, is a miss."""
    figures = compare_predictions([
        make_cell("a", Outcome.ACCEPTED, NEW),
        make_cell("hello-recorded-a", Outcome.WOULD_NEGOTIATE, NEW),
        make_cell("b", Outcome.ACCEPTED, OLD),
        make_cell("hello-recorded-b", Outcome.WOULD_NEGOTIATE, NEW),
        make_cell("c", Outcome.REFUSED),
        make_cell("hello-recorded-c", Outcome.WOULD_NEGOTIATE, NEW),
        make_cell("d", Outcome.REFUSED),
        make_cell("hello-recorded-d", Outcome.WOULD_BE_REFUSED),
    ])  # fmt: skip
    assert figures.compared == 4
    assert [(missed.cell.split("/")[3], missed.predicted) for missed in figures.missed] == [
        ("b", "TLSv1.2 AES128-SHA"), ("c", "TLSv1.2 AES128-SHA"),
    ]  # fmt: skip
    assert figures.share == 0.5


def test_what_shows_nothing_is_not_counted() -> None:
    """Protects the figure from time-outs, and from recordings whose client was not measured."""
    figures = compare_predictions([
        make_cell("a", Outcome.TIMEOUT),
        make_cell("hello-recorded-a", Outcome.WOULD_NEGOTIATE, NEW),
        make_cell("hello-recorded-b", Outcome.WOULD_NEGOTIATE, NEW),
        make_cell("hello-outlook-win7", Outcome.WOULD_NEGOTIATE, NEW),
    ])  # fmt: skip
    assert (figures.compared, figures.silent) == (0, 1)
