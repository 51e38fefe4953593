"""One bad input of the campaign: how it is made, how it is given, and how it must be refused.

The campaign (``run_campaign.py``) makes each case in a folder of its own, gives it to the command
line in this process, and checks how it ends.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class CampaignCase:
    """A bad input.

    Attributes:
        id: unique in the campaign, and the same for the same seed: ``badargs/time-limit/17``.
        kind: the kind of error, by which the campaign counts: ``number``, ``scenario.toml``.
        build: makes the case's files in an empty folder, which is the current one then.
        argv: the command line without ``postfix-matrix``; it is given the same folder.
        exit_codes: those that are right.
        mentions: texts that standard error must have, which name the place of the error.
    """

    id: str
    kind: str
    build: Callable[[Path], None]
    argv: Callable[[Path], list[str]]
    exit_codes: frozenset[int]
    mentions: tuple[str, ...]
