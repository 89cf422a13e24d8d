"""From options to a complete config: read, plan, apply."""

from __future__ import annotations

from typing import NamedTuple

from mmengine.config import Config

from mmpretrain_inception.configuring.apply import apply
from mmpretrain_inception.configuring.machine import Machine
from mmpretrain_inception.configuring.options import ConfigOptions
from mmpretrain_inception.configuring.plan import Plan, make_plan
from mmpretrain_inception.configuring.reading import read_config


class Configured(NamedTuple):
    """The result of :func:`configure`.

    Attributes:
        cfg: The complete config.
        notes: What was replaced, left out or ignored, one line each, for the user.
        plan: What was decided.
    """

    cfg: Config
    notes: tuple[str, ...]
    plan: Plan


def configure(options: ConfigOptions, machine: Machine | None = None) -> Configured:
    """Read the config, make a plan from the options, and apply it.

    Args:
        options: What the user asks for.
        machine: What the machine has. Defaults to the current one.

    Raises:
        UsageError: If the options do not fit the config or each other.
        InputError: If the config, the data or a checkpoint cannot be used.
    """
    cfg, short_notes = read_config(options)
    plan = make_plan(options, cfg, machine or Machine.here())
    complete, notes = apply(plan, cfg, options.cfg_options)
    facts = plan.data.facts.lines() if plan.data else ()
    return Configured(complete, (*facts, *short_notes, *notes), plan)
