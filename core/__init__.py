"""The leaf vocabulary: settings, errors, ids and the clock. Imports nothing of ours."""
