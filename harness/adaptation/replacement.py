"""What the harness set in place of a candidate's setting, and why."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from harness.adaptation.setting_kinds import SettingKind


@dataclass(frozen=True, slots=True)
class Replacement:
    """One setting that is not applied as written.

    ``where`` is ``main.cf``, or ``master.cf: NAME`` for an entry's option or field. ``value`` is
    the candidate's, ``instead`` the value in effect, "" where the setting is left out.
    ``reason`` is one sentence. ``kind`` is machine or surroundings.
    """

    where: str
    setting: str
    value: str
    instead: str
    kind: SettingKind
    reason: str

    def to_dict(self) -> dict[str, str]:
        """The replacement as JSON values, for an instance's evidence (key ``replaced``)."""
        return {name: str(value) for name, value in asdict(self).items()}
