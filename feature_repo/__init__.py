"""What Feast must know: declared, never computed."""

import warnings

with warnings.catch_warnings():
    # Feast changes the warning filters of the whole process while it is imported; ours are put back.
    import feast as _feast  # noqa: F401 - for the effect described above.
