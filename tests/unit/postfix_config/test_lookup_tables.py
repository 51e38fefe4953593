"""Lookup tables in settings: which stay, and what replaces the others."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.postfix_config.lookup_tables import (
    TableContext,
    TableUse,
    replace_database,
    replace_tables,
    scan_elements,
)

DEBIAN = frozenset({"btree", "cidr", "hash", "inline", "regexp", "static", "texthash", "unix"})
EMPTY = "regexp:/i/etc/empty"
UNDECIDED = f"check_client_access,{EMPTY}"


def replaced(
    name: str,
    value: str,
    files: tuple[str, ...] = (),
    main: dict[str, str] | None = None,
    types: frozenset[str] = DEBIAN,
) -> str:
    """A value with stand-ins, on a build with Debian 12's table types."""
    context = TableContext(types, files, main or {}, "/i/etc")
    return replace_tables(name, value, context, TableUse())


@pytest.mark.parametrize(
    ("name", "value", "after"),
    [
        ("virtual_alias_maps", "hash:/etc/postfix/virtual", EMPTY),
        ("virtual_alias_maps", "proxy:mysql:/etc/postfix/a.cf, ldap:x", f"{EMPTY}, {EMPTY}"),
        ("relay_domains", "$mydestination proxy:mysql:/a.cf", f"$mydestination {EMPTY}"),
        ("virtual_uid_maps", "static:5000", "static:5000"),
        ("local_recipient_maps", "proxy:unix:passwd.byname $alias_maps", None),
        ("transport_maps", "pipemap:{hash:/a, inline:{b=c}}", EMPTY),
        ("header_checks", "pcre:/etc/postfix/header_checks.pcre", EMPTY),
        ("smtpd_sender_restrictions", "check_sender_access hash:/a, reject", None),
        ("smtpd_data_restrictions", "check_policy_service unix:private/spf", UNDECIDED),
        ("smtpd_data_restrictions", "permit,check_policy_service,inet:a:1,reject", None),
        ("greylisting", "check_policy_service { inet:a:1, timeout=3s }", UNDECIDED),
        ("smtpd_recipient_restrictions", "reject_unverified_recipient, permit", None),
        ("mydestination", "/etc/postfix/vhosts, localhost", ", localhost"),
        ("smtpd_banner", "$myhostname ESMTP", "$myhostname ESMTP"),
    ],
)
def test_what_was_not_given_is_empty_and_what_needs_nothing_stays(
    name: str, value: str, after: str | None
) -> None:
    """An unavailable table must not stop Postfix; one that needs no other system stays."""
    result = replaced(name, value)
    if after is not None:
        assert result == after
    else:
        expected = {
            "local_recipient_maps": value,
            "smtpd_sender_restrictions": f"check_sender_access {EMPTY}, reject",
            "smtpd_data_restrictions": f"permit,{UNDECIDED},reject",
            "smtpd_recipient_restrictions": f"{UNDECIDED}, permit",
        }
        assert result == expected[name]


def test_a_given_table_is_used_at_its_path() -> None:
    """A given table decides as on the user's machine, and is compiled at its path."""
    context = TableContext(DEBIAN, ("/srv/tables/a",), {}, "/i/etc")
    use = TableUse()
    value = replace_tables("smtpd_client_restrictions", "check_client_access hash:/srv/tables/a",
                           context, use)  # fmt: skip
    assert value == "check_client_access hash:/srv/tables/a"
    assert [(t.name, str(t.compiler)) for t in use.given.values()] == [
        ("hash:/srv/tables/a", "postmap")
    ]


@pytest.mark.parametrize("path", ["/etc/postfix/a", "$config_directory/a", "${config_directory}/a"])
def test_a_file_in_the_folder_of_main_cf_is_in_the_instances_folder(path: str) -> None:
    """Each instance has its own folder, and a user's /etc/postfix is not the container's."""
    files = ("config_directory/a",)
    after = replaced("smtpd_sender_login_maps", f"texthash:{path}", files)
    kept = path.startswith("$")
    assert after == (f"texthash:{path}" if kept else "texthash:/i/etc/a")


@pytest.mark.parametrize(
    ("value", "after"),
    [
        ("lmdb:/a", "texthash:/a"),
        ("cdb:/a", "texthash:/a"),
        ("pcre:/a", EMPTY),
        ("mysql:/a", EMPTY),
        ("proxy:hash:/a", "hash:/a"),
    ],
)
def test_a_given_table_of_a_type_that_the_build_does_not_have(value: str, after: str) -> None:
    """Its text is read as another type of the same form; without one the table is empty."""
    assert replaced("canonical_maps", value, ("/a",)) == after


def test_a_macro_that_stands_for_a_type_is_followed() -> None:
    """Mailu names its tables ${podop}alias."""
    main = {"podop": "socketmap:unix:/tmp/podop.socket:"}
    assert replaced("virtual_alias_maps", "${podop}alias", main=main) == EMPTY


@pytest.mark.parametrize("value", ["a, mysql:/etc/pos$", "mysql:/x ${y", "hash:/a $ b"])
def test_what_postfix_itself_cannot_read_stays_whole(value: str) -> None:
    """Postfix's error for such a line is the result: macro processing error."""
    assert replaced("smtpd_helo_restrictions", value) == value


@pytest.mark.parametrize(
    ("value", "after"),
    [
        ("btree:${data_directory}/smtpd_scache", "btree:${data_directory}/smtpd_scache"),
        ("btree:/var/lib/postfix/smtpd_scache", "btree:${data_directory}/smtpd_scache"),
        ("lmdb:/dev/shm/postfix/scache", "btree:${data_directory}/scache"),
        ("proxy:btree:$data_directory/cache", "proxy:btree:$data_directory/cache"),
        ("memcache:/etc/postfix/m.cf", "btree:${data_directory}/m.cf"),
        ("", ""),
    ],
)
def test_a_database_of_postfix_is_of_a_type_and_place_that_are_here(value: str, after: str) -> None:
    """A cache on a path that does not exist kills tlsmgr(8), and TLS with it."""
    assert replace_database(value, DEBIAN) == after


def test_a_build_without_databases_has_no_cache() -> None:
    """Builds made without Berkeley DB have none of the writable types."""
    assert replace_database("btree:$data_directory/x", frozenset({"regexp"})) == ""


@given(st.text(st.sampled_from("ab:/,{} \n$"), max_size=40))
def test_elements_cover_all_but_separators(value: str) -> None:
    """Nothing of a value may be lost between its elements."""
    spans = list(scan_elements(value))
    inside = {at for start, end in spans for at in range(start, end)}
    assert all(value[at] in " \t\r\n," for at in range(len(value)) if at not in inside)
    assert all(start < end for start, end in spans)


@given(st.text(st.sampled_from("ab:/,{} $()=hash"), max_size=40))
def test_a_value_without_tables_and_services_stays(value: str) -> None:
    """Only what needs something unavailable is changed."""
    if ":" not in value:
        assert replaced("smtpd_client_restrictions", value) == value
