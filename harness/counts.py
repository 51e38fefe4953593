"""Counts with their nouns, as messages have them."""

from __future__ import annotations


def format_count(number: int, noun: str) -> str:
    """``1 cell``, ``2 cells``; the noun takes an s."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
