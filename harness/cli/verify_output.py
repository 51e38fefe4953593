"""Prints the answers of ``verify`` in the form that ``--format`` names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.cli.ci_output import CI_FORMS, GITHUB, as_text, print_annotations
from harness.cli.output_forms import JSON, MARKDOWN, TEXT
from harness.cli.printing import print_json, print_text
from harness.observations.run_folder import RunData
from harness.reports.step_summary import verify_summary
from harness.reports.verify_annotations import Locate, verify_annotations
from harness.reports.verify_json import verification_data
from harness.reports.verify_markdown import verification_markdown
from harness.reports.verify_remedy import TriedRemedy
from harness.reports.verify_text import remedy_lines, verification_text
from harness.scenarios.policies import Policy
from harness.scenarios.scenario import Scenario
from harness.verdicts.policy_answers import ServiceAnswer


@dataclass(frozen=True, slots=True)
class AnswerOutput:
    """Prints the answers on a candidate in one form; ``named`` are the policies as written."""

    candidate: Scenario
    policies: tuple[Policy, ...]
    named: tuple[str, ...]
    form: str
    verbose: bool

    def print_answer(self, data: RunData, answers: Sequence[ServiceAnswer]) -> None:
        """Print what a reader of text needs at once."""
        if self.form not in (TEXT, GITHUB):
            return
        with as_text(self.form):
            print_text(verification_text(data, self.candidate.id, answers, verbose=self.verbose))

    def print_rest(
        self,
        data: RunData,
        answers: Sequence[ServiceAnswer],
        remedy: TriedRemedy | None,
        locate: Locate,
    ) -> None:
        """Print the remedy, or all where the form is no text."""
        scenario = self.candidate.id
        if self.form == JSON:
            document = verification_data(data, scenario, answers, self.named, remedy)
            print_json(document)
        elif self.form == MARKDOWN:
            print_text(verification_markdown(data, scenario, answers, remedy, verbose=self.verbose))
        elif self.form in (TEXT, GITHUB) and remedy is not None:
            self._print_remedy(remedy, answers)
        if self.form in CI_FORMS:
            annotations = verify_annotations(
                data, self.candidate, answers, self.policies, locate, remedy
            )
            print_annotations(
                list(annotations),
                self.form,
                lambda most: verify_summary(data, scenario, answers, self.named, most, remedy),
            )

    def _print_remedy(self, remedy: TriedRemedy, answers: Sequence[ServiceAnswer]) -> None:
        if lines := list(remedy_lines(remedy, answers)):
            with as_text(self.form):
                print_text("\n".join(["", *lines]))
