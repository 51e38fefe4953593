"""Policies: named sets of expectations that scenarios can refer to.

The tool's policies are in ``policies.toml`` in the folder of this file; a ``policies.toml`` in the
folder of a user's scenarios adds further ones, which must have other names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.data_models import show_value, suggest
from harness.errors import FileError, FileLocation
from harness.input_files import MOST_WRITTEN_BYTES, is_there, read_text_file
from harness.scenarios.expectation_tables import ExpectationError
from harness.scenarios.expectations import Expectation, Where
from harness.tls import Offer

POLICIES = "policies.toml"


@dataclass(frozen=True, slots=True)
class PolicyRemedy:
    """Lines for main.cf that may make services of some TLS levels meet a policy."""

    levels: tuple[str, ...]
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """A set of expectations. ``offers`` must be measured to judge it.

    ``takes`` is "clients" if the policy needs a list of the clients to which it applies. ``line``
    is that of its table.
    """

    name: str
    about: str
    expectations: tuple[Expectation, ...]
    offers: tuple[Offer, ...] = ()
    takes: str | None = None
    remedies: tuple[PolicyRemedy, ...] = ()
    line: int | None = field(default=None, compare=False)

    def remedy(self, level: str) -> tuple[str, ...]:
        """The lines to try for a service of a level; empty if there are none."""
        return tuple(
            line for remedy in self.remedies if level in remedy.levels for line in remedy.lines
        )

    def expectations_within(
        self, where: Where, clients: tuple[str, ...] = ()
    ) -> Iterator[Expectation]:
        """Its expectations, restricted by selectors, and by these clients if it takes any."""
        taken = (Where(clients=clients),) if clients else ()
        outer = () if where == Where() else (where,)
        for expectation in self.expectations:
            says = f"{', '.join(clients)}: {self.about}" if clients else expectation.says
            yield replace(
                expectation, where=(*outer, *taken, *expectation.where), policy=self.name, says=says
            )


def load_policies(folder: Path | None = None) -> dict[str, Policy]:
    """The tool's policies by name, and those of a folder's ``policies.toml`` if it has one.

    ``folder`` may be the file itself.

    Raises:
        FileError: there is one error in a file.
        FileErrors: with all errors in one, each with line and key.
    """
    policies = _read_file(Path(__file__).with_name(POLICIES))
    path = folder if folder is None or folder.suffix == ".toml" else folder / POLICIES
    if path is not None and is_there(path):
        for name, policy in _read_file(path).items():
            if name in policies:
                place = FileLocation(path, policy.line, f"policy.{name}")
                what = "the tool has a policy of that name"
                raise FileError(place, what, expected="another name")
            policies[name] = policy
    return policies


def read_policy(
    value: object, where: Where, policies: Mapping[str, Policy]
) -> tuple[Expectation, ...]:
    """The expectations that ``policy = "name"`` or ``policy = {name = [clients]}`` refers to.

    Raises:
        ExpectationError: no such policy, or a list where it takes none, or no list where it takes
            one.
    """
    name, clients = _parse_reference(value)
    if name not in policies:
        raise ExpectationError(
            "policy", f"there is no policy {show_value(name)}", suggest(name, policies)
        )
    policy = policies[name]
    if bool(policy.takes) != (clients is not None):
        form = f'{{{name} = ["GLOB", ...]}}' if policy.takes else f'"{name}"'
        raise ExpectationError("policy", f"cannot be {show_value(value)}", form)
    return tuple(policy.expectations_within(where, clients or ()))


def _parse_reference(value: object) -> tuple[str, tuple[str, ...] | None]:
    if isinstance(value, str):
        return value, None
    if isinstance(value, dict) and len(value) == 1:
        ((name, clients),) = value.items()
        if isinstance(clients, list) and clients and all(isinstance(c, str) for c in clients):
            return str(name), tuple(clients)
    raise ExpectationError(
        "policy", f"cannot be {show_value(value)}", 'a name, or {name = ["GLOB", ...]}'
    )


def _read_file(path: Path) -> dict[str, Policy]:
    """The policies of a file by name.

    Raises:
        FileErrors: with all errors in it, each with line and key.
    """
    # What checks it takes a third of a second to load.
    from harness.scenarios.policy_file import parse_policies

    return parse_policies(read_text_file(path, most=MOST_WRITTEN_BYTES), path)
