"""What a short option is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from mmengine.config import Config


@dataclass(frozen=True)
class Meaning:
    """What a short option means for a config.

    Attributes:
        main: What the option is about, by dotted names. A different value in ``--cfg-options`` contradicts it.
        follows: What has to move with it. A value in ``--cfg-options`` wins.
        notes: What may surprise, one line each.
    """

    main: Mapping[str, Any]
    follows: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


class Short(NamedTuple):
    """A short option.

    Attributes:
        field: Its name in the options; ``--batch-size`` is ``batch_size``.
        words: What it has to be, for messages.
        fits: Whether a value is that.
        meaning: From the config, changed by the options before this one, and the value to what it means.
    """

    field: str
    words: str
    fits: Callable[[Any], bool]
    meaning: Callable[[Config, Any], Meaning]

    @property
    def flag(self) -> str:
        """The option of the command line."""
        return f'--{self.field.replace("_", "-")}'
