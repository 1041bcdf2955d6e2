"""The one exception that means: what the user gave cannot be used."""


class BadInput(ValueError):
    """What a user gave is wrong; the message is one line for them.

    It says what is wrong, where (file, row, column) and what to do. The command lines print
    it without a traceback and end with exit code 2.
    """
