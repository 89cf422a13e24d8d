# The paper's schedule: 1600 images per step (50 x 32), 100 epochs (section 8 of arXiv:1512.00567; what it leaves open
# is from TensorFlow's research/inception/inception/inception_distributed_train.py).

# RMSProp with decay 0.9, momentum 0.9 and epsilon 1.0 as TensorFlow computes it: epsilon inside the square root, the
# mean square starts at 1, the learning rate is part of the momentum. With this epsilon, torch's RMSprop is a different
# optimizer. Weight decay 4e-5 is an L2 term, only on the weights of convolutions and final layers.
optim_wrapper = dict(
    optimizer=dict(type='timm.optim.RMSpropTF', lr=0.045, alpha=0.9, momentum=0.9, eps=1.0, weight_decay=4e-5),
    paramwise_cfg=dict(norm_decay_mult=0.0, bias_decay_mult=0.0),
    clip_grad=dict(max_norm=2.0),
)

# Times 0.94 every two epochs: from 0.045 to 0.002.
param_scheduler = dict(type='StepLR', by_epoch=True, step_size=2, gamma=0.94)

# The average of the weights and batch-norm statistics, which is what is evaluated. Its decay after n updates is
# min(0.9999, (1 + n) / (10 + n)), TensorFlow's ExponentialMovingAverage(0.9999, num_updates=n): a momentum of
# max(1e-4, 9 / (10 + n)), where mmengine's steps are n + 1.
# With optim_wrapper.accumulative_counts=k, set custom_hooks.0.interval=k too: the average counts iterations.
custom_hooks = [
    dict(
        type='mmpretrain_inception.SyncedEMAHook',
        ema_type='MomentumAnnealingEMA',
        momentum=1e-4,
        gamma=9,
        update_buffers=True,
    ),
]

train_cfg = dict(by_epoch=True, max_epochs=100, val_interval=1)
val_cfg = dict()
test_cfg = dict()

# `--auto-scale-lr` multiplies the learning rate by (images per step) / 1600.
auto_scale_lr = dict(base_batch_size=1600)
