# For a small dataset on one device: SGD, learning rate 0.0125 for 32 images per step (mmpretrain's 0.1 for 256), one
# epoch of warm-up, then cosine to 0.
EPOCHS = 30

optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.0125, momentum=0.9, nesterov=True, weight_decay=0.0001))

param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=True, end=1, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', by_epoch=True, begin=1, end=EPOCHS, convert_to_iter_based=True),
]

train_cfg = dict(by_epoch=True, max_epochs=EPOCHS, val_interval=1)
val_cfg = dict()
test_cfg = dict()

# `--auto-scale-lr` multiplies the learning rate by (images per step) / 32.
auto_scale_lr = dict(base_batch_size=32)
