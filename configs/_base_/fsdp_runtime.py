# Use instead of default_runtime.py for fully sharded data parallelism (FSDP). Each process keeps a share of the
# parameters, gradients and optimizer state, and gathers the parameters of a unit only while it computes the unit.
# Inception V3 alone fits on every GPU, and plain data parallelism sends less; this is for when it is part of something
# larger. Checkpoints are complete ones, as in every other run.
_base_ = 'default_runtime.py'

runner_type = 'mmpretrain_inception.ResumableFlexibleRunner'
strategy = dict(
    type='mmpretrain_inception.FSDPStrategy',
    model_wrapper=dict(
        type='MMFullyShardedDataParallel',
        # A unit has at least a million parameters: about one block at 17x17 and 8x8.
        auto_wrap_policy=dict(type='torch.distributed.fsdp.wrap.size_based_auto_wrap_policy', min_num_params=1_000_000),
    ),
)
