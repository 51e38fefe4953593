"""Which builds, scenarios, clients and offers the patterns of a command line choose."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TypeVar

from harness.catalog.builds import NO_ADDITIONS, Build, UserAdditions, all_builds, known_builds
from harness.catalog.cells import is_simulated
from harness.catalog.clients import (
    Client,
    all_clients,
    build_clients,
    find_client,
    is_build_client,
    recorded_clients,
)
from harness.catalog.peers import Peer, all_peers, has_cells_of
from harness.catalog.releases import Release
from harness.catalog.selectors import select_names, split_globs
from harness.errors import NothingSelectedError, UsageError
from harness.images.recipe import Recipe
from harness.paths import scenarios_dir
from harness.scenarios.claims import BASELINE
from harness.scenarios.scenario import (
    Scenario,
    load_scenarios,
)
from harness.tls import (
    INBOUND,
    PLAINTEXT,
    STANDARD_OFFERS,
    Offer,
    Service,
)

T = TypeVar("T")

#: What a run's client axis is chosen from.
Pool = tuple[Client | Peer, ...]


@dataclass(frozen=True, slots=True)
class Selection:
    """What the user asked for on each axis, as written."""

    builds: tuple[str, ...] = ()
    scenarios: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    clients: tuple[str, ...] = ()
    offers: tuple[str, ...] = ()


def choose_scenarios(patterns: Iterable[str], scenarios: Mapping[str, Scenario]) -> tuple[str, ...]:
    """Scenarios' ids by glob; where no glob adds, those that lie in no collection.

    As in a shell a glob does not reach into a collection: ``corpus/*`` has what lies there, and a
    whole id is enough for any.

    Raises:
        UsageError: a pattern that matches nothing.
        NothingSelectedError: none is left.
    """
    globs = split_globs(patterns)
    added = [_match_scenarios(word, scenarios) for word in globs if not word.startswith("!")]
    removed = [_match_scenarios(word[1:], scenarios) for word in globs if word.startswith("!")]
    single = {name for name, scenario in scenarios.items() if scenario.collection is None}
    left = set[str]().union(*added or [single]).difference(*removed)
    if not left:
        raise NothingSelectedError(
            f"no scenario is left by {','.join(globs)}",
            next_step="'postfix-matrix list scenarios' shows each there is",
        )
    return tuple(name for name in scenarios if name in left)


def _match_scenarios(glob: str, scenarios: Mapping[str, Scenario]) -> set[str]:
    """The ids that one glob chooses: of the top, or with a slash of a collection."""
    if glob in scenarios:
        return {glob}
    level = {
        scenario.name: scenario.id
        for scenario in scenarios.values()
        if scenario.name.count("/") == glob.count("/")
    }
    return {level[name] for name in select_names("scenario", list(level), [glob])}


def measurable_clients(user_clients: Sequence[Client] = ()) -> Pool:
    """What the client axis can have: the catalog's clients, the user's clients, and peers.

    The builds' own smtp(8) is not among them, since there are as many as there are builds.
    """
    return (*all_clients(), *user_clients, *all_peers())


def choose_clients(
    patterns: Iterable[str],
    services: Iterable[Service] = INBOUND,
    pool: Pool | None = None,
    *,
    keeps_defaults: bool = False,
) -> tuple[str, ...]:
    """Clients by glob, peers for ``outbound``; where no glob adds, those of a run that names none.

    These are the user's clients, if the pool has any, and else the catalog's default clients; with
    ``keeps_defaults`` both.
    The builds' own smtp(8) is chosen by globs that begin with its name: ``smtp-*`` has them, ``*``
    has not, since there are as many as there are builds. So are recorded clients: ``hello-*``.

    Raises:
        UsageError: a pattern that matches nothing.
        NothingSelectedError: none is left.
    """
    pool = measurable_clients() if pool is None else pool
    globs = split_globs(patterns)
    if all(word.startswith("!") for word in globs):
        has_users = any(isinstance(candidate, Client) and candidate.reference for candidate in pool)
        default_names = [
            candidate.name
            for candidate in pool
            if _is_default(candidate, has_users=has_users) or (keeps_defaults and candidate.unasked)
        ]
        globs = [
            *(name for name in default_names if any(has_cells_of(name, s) for s in services)),
            *globs,
        ]
    expanded = [name for word in globs for name in _expand_prefixed_glob(word, pool)]
    plain = [candidate.name for candidate in pool if not is_simulated(candidate.name)]
    prefixed = dict.fromkeys(name for name in expanded if _is_prefixed(name))
    chosen = select_names("client", [*plain, *prefixed], expanded)
    # "*" has the peers of outbound mail too, of which an inbound cell has none.
    return tuple(name for name in chosen if any(has_cells_of(name, s) for s in services)) or chosen


def _is_prefixed(name: str) -> bool:
    """Whether a name or glob is of clients that ``*`` does not choose: Postfix's, or recordings."""
    return is_build_client(name) or is_simulated(name)


def _expand_prefixed_glob(word: str, pool: Pool) -> list[str]:
    """A glob for prefixed clients as the names that it chooses; any other glob as it is."""
    glob = word.removeprefix("!")
    if not _is_prefixed(glob):
        return [word]
    sign = word[: len(word) - len(glob)]
    if is_simulated(glob):
        names = dict.fromkeys(
            candidate.name
            for candidate in (*pool, *recorded_clients())
            if is_simulated(candidate.name)
        )
        return [sign + name for name in select_names("recorded client", list(names), [glob])]
    known = [of_build.name for of_build in build_clients()]
    if glob not in known and "+" in glob and not any(c in glob for c in "*?["):
        known.append(find_client(glob).name)
    return [sign + name for name in select_names("client", known, [glob])]


def _is_default(candidate: Client | Peer, *, has_users: bool) -> bool:
    """Whether it is in a run that names no client; where the user brings clients, only these."""
    return (
        bool(candidate.reference)
        if has_users and isinstance(candidate, Client)
        else candidate.unasked
    )


def read_scenarios(folder: Path | None) -> dict[str, Scenario]:
    """The scenarios of a folder, or those that come with the tool.

    A folder without the scenario that others are compared with by default has the tool's.
    """
    return load_scenarios(folder or scenarios_dir(), baseline=scenarios_dir() / BASELINE)


class ScenarioFolder(Mapping[str, Scenario]):
    """The scenarios of a folder, all of them read when the first is asked for.

    Reading them takes a third of a second, which a candidate from a file need not wait for.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._read: dict[str, Scenario] | None = None

    def __getitem__(self, name: str) -> Scenario:
        return self._read_all()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read_all())

    def __len__(self) -> int:
        return len(self._read_all())

    def _read_all(self) -> dict[str, Scenario]:
        """As :func:`read_scenarios`."""
        if self._read is None:
            self._read = read_scenarios(self._folder)
        return self._read


def choose_builds(
    patterns: Iterable[str],
    additions: UserAdditions = NO_ADDITIONS,
    *,
    must_use_additions: bool = True,
) -> dict[str, Build]:
    """Builds by glob over all that are known, and any other pair by its whole id.

    Without a glob that adds: what the command line adds to the catalog, else a run's default.
    ``must_use_additions``: an addition that is not chosen is an error, as on a command line.

    Raises:
        UsageError: a glob that matches nothing, a pair that cannot be, or an addition that goes
            into no build that is chosen.
    """
    known = {build.id: build for build in known_builds(additions)}

    def defaults() -> dict[str, Build]:
        return {name: known[name] for name in _default_builds(known, additions)}

    chosen = choose_from("build", patterns, known, defaults, additions)
    if must_use_additions:
        check_used(additions, chosen.values())
    return chosen


def choose_from(
    axis: str,
    patterns: Iterable[str],
    known: Mapping[str, T],
    defaults: Callable[[], Mapping[str, T]],
    additions: UserAdditions,
) -> dict[str, T | Build]:
    """What patterns choose of what is known, and any pair that is not by its whole id.

    ``defaults`` gives what there is to begin with where no pattern adds.

    Raises:
        UsageError: a glob that matches nothing, or a pair that cannot be.
    """
    globs = split_globs(patterns)
    pool: dict[str, T | Build] = {**known}
    if all(word.startswith("!") for word in globs):
        pool = {**defaults()}
    for word in globs:
        if "+" in word and word not in pool and not any(c in word for c in "*?[!"):
            pool[word] = Build.parse(word, additions)
    available = [name for name, item in pool.items() if _is_offered(item, globs)]
    return {name: pool[name] for name in select_names(axis, available, globs)}


def _is_offered(item: object, globs: Iterable[str]) -> bool:
    """Whether globs choose from it: ``ubuntu-*`` has only the distributions' own pairs.

    A distribution on another OpenSSL is chosen by a pattern with a "+": ``ubuntu-16.04+*``.
    """
    if not (isinstance(item, Build) and item.replaces_openssl):
        return True
    return any("+" in glob and fnmatchcase(item.id, glob) for glob in globs)


def check_used(additions: UserAdditions, chosen: Iterable[Build | Recipe]) -> None:
    """Refuse an addition that nothing of what was chosen is made from: its silence would mislead.

    Raises:
        UsageError: one is not used; the message names it.
    """
    used = {name for item in chosen for name in _find_additions(item)}
    idle = [name for name in (*additions.releases, *additions.images) if name not in used]
    if idle:
        raise UsageError(
            f"nothing that was chosen is made from {' or '.join(idle)}",
            cause="other builds were named than those that --source or --image adds to",
            next_step="name a build that it goes into, such as postfix-3.1.0+openssl-1.0.2h, or "
            "leave the option out",
        )


def _find_additions(item: Build | Recipe) -> set[str]:
    """The additions that it is, or is made from, by name."""
    if isinstance(item, Recipe):
        sources = {of.id for of in item.sources.values() if of.unverified}
        return sources.union(*(_find_additions(parent) for parent in item.parents.values()))
    of = (item.postfix, item.openssl.of if item.openssl else None)
    return {item.id} | {each.id for each in of if isinstance(each, Release) and each.unverified}


def _default_builds(known: Mapping[str, Build], additions: UserAdditions) -> list[str]:
    """The builds of a command that names none."""
    added = [build.id for build in known.values() if build.unverified or build.reference]
    if additions.releases and not any(known[name].unverified for name in added):
        raise UsageError(
            f"no build that the catalog lists is made from {' or '.join(additions.releases)}",
            next_step="name one, such as -b postfix-3.1.0+openssl-1.0.2h",
        )
    return added or [build.id for build in all_builds()]


def choose_offers(patterns: Iterable[str]) -> tuple[Offer, ...]:
    """The offers that patterns choose, ranges and plaintext as they are written."""
    globs = split_globs(patterns)
    ranges = [Offer.parse(word) for word in globs if ".." in word or "+" in word]
    standard = [str(offer) for offer in STANDARD_OFFERS]
    names = [*standard, *(str(offer) for offer in ranges if str(offer) not in standard)]
    # Asked for by its name only: a glob is about what is offered.
    names += [PLAINTEXT] if PLAINTEXT in globs else []
    # As written an offer may be another spelling of itself.
    globs = [str(Offer.parse(word)) if ".." in word or "+" in word else word for word in globs]
    return tuple(Offer.parse(name) for name in select_names("offer", names, globs or standard))
