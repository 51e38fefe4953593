"""Badges: the form that shields.io reads, and an SVG of our own."""

from __future__ import annotations

import json
from xml.sax.saxutils import escape

from harness.plain_text import escape_controls
from harness.site.titles import VERDICT_SIGNS
from harness.verdicts.verdict import Verdict

#: Colours with a contrast of at least 4.5 to white text.
_COLOURS = {
    Verdict.CONFIRMED: "#1a7f37", Verdict.REFUTED: "#b42318", Verdict.HARMFUL: "#8f1d14",
    Verdict.DEPENDS: "#8a5a00", Verdict.NO_EFFECT: "#57606a",
}  # fmt: skip
_NEUTRAL, _LABEL = "#57606a", "#24292f"
#: Width of a character in DejaVu Sans at 11 pixels, rounded up, and the margin of a text (pixels).
_CHARACTER, _MARGIN = 7, 10
_LONGEST = 40


def badge_data(name: str, verdict: Verdict | None) -> str:
    """The endpoint's JSON (shields.io, "Endpoint badge")."""
    data = {
        "schemaVersion": 1,
        "label": _shorten_label(name),
        "message": _verdict_word(verdict),
        "color": _verdict_colour(verdict).lstrip("#"),
    }
    return json.dumps(data, ensure_ascii=False) + "\n"


def badge_svg(name: str, verdict: Verdict | None) -> str:
    """The same as a picture with text."""
    label, message = escape(_shorten_label(name)), escape(_verdict_word(verdict))
    left, right = (
        _CHARACTER * len(text) + 2 * _MARGIN
        for text in (_shorten_label(name), _verdict_word(verdict))
    )
    width = left + right
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="20" role="img" '
        f'aria-label="{_escape_attribute(label)}: {_escape_attribute(message)}">'
        f"<title>{label}: {message}</title>"
        f'<rect width="{left}" height="20" fill="{_LABEL}"/>'
        f'<rect x="{left}" width="{right}" height="20" fill="{_verdict_colour(verdict)}"/>'
        '<g fill="#fff" text-anchor="middle" font-family="DejaVu Sans,Verdana,sans-serif" '
        f'font-size="11"><text x="{left // 2}" y="14">{label}</text>'
        f'<text x="{left + right // 2}" y="14">{message}</text></g></svg>\n'
    )


def _shorten_label(name: str) -> str:
    text = " ".join(escape_controls(name).split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _verdict_word(verdict: Verdict | None) -> str:
    return "not judged" if verdict is None else VERDICT_SIGNS[verdict][1]


def _verdict_colour(verdict: Verdict | None) -> str:
    return _NEUTRAL if verdict is None else _COLOURS.get(verdict, _NEUTRAL)


def _escape_attribute(escaped: str) -> str:
    return escaped.replace('"', "&quot;")
