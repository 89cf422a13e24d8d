"""The version, importable without the dependencies."""

__version__ = '0.1.0'
