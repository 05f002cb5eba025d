"""Hashing passwords, and refusing weak ones."""

from __future__ import annotations

import asyncio
from typing import Literal

import pytest
from argon2 import Parameters, PasswordHasher, extract_parameters

from core.errors import CommandError, UserErrorCode
from core.settings import SecuritySettings
from security.passwords import LONGEST, Passwords, refuse_weak

FAST = SecuritySettings(password_memory_kib=8, password_iterations=1)


async def test_only_the_password_itself_verifies() -> None:
    """A hash is salted, and tells its own password from others."""
    passwords = Passwords(FAST)
    first, second = await asyncio.gather(passwords.hash("correct horse"), passwords.hash("correct horse"))
    assert first != second
    assert await passwords.verify(first, "correct horse")
    assert not await passwords.verify(first, "Correct horse")
    assert not await passwords.verify(first, "")
    assert not await passwords.verify("not a hash", "correct horse")


async def test_parameters_are_those_of_the_settings() -> None:
    """argon2id with OWASP's parameters unless the operator says otherwise; a change asks for a new hash."""
    stored = await Passwords(SecuritySettings()).hash("correct horse")
    parameters: Parameters = extract_parameters(stored)
    assert stored.startswith("$argon2id$")
    assert (19_456, 2, 1) == (parameters.memory_cost, parameters.time_cost, parameters.parallelism)
    assert not Passwords(SecuritySettings()).needs_rehash(stored)
    assert Passwords(FAST).needs_rehash(stored)


class CountingHasher(PasswordHasher):
    """A hasher that remembers which hashes it verified."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.verified: list[str | bytes] = []

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002 - the parent's name.
        """Verify, and remember."""
        self.verified.append(hash)
        return super().verify(hash, password)


async def test_unknown_account_costs_one_verification() -> None:
    """Without an account, and for a password of absurd length, the same work is done and the answer is no."""
    passwords = Passwords(FAST)
    stored = await passwords.hash("correct horse")
    passwords._hasher = hasher = CountingHasher()
    assert not await passwords.verify(None, "correct horse")
    assert not await passwords.verify(stored, "x" * (LONGEST + 1))
    assert [passwords._nobody] * 2 == hasher.verified


async def test_same_characters_in_another_encoding_verify() -> None:
    """What two keyboards encode differently is the same password (NFKC)."""
    passwords = Passwords(FAST)
    assert await passwords.verify(await passwords.hash("contrase\u00f1a larga"), "contrasen\u0303a larga")


async def test_hashing_does_not_block_other_requests() -> None:
    """The event loop turns while a password is hashed."""
    hashing = asyncio.create_task(Passwords(SecuritySettings()).hash("correct horse"))
    turns = 0
    while not hashing.done():
        turns += 1
        await asyncio.sleep(0)
    assert turns > 10


async def test_password_that_is_no_text_is_only_wrong() -> None:
    """A lone surrogate cannot be encoded, and must not be an error of ours."""
    passwords = Passwords(FAST)
    assert not await passwords.verify(await passwords.hash("correct horse"), "\ud800")


@pytest.mark.parametrize(
    "password",
    [
        "",
        "short",
        "x" * 129,
        "password",
        "PASSWORD1",
        "12345678",
        "aaaaaaaaa",
        "ANA@example.com",
        "ana maria",
        "ana.maria",
    ],
)
def test_password_that_would_be_guessed_first_is_refused(password: str) -> None:
    """Too short, too long, common, repetitive, or the owner's own address or name."""
    with pytest.raises(CommandError) as refused:
        refuse_weak(password, "ana@example.com" if "@" in password else "ana.maria@example.com", "Ana Maria")
    assert UserErrorCode.WEAK_PASSWORD is refused.value.code
    assert ("input", "password") == refused.value.field


@pytest.mark.parametrize("password", ["correct horse", "x" * 127 + "y", "ñandúñandú", "ana maria 2"])
def test_any_other_password_is_allowed(password: str) -> None:
    """There are no rules about digits and signs."""
    refuse_weak(password, "ana.maria@example.com", "Ana Maria")
