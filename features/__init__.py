"""What each feature means: one definition, run offline over the lake and online on arrays."""
