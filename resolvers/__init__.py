"""What the system does for one request: batch resolvers and commands, one file a noun."""
