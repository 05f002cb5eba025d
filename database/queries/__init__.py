"""Every statement, one file a noun."""
