# Inception V3 on scikit-learn's handwritten digits at 75 px: the example that needs no data and no GPU.
#
#   make train
#   python tools/train.py configs/inception_v3/inception-v3_1xb64_digits-75px.py
#
# Expected, on the 355 validation images after 3 to 5 minutes on two CPU cores (measured, seed 0): top-1 97.75, top-5
# 100 on an Intel Xeon with AMX; 98.59 and 100 on a processor whose model was not recorded (they round differently).
_base_ = [
    '../_base_/models/inception-v3-aux.py',
    '../_base_/datasets/digits_bs64_75px.py',
    '../_base_/default_runtime.py',
]
EPOCHS = 14

data_preprocessor = dict(num_classes=10)
model = dict(head=dict(num_classes=10))

# AdamW: in so few steps it got further than SGD with any learning rate that was tried.
optim_wrapper = dict(optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.05))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=True, end=1, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', by_epoch=True, begin=1, end=EPOCHS, convert_to_iter_based=True),
]
train_cfg = dict(by_epoch=True, max_epochs=EPOCHS, val_interval=1)
val_cfg = dict()
test_cfg = dict()

# The average of about the last fifty steps varies less from epoch to epoch than the weights themselves.
custom_hooks = [dict(type='mmpretrain_inception.SyncedEMAHook', momentum=0.02, update_buffers=True)]

auto_scale_lr = dict(base_batch_size=64)
default_hooks = dict(logger=dict(interval=10))
