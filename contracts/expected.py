"""The base of all failures that are expected: a verb that meets one ends with its one line."""


class Expected(Exception):
    """A failure that somebody can do something about; its message says what.

    What is raised beside it is a fault of ours, and shows where it happened.
    """
