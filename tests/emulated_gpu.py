"""A GPU that is none: tensors that say they are on ``cuda:0`` while their values are computed on the CPU.

PyTorch treats them as it treats those of a GPU: `torch.autocast('cuda')` chooses their types, `.numpy()` refuses them,
and an operation that mixes them with tensors of the CPU is an error. So a Runner trains and tests as it would on a GPU,
except for the kernels. Only for a process that ends afterwards: it changes torch for good.
docs/gpu.md lists what the tests cover.
"""

import itertools
from collections import Counter

import pytest
import torch
from mmengine.device import utils as mmengine_device
from processes import in_processes
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_flatten, tree_map_only

GPU = torch.device('cuda', 0)
_ATEN = torch.ops.aten
# What may mix devices: copies, and a tensor on the GPU with indices on the CPU.
_COPIES = {_ATEN.copy_.default, _ATEN._foreach_copy_.default, _ATEN._to_copy.default}
_INDEXING = {_ATEN.index.Tensor, _ATEN.index_put_.default, _ATEN.index_put.default}
_BACKWARD_PASSES = itertools.count()


class GpuTensor(torch.Tensor):
    """A tensor that says it is on a GPU; ``values`` are on the CPU."""

    @staticmethod
    def __new__(cls, values):
        return torch.Tensor._make_wrapper_subclass(
            cls,
            values.size(),
            strides=values.stride(),
            storage_offset=values.storage_offset(),
            dtype=values.dtype,
            device=GPU,
        )

    def __init__(self, values):
        self.values_on_cpu = values

    def __repr__(self):
        return f'{self.values_on_cpu} on {GPU}'

    def tolist(self):
        return self.values_on_cpu.tolist()

    def numpy(self, **_):
        raise TypeError(f"can't convert {GPU} device type tensor to numpy")

    @classmethod
    def __torch_dispatch__(cls, operation, types, args=(), kwargs=None):
        return _compute(operation, args, kwargs or {})


class EmulatedGpu(TorchDispatchMode):
    """Sends to :class:`GpuTensor` what would go to a GPU, and notes it.

    Attributes:
        convolutions: How often each type of image, and memory format of image and kernel, was convolved.
        calls: How often each function of ``torch.cuda`` that stands for a driver's was called.
    """

    def __init__(self):
        super().__init__()
        self.convolutions, self.calls = Counter(), Counter()

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        if operation is _ATEN._pin_memory.default:
            self.calls['pin_memory'] += 1
            return args[0].clone()
        return _compute(operation, args, kwargs or {}, self)

    def fake(self, name, result=None):
        """Let a function of ``torch.cuda`` return a value, and count its calls."""

        def function(*args, **kwargs):
            self.calls[name] += 1
            return result

        setattr(torch.cuda, name, function)


NO_GPU = pytest.mark.skipif(torch.cuda.is_available(), reason='benchmarks/gpu_check.py checks a real one')


def on_gpu(folder, function, *arguments):
    """Return what ``function(rank, *arguments)`` of a test file returns in a process of its own, which may start one.

    Args:
        folder: A temporary one.
        function: A function of a module, by whose name the process finds it.
        *arguments: Go there by pickle.
    """
    (result,) = in_processes(1, folder, function, *arguments)
    if isinstance(result, Exception):
        raise result
    return result


def start(bf16=True):
    """Let this process have a GPU from now on.

    Args:
        bf16: Whether it computes in bfloat16.
    """
    gpu = EmulatedGpu()
    answers = dict(is_available=True, is_bf16_supported=bf16, device_count=1, current_device=0, get_device_name='none')
    memory = dict(max_memory_allocated=0, memory_allocated=0, reset_peak_memory_stats=None)
    state = dict(_lazy_init=None, _is_in_bad_fork=False, manual_seed=None, manual_seed_all=None, synchronize=None)
    for name, result in {**answers, **memory, **state}.items():
        gpu.fake(name, result)
    torch._C._ensureCUDADeviceGuardSet()
    # A parameter stays the same object when it moves, as on a GPU; its class changes.
    torch.__future__.set_swap_module_params_on_conversion(True)
    # The CPU has none of its kernels.
    torch.backends.cudnn.enabled = False
    torch.Tensor.backward = _backward
    mmengine_device.DEVICE = GPU.type
    gpu.__enter__()
    return gpu


def _compute(operation, args, kwargs, gpu=None):
    tensors = [leaf for leaf in tree_flatten((args, kwargs))[0] if isinstance(leaf, torch.Tensor)]
    here = [isinstance(tensor, GpuTensor) for tensor in tensors]
    wanted = torch.device(kwargs['device']).type if kwargs.get('device') is not None else None
    if not any(here) and wanted != GPU.type:
        return operation(*args, **kwargs)
    _refuse_mixtures(operation, tensors, here)
    if gpu is not None and operation is _ATEN.convolution.default:
        image, kernel = (tensor.is_contiguous(memory_format=torch.channels_last) for tensor in tensors[:2])
        gpu.convolutions[tensors[0].dtype, image, kernel] += 1
    values, options = tree_map_only(GpuTensor, lambda tensor: tensor.values_on_cpu, (args, dict(kwargs)))
    if wanted is not None:
        options.update(device=torch.device('cpu'))
        options.pop('pin_memory', None)
    result = operation(*values, **options)
    if wanted == 'cpu':
        return result
    placed = tree_map_only(torch.Tensor, lambda t: t if isinstance(t, GpuTensor) else GpuTensor(t), result)
    return return_and_correct_aliasing(operation, args, kwargs, placed)


def _refuse_mixtures(operation, tensors, here):
    """Refuse what a GPU refuses; numbers may be on the CPU."""
    if operation in _COPIES or (operation in _INDEXING and here[0]):
        return
    if any(here) and any(not on_gpu and tensor.dim() > 0 for tensor, on_gpu in zip(tensors, here)):
        raise RuntimeError(f'{operation}: expected all tensors on the same device, got some on cuda:0 and some on cpu')


def _backward(loss, gradient=None, **_):
    """Compute gradients as autograd does, whose own threads need a driver."""
    # Activation checkpointing recomputes once for each number.
    number_of_this = next(_BACKWARD_PASSES)
    torch._C._current_graph_task_id = lambda: number_of_this
    waiting, seen, found = Counter(), set(), [loss.grad_fn]
    while found:
        node = found.pop()
        if node not in seen:
            seen.add(node)
            children = [child for child, _ in node.next_functions if child is not None]
            waiting.update(children)
            found += children
    pending, ready = {loss.grad_fn: {0: torch.ones_like(loss) if gradient is None else gradient}}, [loss.grad_fn]
    with torch.no_grad():
        while ready:
            node = ready.pop()
            arrived = pending.pop(node, {})
            if hasattr(node, 'variable'):
                _accumulate(node.variable, arrived.get(0))
                continue
            gradients = node(*(arrived.get(number) for number in range(len(node._input_metadata))))
            gradients = gradients if isinstance(gradients, tuple) else (gradients,)
            for (child, number), value in zip(node.next_functions, gradients):
                if child is None:
                    continue
                if value is not None:
                    _send(value, child._input_metadata[number], pending.setdefault(child, {}), number)
                waiting[child] -= 1
                if not waiting[child]:
                    ready.append(child)


def _send(value, expected, slots, number):
    # What was broadcast in the forward pass is summed.
    value = value.sum_to_size(expected.shape) if value.shape != expected.shape else value
    value = value.to(expected.dtype)
    slots[number] = value if number not in slots else slots[number] + value


def _accumulate(parameter, value):
    if value is not None:
        parameter.grad = value.detach() if parameter.grad is None else parameter.grad + value
