"""The result of one cell, as a test compares it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.observations.record import Observation
from harness.observations.run_folder import read_evidence
from harness.pytest_plugin.engine_requests import CellAnswer
from harness.pytest_plugin.not_measured import NotMeasured
from harness.pytest_plugin.protocol_facts import describe_ending
from harness.reports.evidence_command import evidence_command
from harness.verdicts.observation_diff import INCONCLUSIVE, cipher_of, group_of, protocol_of


@dataclass(frozen=True, slots=True, repr=False)
class CellResult:
    """What happened between a client and a service.

    ``observation`` is the record of it, whatever it shows. The other properties raise
    :class:`NotMeasured` where it shows nothing about the server: a time-out, a failure of the
    harness, a client that cannot make the offer, or two sides that disagree.
    """

    observation: Observation
    folder: Path

    @classmethod
    def of(cls, answer: CellAnswer, folder: Path) -> CellResult:
        """The result of a cell.

        Raises:
            NotMeasured: it has no observation.
        """
        if answer.observation is None:
            raise NotMeasured(f"{answer.cell} was not measured: {answer.why}")
        return cls(answer.observation, folder)

    def __repr__(self) -> str:
        return f"<{self.observation.cell}: {describe_ending(self.observation)}>"

    @property
    def outcome(self) -> str:
        """``accepted``, ``plaintext``, ``refused``, ``not-offered``, ``config-rejected``, …"""
        return str(self._check_conclusive().outcome)

    @property
    def reason(self) -> str | None:
        """The cause of a refusal by one name, such as ``protocol-version``; None if accepted."""
        return self._check_conclusive().reason

    @property
    def stage(self) -> str | None:
        """Where in the dialogue it ended, such as ``handshake``; None if accepted."""
        stage = self._check_conclusive().stage
        return None if stage is None else str(stage)

    @property
    def protocol(self) -> str | None:
        """The TLS version that was negotiated; None where there was none."""
        return protocol_of(self._check_conclusive())

    @property
    def cipher(self) -> str | None:
        """The cipher suite that was negotiated, by OpenSSL's name."""
        return cipher_of(self._check_conclusive())

    @property
    def group(self) -> str | None:
        """The group of the key exchange, in small letters; None where neither side reports it."""
        return group_of(self._check_conclusive())

    @property
    def log(self) -> tuple[str, ...]:
        """What Postfix logged of the connection."""
        evidence = read_evidence(self.folder, self.observation) or {}
        return tuple(str(line) for line in evidence.get("log") or ())

    @property
    def evidence(self) -> str:
        """The command that shows all that is known of the cell."""
        return evidence_command(self.folder, self.observation.cell)

    def _check_conclusive(self) -> Observation:
        if self.observation.outcome in INCONCLUSIVE or self.observation.agree is False:
            ending = describe_ending(self.observation)
            if self.observation.agree is False:
                ending = "client and server disagree on what was negotiated"
            raise NotMeasured(
                f"{self.observation.cell} shows nothing about the server: {ending}",
                next_step=self.evidence,
            )
        return self.observation
