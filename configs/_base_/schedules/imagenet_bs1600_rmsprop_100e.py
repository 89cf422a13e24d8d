# The paper's schedule for 1600 images a step (50 x 32) over 100 epochs (section 8 of arXiv:1512.00567; what it leaves
# open is from TensorFlow's research/inception/inception/inception_distributed_train.py).

# RMSProp with decay 0.9, momentum 0.9 and epsilon 1.0 as TensorFlow computes it: epsilon within the root, the mean
# square starting at 1, the learning rate within the momentum. torch's RMSprop is another optimizer at this epsilon.
# The decay of 4e-5 is an L2 term of the loss, for the weights of convolutions and final layers only.
optim_wrapper = dict(
    optimizer=dict(type='timm.optim.RMSpropTF', lr=0.045, alpha=0.9, momentum=0.9, eps=1.0, weight_decay=4e-5),
    paramwise_cfg=dict(norm_decay_mult=0.0, bias_decay_mult=0.0),
    clip_grad=dict(max_norm=2.0),
)

# 0.94 every two epochs: 0.045 at first, 0.002 at last.
param_scheduler = dict(type='StepLR', by_epoch=True, step_size=2, gamma=0.94)

# The average of the parameters and of the batch-norm statistics, with which the model is evaluated. Its decay is
# min(0.9999, (1 + n) / (10 + n)) after n updates, TensorFlow's ExponentialMovingAverage(0.9999, num_updates=n): a
# momentum of max(1e-4, 9 / (10 + n)), and mmengine's steps are n + 1.
# With optim_wrapper.accumulative_counts=k set custom_hooks.0.interval=k too: the average counts iterations, not steps.
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

# `--auto-scale-lr` scales the learning rate by (images a step) / 1600.
auto_scale_lr = dict(base_batch_size=1600)
