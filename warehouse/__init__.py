"""The event log as an analytical lake (Parquet by day) and the questions asked of it."""
