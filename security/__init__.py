"""Passwords, tokens, policies, encryption of personal data, the audit trail."""
