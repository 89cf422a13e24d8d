"""Workarounds for dependencies, each with the condition under which it can be removed. Imported first.

``FAULTS`` lists those for OpenMMLab's packages and their fork, in other modules too. Each looks at the installed code,
because both have the same names, and not every version tells what is fixed in it. Where the fault is absent, the
workaround is not used.
"""

from __future__ import annotations

import inspect
import io
import re
import warnings
from collections.abc import Callable
from contextlib import redirect_stdout
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from mmengine.config import utils as config_utils
from mmengine.dist import utils as dist_utils
from mmengine.hooks import SyncBuffersHook
from mmengine.logging import MessageHub
from mmengine.runner import FlexibleRunner, Runner
from mmengine.utils import package_utils

PKG_RESOURCES_IS_MISSING = (
    "mmengine cannot read configs by name (_base_ = 'mmpretrain::...') without pkg_resources; "
    "pip install 'setuptools<82'"
)
_PRINTED = 'Could not import OneDL'


class Fault(NamedTuple):
    """A fault of a dependency.

    Attributes:
        what: The fault, in a few words.
        where: What works around it.
        is_present: Looks whether the installed dependency has it.
    """

    what: str
    where: str
    is_present: Callable[[], bool]


def has_source(part: object, *texts: str) -> bool:
    """Return whether the source code of a class, function or module contains the texts, in this order.

    False where there is no source code to look at.
    """
    try:
        source = inspect.getsource(part)  # type: ignore[arg-type]
    except (OSError, TypeError):
        return False
    return re.search('.*?'.join(map(re.escape, texts)), source, re.DOTALL) is not None


def reads_configs_of_listed_packages_only() -> bool:
    """Return whether mmengine reads ``_base_ = 'PACKAGE::...'`` only for the packages in its table."""
    return 'MODULE2PACKAGE' in vars(config_utils)


def needs_pkg_resources() -> bool:
    """Return whether mmengine reads such configs with ``pkg_resources``, which setuptools 82 removed."""
    return has_source(package_utils, 'import pkg_resources')


def lacks_pkg_resources() -> bool:
    """Return whether mmengine needs it and it is not there."""
    return needs_pkg_resources() and find_spec('pkg_resources') is None


def lacks_operators() -> bool:
    """Return whether mmcv has no compiled operators, about which it warns on import."""
    return find_spec('mmcv._ext') is None


def prints_on_import() -> bool:
    """Return whether mmpretrain prints on import that it has not found a library for data of its publisher's."""
    # Read, not imported, which would print.
    spec = find_spec('mmpretrain')
    file = Path(spec.origin).parent / 'datasets/__init__.py' if spec and spec.origin else None
    return bool(file and file.is_file() and _PRINTED in file.read_text())


def selects_a_gpu() -> bool:
    """Return whether mmengine selects a GPU before it joins a process group, also where there is none."""
    return has_source(dist_utils._init_dist_pytorch, 'torch.cuda.set_device', 'init_process_group')


def passes_a_gpu_to_ddp() -> bool:
    """Return whether mmengine's Runner passes the number of a GPU to DDP, also where there is none."""
    return has_source(Runner.wrap_model, "device_ids=[int(os.environ['LOCAL_RANK'])]")


def saves_objects() -> bool:
    """Return whether mmengine puts objects into checkpoints, which torch loads only with ``weights_only=False``."""
    # Of no run: only get_instance() registers a hub.
    hub = MessageHub('probe')
    hub.update_scalar('loss', 1.0)
    return any(not isinstance(value, dict) for value in hub.state_dict()['log_scalars'].values())


def leaves_averaged_buffers_apart() -> bool:
    """Return whether mmengine synchronises the buffers of the model only, and not those of its averaged weights."""
    return not has_source(SyncBuffersHook, 'ema')


def loads_sharded_optimizers_wrongly() -> bool:
    """Return whether mmengine's FSDPStrategy passes the optimizer's state to torch in the order before torch 2.1."""
    # Imported here because it takes a second and few train sharded.
    from mmengine._strategy.fsdp import FSDPStrategy

    return has_source(FSDPStrategy.load_optim_state_dict, 'state_dict, self.model')


def overwrites_the_epoch() -> bool:
    """Return whether mmengine's FlexibleRunner replaces the epoch that a hook passes for a checkpoint."""
    return has_source(FlexibleRunner.save_checkpoint, 'meta.update(epoch=self.epoch + 1')


FAULTS: tuple[Fault, ...] = (
    Fault(
        'mmengine reads configs by name only for the packages in its table',
        'workarounds.py',
        reads_configs_of_listed_packages_only,
    ),
    Fault('mmengine needs pkg_resources, which setuptools 82 removed', 'setup.cfg: setuptools<82', needs_pkg_resources),
    Fault('mmcv warns of missing operators that nothing here uses', 'workarounds.py', lacks_operators),
    Fault('mmpretrain prints that it lacks a library that nothing here uses', 'workarounds.py', prints_on_import),
    Fault('mmengine selects a GPU for processes on CPUs', 'engine/runner/launch.py', selects_a_gpu),
    Fault("mmengine's Runner passes a GPU to DDP on CPUs", 'configuring/apply.py', passes_a_gpu_to_ddp),
    Fault(
        'mmengine saves objects in checkpoints, which torch refuses to load',
        'engine/hooks/plain_checkpoint_hook.py',
        saves_objects,
    ),
    Fault(
        'mmengine does not synchronise the buffers of averaged weights',
        'engine/hooks/synced_ema_hook.py',
        leaves_averaged_buffers_apart,
    ),
    Fault(
        "mmengine's sharded training loads the optimizer in an order that torch 2.1 removed",
        'engine/sharding.py',
        loads_sharded_optimizers_wrongly,
    ),
    Fault(
        "mmengine's FlexibleRunner writes a wrong epoch into the best checkpoint",
        'engine/runner/resumable_runner.py',
        overwrites_the_epoch,
    ),
)

# It looks for a distribution's files in site-packages, where an editable installation has none. For the name of a
# module that is not a distribution, it uses the module's folder. This can be removed when mmengine finds packages by
# name.
if reads_configs_of_listed_packages_only():
    config_utils.MODULE2PACKAGE.setdefault('mmpretrain_inception', 'mmpretrain_inception.registry')

if lacks_pkg_resources():
    warnings.warn(PKG_RESOURCES_IS_MISSING, stacklevel=2)

# This can be removed when mmcv no longer warns.
with warnings.catch_warnings():
    if lacks_operators():
        warnings.filterwarnings('ignore', message='Fail to import ``MultiScaleDeformableAttention``')
    import mmcv.cnn.bricks.transformer  # noqa: F401

# This can be removed when mmpretrain no longer prints.
if prints_on_import():
    with redirect_stdout(io.StringIO()) as _printed:
        import mmpretrain.datasets  # noqa: F401
    print(_printed.getvalue().replace(f'{_PRINTED}\n', ''), end='')
