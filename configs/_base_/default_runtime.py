# Hooks, logging and environment of all configs. mmpretrain's defaults, except where a comment says otherwise.
default_scope = 'mmpretrain'

# mmengine's Runner with training that resumes exactly, even after kill -9: docs/resuming.md.
runner_type = 'mmpretrain_inception.ResumableRunner'

default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=100),
    param_scheduler=dict(type='ParamSchedulerHook'),
    # Keeps the last three and the best, not one for every epoch.
    checkpoint=dict(type='CheckpointHook', interval=1, max_keep_ckpts=3, save_best='auto'),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    visualization=dict(type='VisualizationHook', enable=False),
    # Under names of their own, so that `custom_hooks` in your config does not remove them.
    sync_buffers=dict(type='SyncBuffersHook'),  # all ranks evaluate and save the same batch-norm statistics
    plain_checkpoint=dict(type='mmpretrain_inception.PlainCheckpointHook'),
    # Checkpoints say how they are used: mmpretrain_inception.load_model needs no config.
    contract=dict(type='mmpretrain_inception.ContractHook'),
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

# images/s varies from one iteration to the next: the log shows the mean of ten.
log_processor = dict(
    custom_cfg=[dict(data_src='images_per_s', method_name='mean', window_size=10)],
)
log_level = 'INFO'
load_from = None
resume = False

# Fixed, so that a resumed run shuffles like an uninterrupted one. mmpretrain draws a new seed each time.
randomness = dict(seed=0, deterministic=False)
