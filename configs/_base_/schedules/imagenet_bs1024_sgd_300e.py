# A modern schedule: 1024 images per step, 300 epochs.
#
#   - SGD with Nesterov momentum 0.9, learning rate 0.4 for 1024 images, five epochs of warm-up, then cosine: GluonCV's
#     inceptionv3-mixup.sh, which trains 200 epochs. 300 as in procedure A2 of "ResNet strikes back" (arXiv:2110.00476),
#     because stronger augmentation needs more.
#   - Weight decay 4e-5 on the weights of convolutions and final layers: the value of TensorFlow and MindCV. GluonCV
#     also excludes biases and batch norm.
#   - Averaged weights over about the last 10,000 steps, eight epochs: the paper's 0.9999; torchvision's recipe of 2021
#     averages too.
#   - Clipping at 5 matters only in the first steps: the gradient norm starts at 70 (measured at 75 px) and is 5 after
#     an epoch.
optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=0.4, momentum=0.9, nesterov=True, weight_decay=4e-5),
    paramwise_cfg=dict(norm_decay_mult=0.0, bias_decay_mult=0.0),
    clip_grad=dict(max_norm=5.0),
)

param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=True, end=5, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', by_epoch=True, begin=5, end=300, convert_to_iter_based=True),
]

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

train_cfg = dict(by_epoch=True, max_epochs=300, val_interval=1)
val_cfg = dict()
test_cfg = dict()

# `--auto-scale-lr` multiplies the learning rate by (images per step) / 1024.
auto_scale_lr = dict(base_batch_size=1024)
