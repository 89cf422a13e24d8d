# Instead of default_runtime.py: fully sharded data parallelism. Each process keeps its share of the parameters,
# gradients and optimizer state, and gathers a unit's parameters for as long as it computes the unit. Inception V3 fits
# every GPU, where plain data parallelism sends less; this is for where it is a part of something larger. Checkpoints
# are whole ones, as of every other run.
_base_ = 'default_runtime.py'

runner_type = 'mmpretrain_inception.ResumableFlexibleRunner'
strategy = dict(
    type='mmpretrain_inception.FSDPStrategy',
    model_wrapper=dict(
        type='MMFullyShardedDataParallel',
        # A unit has a million parameters or more: about a block of the 17x17 and 8x8 grids.
        auto_wrap_policy=dict(type='torch.distributed.fsdp.wrap.size_based_auto_wrap_policy', min_num_params=1_000_000),
    ),
)
