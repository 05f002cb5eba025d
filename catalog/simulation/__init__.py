"""A simulated platform for strangers: deterministic, and labelled as simulated wherever it shows."""
