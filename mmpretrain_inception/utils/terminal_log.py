"""What of the log a person sees on the terminal; the log file has all of it."""

from __future__ import annotations

import logging
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from mmengine.logging import MMLogger
from mmengine.logging import logger as mmengine_logger

from mmpretrain_inception.utils.main_process import speaks

_PACKAGE = str(Path(__file__).parents[1])
# The way of a record to the terminal.
_OF_LOGGING = (__file__, logging.__file__, mmengine_logger.__file__)


class Known(NamedTuple):
    """A message that a user can do nothing about.

    Attributes:
        module: Pattern of the module that it is from, as a path.
        message: Pattern of its beginning.
        reason: Why nobody needs to see it.
    """

    module: str
    message: str
    reason: str


# For records that need not be seen: logger.info(..., extra=LOG_ONLY).
LOG_ONLY = dict(log_only=True)

# Whatever is not in this table is shown.
KNOWN: tuple[Known, ...] = (
    Known('mmengine', '"FileClient" will be deprecated', "mmengine's own CheckpointHook uses it"),
    Known('mmengine', '"HardDiskBackend" is the alias', "mmengine's own FileClient uses it"),
    Known('mmengine', '`save_param_scheduler` is True but', 'a rate that never changes has no schedule to save'),
    Known('mmengine', 'Setting (OMP|MKL)_NUM_THREADS environment variable', 'one thread a process is what is wanted'),
    Known('mmengine', '`broadcast_buffers` is deprecated', 'mmengine passes it on to the wrapper of torch'),
    Known('mmengine', r'`torch\.cuda\.amp\.GradScaler\(args\.\.\.\)` is deprecated', 'AmpOptimWrapper uses it'),
    Known('', 'pkg_resources is deprecated as an API', 'mmengine reads configs by name with it; setup.cfg sees to it'),
    Known('mmpretrain_inception', 'Load checkpoint from', 'the screen before a run says it'),
)


class _Terminal(logging.Handler):
    """Print what a user needs to see: warnings, and what this package says.

    mmengine's own records of the level INFO are not shown: versions, the config, the order of hooks, and figures that
    the progress bar shows.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record on standard output, where mmengine prints its log."""
        if _is_for_user(record) and (speaks() or record.levelno >= logging.ERROR):
            prefix = f'{record.levelname.lower()}: ' if record.levelno >= logging.WARNING else ''
            print(f'{prefix}{record.getMessage()}', flush=True)


def _is_for_user(record: logging.LogRecord) -> bool:
    origin = _origin(record)
    told = origin.startswith(_PACKAGE) or record.levelno >= logging.WARNING
    return told and not getattr(record, 'log_only', False) and not is_known(origin, record.getMessage())


def _origin(record: logging.LogRecord) -> str:
    """Return the file that a record is from; mmengine's print_log is not it."""
    if record.pathname != mmengine_logger.__file__:
        return record.pathname
    frame = sys._getframe()
    while frame.f_back is not None and frame.f_code.co_filename in _OF_LOGGING:
        frame = frame.f_back
    return frame.f_code.co_filename


def is_known(file: str, message: str) -> bool:
    """Return whether a message is in the table.

    Args:
        file: The file that it is from.
        message: Its text.
    """
    return any(known.module in file and re.match(known.message, message) for known in KNOWN)


@contextmanager
def for_a_person(*, verbose: bool = False) -> Iterator[None]:
    """Show what a user needs to see of the logs and warnings of dependencies; the rest goes to the log file only.

    Args:
        verbose: Whether to show everything, as mmengine does. Defaults to False.
    """
    if verbose:
        _shown_in_full.append(True)
        try:
            yield
        finally:
            _shown_in_full.pop()
    elif _Holding.active or is_verbose():
        yield
    else:
        holding = _Holding()
        holding.start()
        try:
            yield
        finally:
            holding.stop()


# One for each call with ``verbose`` that is in force.
_shown_in_full: list[bool] = []


def is_verbose() -> bool:
    """Return whether the user wants to see everything, by ``--verbose``."""
    return bool(_shown_in_full)


class _Holding:
    """The loggers and warnings while :func:`for_a_person` is in force."""

    active = False

    def __init__(self) -> None:
        self._changed: list[tuple[MMLogger, logging.Handler, logging.Handler]] = []
        # The logger of this run, and warnings from before it.
        self._logger: MMLogger | None = None
        self._early: list[str] = []
        self._init, self._show_warning = MMLogger.__init__, warnings.showwarning

    def start(self) -> None:
        """Take the place of the handlers for the terminal, in loggers that exist and in those to come.

        A Runner, or its strategy, creates its logger and prints hundreds of lines at once, before anybody gets hold of
        it; so each logger is changed as it is created.
        """
        _Holding.active = True
        init = self._init

        def quiet_init(logger: MMLogger, *args: Any, **kwargs: Any) -> None:
            init(logger, *args, **kwargs)
            self._quieten(logger)
            if logger.log_file is not None:
                self._log_to(logger)

        MMLogger.__init__ = quiet_init
        for logger in MMLogger._instance_dict.values():
            self._quieten(logger)
        warnings.showwarning = self._receive

    def stop(self) -> None:
        """Leave everything as it was."""
        _Holding.active = False
        MMLogger.__init__ = self._init
        for logger, terminal, original in self._changed:
            logger.handlers[logger.handlers.index(terminal)] = original
        warnings.showwarning = self._show_warning

    def _quieten(self, logger: MMLogger) -> None:
        for index, handler in enumerate(logger.handlers):
            # Not a FileHandler, which is one too.
            if type(handler) is logging.StreamHandler:
                terminal = _Terminal(handler.level)
                for part in handler.filters:
                    terminal.addFilter(part)
                logger.handlers[index] = terminal
                self._changed.append((logger, terminal, handler))

    def _log_to(self, logger: MMLogger) -> None:
        self._logger = logger
        for message in self._early:
            _log(logger, message)
        self._early.clear()

    def _receive(
        self,
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        """Show a warning of Python's ``warnings``, or only log it."""
        if not is_known(filename, str(message)):
            if speaks():
                self._show_warning(message, category, filename, lineno, file, line)
            return
        text = warnings.formatwarning(message, category, filename, lineno).strip()
        if self._logger is None:
            self._early.append(text)
        else:
            _log(self._logger, text)


def _log(logger: MMLogger, text: str) -> None:
    logger.warning(text, extra=LOG_ONLY)
