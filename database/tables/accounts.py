"""Accounts hold personal data, encrypted in its column; sessions hold only hashes of tokens."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import ARRAY, BigInteger, CheckConstraint, Column, Index, LargeBinary, Table, Text, Uuid

from database.tables.base import identity, metadata, moment, reference


class Role(StrEnum):
    """What an account may do besides learning."""

    LEARNER = "LEARNER"
    INSTRUCTOR = "INSTRUCTOR"
    MODERATOR = "MODERATOR"
    ADMINISTRATOR = "ADMINISTRATOR"


accounts = Table(
    "accounts",
    metadata,
    identity(),
    reference("learner_id", "learners.id", ondelete="RESTRICT", unique=True),
    Column("encryption_key_id", Text, nullable=False, comment="key that both ciphertexts are under"),
    Column("email_ciphertext", LargeBinary, nullable=False),
    # A keyed hash of the normalized address: finds an account and keeps addresses unique without decrypting.
    Column("email_index", LargeBinary, nullable=False, unique=True),
    Column("display_name_ciphertext", LargeBinary, nullable=False),
    Column("password_hash", Text, nullable=False, comment="argon2id, PHC string"),
    Column("roles", ARRAY(Text), nullable=False),
    moment("created_at"),
    moment("suspended_at", nullable=True),
    Column("suspension_reason", Text, comment="for administrators; null unless suspended"),
    Index("accounts_encryption_key_id_idx", "encryption_key_id"),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", Uuid, primary_key=True),
    reference("account_id", "accounts.id", index=True),
    # SHA-256 of the current refresh token. A token names its session, so that an earlier one is recognized.
    Column("refresh_token_hash", LargeBinary, nullable=False, unique=True),
    # The current refresh token, for whoever has the one that it was exchanged for and lost the answer; null before an
    # exchange.
    Column("sealed_token", LargeBinary),
    moment("exchanged_at", nullable=True),
    moment("created_at"),
    moment("expires_at"),
    moment("revoked_at", nullable=True),
    CheckConstraint("(sealed_token IS NULL) = (exchanged_at IS NULL)", name="exchanged"),
)

# Access tokens that must not be believed any more although they have not expired: every one of a session, or those of
# an account that were issued until the moment. Each process reads what is new every second. No foreign keys: a token
# outlives the session or account that is deleted.
revocations = Table(
    "revocations",
    metadata,
    identity(),
    Column("session_id", Uuid),
    Column("account_id", BigInteger),
    moment("revoked_at"),
    CheckConstraint("(session_id IS NULL) <> (account_id IS NULL)", name="one_of_both"),
    Index("revocations_revoked_at_idx", "revoked_at"),
)
