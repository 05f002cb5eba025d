"""E-mail addresses: one form to store, and one to compare."""

from __future__ import annotations

from dataclasses import dataclass

from email_validator import EmailNotValidError, validate_email

from core.errors import CommandError, UserErrorCode
from security.encryption import Cipher

_LONGEST = 254
_PURPOSE = "accounts.email"


@dataclass(frozen=True, slots=True)
class Email:
    """An address in two forms.

    Attributes:
        text: as its owner wrote it, in Unicode NFC and with the domain in lower case: what mail is sent to.
        key: what equal addresses share. The part before the @ is in lower case too: mail servers that tell
            `Ana@` from `ana@` are a curiosity, and two accounts that differ by case are an attack or a mistake.
            Lower case, and not case folding: that would make one of the domains straße.de and strasse.de.
    """

    text: str
    key: str

    def index(self, cipher: Cipher) -> bytes:
        """Return the blind index that finds the account of this address."""
        return cipher.blind_index(self.key, _PURPOSE)


def parse_email(text: str) -> Email:
    """Return an address in its normal forms; nothing is asked of the network.

    Raises:
        CommandError: it is not an address (RFC 5321 and 6531), or it is longer than 254 characters.
    """
    field = ("input", "email")
    if len(text) > _LONGEST:
        raise CommandError(UserErrorCode.TOO_LONG, f"An e-mail address has at most {_LONGEST} characters.", field)
    try:
        normalized = validate_email(text.strip(), check_deliverability=False).normalized
    except EmailNotValidError as error:
        raise CommandError(UserErrorCode.INVALID, "This is not an e-mail address.", field) from error
    return Email(text=normalized, key=normalized.lower())
