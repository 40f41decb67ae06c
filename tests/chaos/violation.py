"""What the suite finds."""


class ViolationError(Exception):
    """The pipeline did not do what was predicted."""
