"""The front door: the command line, and the names that a Python program imports."""

__version__ = "0.1.0"
