# A modern recipe for a small folder of your own images at 75 px: DIR/train/<class>/* and DIR/val/<class>/*.
#
#   python tools/train.py configs/inception_v3/inception-v3-modern_1xb64_folder-75px.py --data DIR
#
# It is for a few thousand images and 8 epochs, where strong augmentation only slows learning: AdamW with warm-up and
# cosine, label smoothing, the auxiliary classifier, crops of at least half the area, and averaged weights over about
# the last fifty steps. Without the auxiliary classifier: --cfg-options model.head.with_aux=False
#
# Expected: depends on the images; "A small folder at 75 px" in README.md has results for ten classes.
_base_ = [
    '../_base_/models/inception-v3-aux.py',
    '../_base_/datasets/folder_bs64_75px.py',
    '../_base_/default_runtime.py',
]
EPOCHS = 8

optim_wrapper = dict(
    optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.05),
    paramwise_cfg=dict(norm_decay_mult=0.0, bias_decay_mult=0.0),
    clip_grad=dict(max_norm=5.0),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=True, end=1, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', by_epoch=True, begin=1, end=EPOCHS, convert_to_iter_based=True),
]
train_cfg = dict(by_epoch=True, max_epochs=EPOCHS, val_interval=1)
val_cfg = dict()
test_cfg = dict()
custom_hooks = [
    dict(
        type='mmpretrain_inception.SyncedEMAHook',
        ema_type='MomentumAnnealingEMA',
        momentum=0.02,
        gamma=9,
        update_buffers=True,
    ),
]
auto_scale_lr = dict(base_batch_size=64)
default_hooks = dict(logger=dict(interval=10))
