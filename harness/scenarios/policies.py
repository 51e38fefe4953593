"""Policies: named sets of expectations that scenarios can refer to.

The tool's policies are in ``policies.toml`` in the folder of this file; a ``policies.toml`` in the
folder of a user's scenarios adds further ones, which must have other names.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.errors import FileError, FileLocation, UsageError
from harness.scenarios.expectations import (
    EXPECTED,
    SELECTORS,
    Expectation,
    ExpectationError,
    Where,
    read_expected,
    read_where,
)
from harness.tls import Offer

POLICIES = "policies.toml"
_KEYS = ("name", "about", "takes", "offers", "expect", "remedy")
_PARTS = ("says", *SELECTORS, *EXPECTED)


@dataclass(frozen=True, slots=True)
class PolicyRemedy:
    """Lines for main.cf that may make services of some TLS levels meet a policy."""

    levels: tuple[str, ...]
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """A set of expectations. ``offers`` must be measured to judge it.

    ``takes`` is "clients" if the policy needs a list of the clients to which it applies.
    """

    name: str
    about: str
    expectations: tuple[Expectation, ...]
    offers: tuple[Offer, ...] = ()
    takes: str | None = None
    remedies: tuple[PolicyRemedy, ...] = ()

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
        FileError: with file and key of the first error in one.
    """
    policies = _read_file(Path(__file__).with_name(POLICIES))
    path = folder if folder is None or folder.is_file() else folder / POLICIES
    if path is not None and path.is_file():
        for name, policy in _read_file(path).items():
            if name in policies:
                place = FileLocation(path, key=f"policy.{name}")
                what = "the tool has a policy of that name"
                raise FileError(place, what, expected="another name")
            policies[name] = policy
    return policies


def read_policy(
    value: object, where: Where, policies: Mapping[str, Policy]
) -> tuple[Expectation, ...]:
    """The expectations that ``policy = "name"`` or ``policy = {name = [clients]}`` refers to.

    Raises:
        Slip: no such policy, or a list where it takes none, or no list where it takes one.
    """
    name, clients = _parse_reference(value)
    if name not in policies:
        raise ExpectationError(
            "policy", f"there is no policy {name!r}", f"of {', '.join(policies)}"
        )
    policy = policies[name]
    if bool(policy.takes) != (clients is not None):
        form = f'{{{name} = ["GLOB", ...]}}' if policy.takes else f'"{name}"'
        raise ExpectationError("policy", f"cannot be {value!r}", form)
    return tuple(policy.expectations_within(where, clients or ()))


def _parse_reference(value: object) -> tuple[str, tuple[str, ...] | None]:
    if isinstance(value, str):
        return value, None
    if isinstance(value, dict) and len(value) == 1:
        ((name, clients),) = value.items()
        if isinstance(clients, list) and clients and all(isinstance(c, str) for c in clients):
            return str(name), tuple(clients)
    raise ExpectationError("policy", f"cannot be {value!r}", 'a name, or {name = ["GLOB", ...]}')


def _read_file(path: Path) -> dict[str, Policy]:
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(FileLocation(path), f"cannot be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise FileError(FileLocation(path), f"is not TOML: {error}") from None
    tables = data.pop("policy", [])
    if data or not isinstance(tables, list):
        key = next(iter(data), "policy")
        raise FileError(FileLocation(path, key=key), "unknown key", expected="[[policy]] tables")
    policies = (_read_table(path, table) for table in tables)
    return {policy.name: policy for policy in policies}


def _read_table(path: Path, table: Mapping[str, Any]) -> Policy:
    name = table.get("name")
    if not isinstance(name, str) or not name:
        raise FileError(
            FileLocation(path, key="policy.name"), f"cannot be {name!r}", expected="a name"
        )
    where = f"policy.{name}"
    for key in table:
        if key not in _KEYS:
            expected = f"one of {', '.join(_KEYS)}"
            raise FileError(
                FileLocation(path, key=f"{where}.{key}"), "unknown key", expected=expected
            )
    if table.get("takes") not in (None, "clients"):
        raise FileError(FileLocation(path, key=f"{where}.takes"), "unknown", expected='"clients"')
    try:
        offers = tuple(Offer.parse(text) for text in table.get("offers", ()))
        parts = tuple(_read_expect(part) for part in table.get("expect", ()))
    except UsageError as error:
        raise FileError(FileLocation(path, key=f"{where}.offers"), error.what) from None
    except ExpectationError as slip:
        key = f"{where}.expect.{slip.key}"
        raise FileError(FileLocation(path, key=key), slip.what, expected=slip.expected) from None
    if not parts:
        raise FileError(
            FileLocation(path, key=where), "it expects nothing", expected="[[policy.expect]]"
        )
    remedies = tuple(_read_remedy(path, where, remedy) for remedy in table.get("remedy", ()))
    about = str(table.get("about", name))
    return Policy(name, about, parts, offers, table.get("takes"), remedies)


def _read_remedy(path: Path, where: str, table: Mapping[str, Any]) -> PolicyRemedy:
    if set(table) != {"levels", "lines"}:
        place = FileLocation(path, key=f"{where}.remedy")
        raise FileError(place, f"has {', '.join(table)}", expected="levels and lines")
    return PolicyRemedy(tuple(table["levels"]), tuple(table["lines"]))


def _read_expect(table: Mapping[str, Any]) -> Expectation:
    for key in table:
        if key not in _PARTS:
            raise ExpectationError(key, "unknown key", f"one of {', '.join(_PARTS)}")
    expected = read_expected(table)
    if not expected:
        raise ExpectationError("expect", "expects nothing", f"one of {', '.join(EXPECTED)}")
    return Expectation(where=(read_where(table),), says=table.get("says"), **expected)
