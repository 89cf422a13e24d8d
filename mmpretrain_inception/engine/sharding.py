"""mmengine's sharded training (FSDP), made to work with current torch and on CPUs."""

from __future__ import annotations

import warnings
from contextlib import nullcontext
from typing import Any

from mmengine._strategy import FSDPStrategy as _FSDPStrategy
from mmengine.dist import barrier, is_main_process
from torch import Tensor, nn
from torch.distributed.fsdp import FullyShardedDataParallel as FSDP  # noqa: N817 - its usual name

from mmpretrain_inception.registry import STRATEGIES
from mmpretrain_inception.utils.atomic_file import atomic_path
from mmpretrain_inception.utils.gpu import has_gpu
from mmpretrain_inception.workarounds import loads_sharded_optimizers_wrongly

# mmengine and this module use functions of FSDP that torch is replacing by a newer interface.
_DEPRECATED = r'FSDP.state_dict_type\(\) and FSDP.set_state_dict_type\(\) are being deprecated'

# In every process, because fitting a checkpoint to the model needs its state.
_WHOLE = dict(
    state_dict_type='FULL_STATE_DICT',
    state_dict_config=dict(type='FullStateDictConfig', offload_to_cpu=True),
    optim_state_dict_config=dict(type='FullOptimStateDictConfig', offload_to_cpu=True, rank0_only=True),
)


@STRATEGIES.register_module()
class FSDPStrategy(_FSDPStrategy):
    """mmengine's ``FSDPStrategy`` that resumes with torch >= 2.1 and runs on CPUs.

    mmengine 0.10.7 passes the optimizer's state to torch in an order of arguments that torch 2.1 removed; where that is
    mended, its own method is used. It also selects a GPU where there is none, saves tensors with attributes, which
    ``weights_only=True`` refuses, and does not write checkpoints atomically.

    Takes the arguments of mmengine's class except ``state_dict_cfg``: checkpoints are complete ones, which all tools
    can read.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(state_dict_cfg=_WHOLE, **kwargs)

    def _wrap_model(self, model: nn.Module) -> nn.Module:
        if not has_gpu():
            self.model_wrapper: dict[str, Any] = {**(self.model_wrapper or {}), 'device_id': 'cpu'}
        for parameter in model.parameters():
            # torch 2.14 loads an optimizer's state in the wrong order for parameters in another memory format.
            parameter.data = parameter.data.contiguous()
        with warnings.catch_warnings():
            warnings.filterwarnings('ignore', message=_DEPRECATED)
            return super()._wrap_model(model)

    def model_state_dict(self) -> dict[str, Tensor]:
        """Return all parameters and buffers, in every process."""
        state_dict = super().model_state_dict()
        for name, tensor in state_dict.items():
            # FSDP sets an attribute on its tensors.
            state_dict[name] = tensor.detach()
        return state_dict

    def load_optim_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load this process's share of the complete optimizer state."""
        if not loads_sharded_optimizers_wrongly():
            super().load_optim_state_dict(state_dict)
            return
        optimizer = self.optim_wrapper.optimizer
        self.optim_wrapper.load_state_dict(FSDP.optim_state_dict_to_load(self.model, optimizer, state_dict))

    def save_checkpoint(self, filename: str, **kwargs: Any) -> None:
        """Save a complete checkpoint, atomically.

        Raises:
            InputError: If it cannot be written. An older one of that name is unchanged.
        """
        # The main process writes for all.
        with atomic_path(filename) if is_main_process() else nullcontext(filename) as path:
            super().save_checkpoint(str(path), **kwargs)
        barrier()


def whole_state_dict(model: nn.Module) -> dict[str, Tensor]:
    """Return the complete state dict of a model without its wrapper, in every process.

    Args:
        model: The model of a Runner.
    """
    return (model if isinstance(model, FSDP) else getattr(model, 'module', model)).state_dict()
