"""Passwords: argon2id, hashed where it cannot block other requests, refused where they are known to be weak."""

from __future__ import annotations

import asyncio
import secrets
import unicodedata
from collections.abc import Callable
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from core.errors import CommandError, UserErrorCode
from core.settings import SecuritySettings

ResultT = TypeVar("ResultT")

SHORTEST = 8
LONGEST = 128
# Each takes `password_memory_kib`; more at once would only wait for processors while holding memory.
_AT_ONCE = 4
# The commonest of leaked passwords that are long enough; NIST SP 800-63B, section 3.1.1.2, asks for such a list.
_COMMON_TEXT = """
00000000 0123456789 0987654321 11111111 111111111 1111111111 11223344 12121212 123123123 1234512345 12341234
12344321 12345678 123456789 1234567890 12345678910 1234567891 123456abc 123456aa 1234qwer 123654789 12qwaszx
147258369 1q2w3e4r 1q2w3e4r5t 1qaz2wsx 1qazxsw2 22222222 55555555 66666666 77777777 789456123 87654321 88888888
987654321 99999999 a123456789 a1234567 aa123456 aa12345678 abc12345 abcd1234 abcdefgh administrator admin123
asdasdasd asdf1234 asdfasdf asdfghjk asdfghjkl baseball blink182 changeme charlie1 computer corvette danielle
dragon123 elizabeth football garfield iloveyou iloveyou1 internet jennifer jonathan justin123 letmein1 liverpool
master123 mercedes michelle midnight monkey123 mustang1 p@ssw0rd pa55word passw0rd password password! password1
password12 password123 password1234 pokemon1 princess princess1 q1w2e3r4 q1w2e3r4t5 qazwsxedc qwer1234 qwert123
qwerty12 qwerty123 qwerty1234 qwertyui qwertyuiop samantha sunshine superman starwars trustno1 victoria welcome1
welcome123 whatever zaq12wsx zxcvbnm1 zxcvbnm123
"""
_COMMON = frozenset(_COMMON_TEXT.split())


class Passwords:
    """Hashes and verifies passwords under the installation's argon2id parameters.

    Args:
        settings: memory and iterations.
    """

    def __init__(self, settings: SecuritySettings) -> None:
        self._hasher = PasswordHasher(
            time_cost=settings.password_iterations, memory_cost=settings.password_memory_kib, parallelism=1
        )
        self._turns = asyncio.Semaphore(_AT_ONCE)
        # Verified where there is no account, so that the time of an answer does not tell who has one.
        self._nobody = self._hasher.hash(secrets.token_bytes(16))

    async def hash(self, password: str) -> str:
        """Return the PHC string of a password."""
        return await self._in_thread(lambda: self._hasher.hash(_prepared(password)))

    async def verify(self, stored: str | None, password: str) -> bool:
        """Say whether `password` is the one that was hashed; without an account, work as long and say no.

        Args:
            stored: the PHC string; None where there is no account.
            password: what was typed.
        """
        if len(password) > LONGEST:
            # No account has one this long, and hashing it is work that an attacker may choose the size of.
            password, stored = "", None
        return await self._in_thread(lambda: self._matches(stored, password))

    def needs_rehash(self, stored: str) -> bool:
        """Say whether a hash was made with other parameters than those that are set now."""
        return self._hasher.check_needs_rehash(stored)

    def _matches(self, stored: str | None, password: str) -> bool:
        try:
            matches = self._hasher.verify(stored if stored is not None else self._nobody, _prepared(password))
        except (Argon2Error, InvalidHashError):
            return False
        return matches and stored is not None

    async def _in_thread(self, work: Callable[[], ResultT]) -> ResultT:
        async with self._turns:
            return await asyncio.to_thread(work)


def refuse_weak(password: str, email: str, display_name: str) -> None:
    """Refuse a new password that would be guessed first. There are no rules of composition, as NIST asks.

    Raises:
        CommandError: it is shorter than 8 or longer than 128 characters, one of the commonest, one character
            over and over, or the account's own address or name.
    """
    field = ("input", "password")
    if not SHORTEST <= len(password) <= LONGEST:
        raise CommandError(UserErrorCode.WEAK_PASSWORD, f"A password has {SHORTEST} to {LONGEST} characters.", field)
    folded = password.casefold()
    own = {email.casefold(), email.casefold().partition("@")[0], display_name.casefold(), "waymark"}
    if folded in _COMMON or len(set(folded)) == 1:
        raise CommandError(UserErrorCode.WEAK_PASSWORD, "This password is among those that are tried first.", field)
    if folded in own:
        raise CommandError(UserErrorCode.WEAK_PASSWORD, "A password must not be your own address or name.", field)


def _prepared(password: str) -> bytes:
    # The same characters typed on two keyboards can be different code points; NIST asks for a normal form.
    return unicodedata.normalize("NFKC", password).encode(errors="surrogatepass")
