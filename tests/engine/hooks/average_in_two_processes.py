"""Average a batch norm whose running mean is 1 more in the second process, and print what an epoch leaves of it.

Arguments: the hook's class (a module and a name), the rank, a file where the two processes meet.
"""

import sys
from importlib import import_module
from types import SimpleNamespace

from torch import distributed, nn

module, name, rank, rendezvous = sys.argv[1:]
distributed.init_process_group('gloo', init_method=f'file://{rendezvous}', rank=int(rank), world_size=2)
model = nn.BatchNorm1d(1, momentum=1.0)
hook = getattr(import_module(module), name)(momentum=0.5, update_buffers=True)
runner = SimpleNamespace(model=model, iter=0, message_hub=SimpleNamespace(runtime_info={}))
hook.before_run(runner)
for step in range(3):
    model.running_mean.fill_(step + int(rank))
    hook.after_train_iter(runner, step)
hook.after_train_epoch(runner)
print('mean', hook.ema_model.module.running_mean.item())
distributed.destroy_process_group()
