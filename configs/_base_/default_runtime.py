# For all recipes: hooks, logging, environment. mmpretrain's defaults but for what is remarked.
default_scope = 'mmpretrain'

# mmengine's Runner, CheckpointHook and EpochBasedTrainLoop, but runs may be killed and go on exactly: docs/resuming.md.
runner_type = 'mmpretrain_inception.ResumableRunner'

default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=100),
    param_scheduler=dict(type='ParamSchedulerHook'),
    # Keeps the last three and the best instead of one for every epoch.
    checkpoint=dict(type='CheckpointHook', interval=1, max_keep_ckpts=3, save_best='auto'),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    visualization=dict(type='VisualizationHook', enable=False),
    # Ours and mmengine's, by name so that a project's own `custom_hooks` does not remove them.
    sync_buffers=dict(type='SyncBuffersHook'),  # ranks evaluate and save the same batch-norm statistics
    plain_checkpoint=dict(type='mmpretrain_inception.PlainCheckpointHook'),
    fit_weights=dict(type='mmpretrain_inception.FitWeightsHook'),
    throughput=dict(type='mmpretrain_inception.ThroughputHook'),
    broken_images=dict(type='mmpretrain_inception.BrokenImageHook', max_share=0.01),
    finite_loss=dict(type='mmpretrain_inception.FiniteLossHook', max_skipped=0),
    stop_signal=dict(type='mmpretrain_inception.StopSignalHook'),
    label_check=dict(type='mmpretrain_inception.LabelCheckHook'),
)

env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'),
)

# For TensorBoard (`pip install tensorboard`): --cfg-options visualizer.vis_backends.0.type=TensorboardVisBackend
vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(type='UniversalVisualizer', vis_backends=vis_backends)

# Training logs the mean over ten iterations of what varies from one to the next.
log_processor = dict(
    custom_cfg=[dict(data_src='images_per_s', method_name='mean', window_size=10)],
)
log_level = 'INFO'
load_from = None
resume = False

# Fixed, so that a resumed run shuffles as an uninterrupted one. mmpretrain draws a new seed each time.
randomness = dict(seed=0, deterministic=False)
