"""Checks Atom feeds against RFC 4287: structure by a RELAX NG grammar, the rest by its text.

PyPI and npm have no validator of Atom that is kept, so the grammar says in its own words what
sections 3 and 4 require of the elements that a feed here may have. It is stricter than the RFC: an
element that these feeds do not need is an error.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from lxml import etree  # type: ignore[import-untyped]

_NAMES = {"a": "http://www.w3.org/2005/Atom"}
#: Elements without an end tag in HTML.
_VOID = frozenset(("br", "hr", "img", "wbr"))
#: Sections 3.1 to 3.3 and 4.1 to 4.2; the order of elements is free (section 4.1.1).
_GRAMMAR = """
<grammar xmlns="http://relaxng.org/ns/structure/1.0" ns="http://www.w3.org/2005/Atom"
    datatypeLibrary="http://www.w3.org/2001/XMLSchema-datatypes">
  <start><element name="feed"><optional><attribute name="xml:lang"/></optional><interleave>
    <ref name="head"/>
    <oneOrMore><element name="author"><ref name="person"/></element></oneOrMore>
    <optional><element name="generator"><optional><attribute name="uri"/></optional>
      <optional><attribute name="version"/></optional><ref name="filled"/></element></optional>
    <optional><element name="rights"><ref name="text"/></element></optional>
    <optional><element name="subtitle"><ref name="text"/></element></optional>
    <zeroOrMore><ref name="entry"/></zeroOrMore>
  </interleave></element></start>
  <define name="entry"><element name="entry"><interleave>
    <ref name="head"/>
    <optional><element name="published"><data type="dateTime"/></element></optional>
    <optional><element name="content"><ref name="text"/></element></optional>
    <optional><element name="summary"><ref name="text"/></element></optional>
    <zeroOrMore><element name="author"><ref name="person"/></element></zeroOrMore>
  </interleave></element></define>
  <define name="head"><interleave>
    <element name="id"><data type="anyURI"><param name="minLength">1</param></data></element>
    <element name="title"><ref name="text"/></element>
    <element name="updated"><data type="dateTime"/></element>
    <oneOrMore><element name="link">
      <attribute name="href"><data type="anyURI"/></attribute>
      <optional><attribute name="rel"/></optional><optional><attribute name="type"/></optional>
      <optional><attribute name="title"/></optional><empty/></element></oneOrMore>
  </interleave></define>
  <define name="person"><interleave>
    <element name="name"><ref name="filled"/></element>
    <optional><element name="uri"><data type="anyURI"/></element></optional>
    <optional><element name="email"><ref name="filled"/></element></optional>
  </interleave></define>
  <define name="text">
    <optional><attribute name="type"><choice><value>text</value><value>html</value></choice>
    </attribute></optional><ref name="filled"/></define>
  <define name="filled"><data type="string"><param name="minLength">1</param></data></define>
</grammar>
"""


def find_feed_faults(path: Path, address: str) -> Iterator[str]:
    """What is wrong with a feed; ``address`` is where it is."""
    feed = etree.parse(str(path)).getroot()
    if not _grammar().validate(feed):
        yield from (str(error) for error in _grammar().error_log)
        return
    yield from _check_ids(feed)
    yield from _check_links(feed, address)
    yield from _check_times(feed)
    for content in feed.iterfind("a:entry/a:content", _NAMES):
        if fault := _find_html_fault(content.text or ""):
            yield f"content is no HTML: {fault}"


@cache
def _grammar() -> Any:
    return etree.RelaxNG(etree.fromstring(_GRAMMAR))


def _check_ids(feed: Any) -> Iterator[str]:
    """An id is an absolute IRI, and that of one entry alone (sections 4.1.1 and 4.2.6)."""
    ids = [node.text for node in feed.iterfind(".//a:id", _NAMES)]
    yield from (f"id is no absolute IRI: {id_}" for id_ in ids if not urlsplit(id_).scheme)
    yield from (f"id twice: {id_}" for id_, count in Counter(ids).items() if count > 1)


def _check_links(feed: Any, address: str) -> Iterator[str]:
    """A feed names itself and, of each kind and type, one alternate (section 4.1.1)."""
    links = [(node.get("rel", "alternate"), node.get("href")) for node in _list(feed, "a:link")]
    if [href for rel, href in links if rel == "self"] != [address]:
        yield f"the feed at {address} names itself otherwise: {links}"
    for parent in (feed, *_list(feed, "a:entry")):
        of_parent = [node.get("rel", "alternate") for node in _list(parent, "a:link")]
        if of_parent.count("alternate") != 1:
            yield f"{of_parent.count('alternate')} alternates of {parent.tag}"


def _check_times(feed: Any) -> Iterator[str]:
    """Times have a zone (RFC 3339), none is before it was published, and the feed's is the newest
    (section 4.2.15)."""
    times = {node: datetime.fromisoformat(node.text) for node in _list(feed, ".//a:updated")}
    times |= {node: datetime.fromisoformat(node.text) for node in _list(feed, ".//a:published")}
    if any(time.tzinfo is None for time in times.values()):
        yield "a time without a zone"
        return
    own = times[feed.find("a:updated", _NAMES)]
    for entry in _list(feed, "a:entry"):
        updated = times[entry.find("a:updated", _NAMES)]
        published = entry.find("a:published", _NAMES)
        if updated > own or (published is not None and times[published] > updated):
            yield f"times of {entry.find('a:id', _NAMES).text}"


def _list(parent: Any, path: str) -> list[Any]:
    return list(parent.iterfind(path, _NAMES))


class _Balance(HTMLParser):
    """Follows the elements that are open."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fault = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "style", "iframe") or any(name.startswith("on") for name, _ in attrs):
            self.fault = f"<{tag}> with something that runs"
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.fault = self.fault or f"</{tag}> without its start"


def _find_html_fault(text: str) -> str:
    reader = _Balance()
    reader.feed(text)
    reader.close()
    return reader.fault or (f"<{reader.open[-1]}> is not closed" if reader.open else "")
