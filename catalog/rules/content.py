"""Rules on modules, lessons, assessments and media."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from urllib.parse import SplitResult, urlsplit

from catalog.metadata import CourseMetadata
from catalog.problems import excerpt
from catalog.rules.findings import Finding

_LONGEST_URL = 2_000
_LOCAL = ("localhost", "local", "internal", "lan", "home.arpa")
# What ends in a number is an IPv4 address to a browser, in whatever spelling.
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


def no_lessons(course: CourseMetadata) -> Iterator[Finding]:
    """Demand that there is something to learn."""
    count = course.lesson_count
    if count is None and course.modules is not None:
        count = sum(module.lesson_count for module in course.modules)
    if count == 0:
        field = "lesson_count" if course.modules is None else "modules"
        yield Finding("The course has no lessons. Add one before learners come.", (field,))


def empty_module(course: CourseMetadata) -> Iterator[Finding]:
    """Demand that each module has a lesson or an assessment."""
    for place, module in enumerate(course.modules or ()):
        if module.lesson_count == 0 and not module.has_assessment:
            yield Finding(
                f"The module {excerpt(module.title)} is empty. Add a lesson to it, or remove it.",
                ("modules", str(place)),
            )


def no_assessment(course: CourseMetadata) -> Iterator[Finding]:
    """Ask that learners can find out what they have learned."""
    if course.has_assessment is False:
        yield Finding("Nothing in the course is assessed. Add an assessment to a module.", ("modules",))


def malformed_media(course: CourseMetadata) -> Iterator[Finding]:
    """Demand addresses that a client can open at all."""
    for link in course.media or ():
        reason = wrong_address(link.url)
        if reason:
            yield Finding(f"{excerpt(link.url)} {reason}.", link.path)


def insecure_media(course: CourseMetadata) -> Iterator[Finding]:
    """Ask for https, without which pages do not show media."""
    for link in course.media or ():
        if link.url.lower().startswith("http://") and not wrong_address(link.url):
            yield Finding(f"{excerpt(link.url)} is not https; most clients refuse to show it.", link.path)


def unreachable_media(course: CourseMetadata) -> Iterator[Finding]:
    """Demand addresses that answer; judged only where somebody tried them."""
    for link in course.media or ():
        if link.failure:
            yield Finding(f"{excerpt(link.url)} could not be reached: {link.failure}.", link.path)


def wrong_address(url: str) -> str | None:
    """Return why an address is none that learners can open, as the end of a sentence, or None.

    Nothing is looked up: this is the shape of the address alone.
    """
    if len(url) > _LONGEST_URL:
        return f"has more than {_LONGEST_URL} characters"
    if any(character.isspace() or not character.isprintable() for character in url):
        return "has a space or a control character in it"
    try:
        parts = urlsplit(url)
        # Reading the port is what finds one that is none.
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "is not an address"
    if parts.scheme not in {"http", "https"}:
        return "does not begin with https://"
    if not host or not host.strip("."):
        return "names no host"
    return _wrong_host(parts, host)


def _wrong_host(parts: SplitResult, host: str) -> str | None:
    if parts.username is not None or parts.password is not None:
        return "holds a user name or a password"
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        name = host.rstrip(".").lower()
        if _NUMBER.fullmatch(name.rpartition(".")[2]):
            return "names an address that is not written as four numbers"
        if any(name == ending or name.endswith(f".{ending}") for ending in _LOCAL) or "." not in name:
            return "names a host that only its own network knows"
        return None
    return None if address.is_global else "names an address that only its own network knows"
