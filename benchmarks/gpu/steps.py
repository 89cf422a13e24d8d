"""The table of steps."""

from __future__ import annotations

from typing import NamedTuple


class Step(NamedTuple):
    """A step.

    Attributes:
        name: What the table calls it.
        function: As ``module:function``; called with :class:`~benchmarks.gpu.settings.Settings`. It returns what it
            found, and raises an exception if that is not what it has to be.
        seconds: Its time limit on a GPU; on a CPU it has ten times as long.
        on_cpu: What the CPU does instead. Empty: the same.
    """

    name: str
    function: str
    seconds: int = 60
    on_cpu: str = ''

    def limit(self, device: str) -> float:
        """Return the time limit on a device, in seconds."""
        return self.seconds if device == 'cuda' else 10 * self.seconds


_TRAINING, _INFERENCE, _SPEED = (f'benchmarks.gpu.{module}' for module in ('training', 'inference', 'speed'))

STEPS = (
    Step('logits as on a CPU', f'{_INFERENCE}:same_as_on_the_cpu', on_cpu='compares with itself'),
    Step('training in float32, channels_last', f'{_TRAINING}:in_fp32'),
    Step('training in bfloat16', f'{_TRAINING}:in_bf16'),
    Step('training in float16', f'{_TRAINING}:in_fp16'),
    Step('average of the weights (EMA)', f'{_TRAINING}:with_average'),
    Step('accumulated gradients', f'{_TRAINING}:accumulating'),
    Step('with_cp', f'{_TRAINING}:recomputing'),
    Step('resuming, deterministic', f'{_TRAINING}:resumed', 90),
    Step('DDP', f'{_TRAINING}:in_processes', on_cpu='gloo instead of nccl'),
    Step('FSDP', f'{_TRAINING}:sharded', on_cpu='gloo instead of nccl'),
    Step('test', f'{_INFERENCE}:tested', 90),
    Step('predict', f'{_INFERENCE}:predicted'),
    Step('export to ONNX', f'{_INFERENCE}:exported_to_onnx', on_cpu='without the CUDA provider'),
    Step('export to PyTorch', f'{_INFERENCE}:exported_to_pytorch'),
    Step('FID features', f'{_INFERENCE}:fid_features'),
    Step('test, compiled', f'{_INFERENCE}:tested_compiled', 120, 'aot_eager instead of inductor'),
    Step('training, compiled', f'{_TRAINING}:compiled', 180, 'aot_eager instead of inductor'),
    Step('images/s of inference', f'{_SPEED}:of_inference', 120),
    Step('images/s of training', f'{_SPEED}:of_training', 120),
)
