# mmpretrain's own Inception V3 with the settings of its inception-v3_8xb32_in1k.py, scaled to batches of 64 images of
# 75 px and 8 epochs: the baseline for the recipes here.
#
#   python tools/train.py configs/inception_v3/inception-v3-mmpretrain_1xb64_folder-75px.py --data DIR
#
# Expected: see "A small folder at 75 px" in README.md.
#
# Its learning rate is 0.1 for 256 images per step, so 0.025 here; the cosine ends with the last epoch. Crops cover 0.08
# to 1 of the image, mmpretrain's default; testing crops the center 299/342 of the short side.
_base_ = [
    '../_base_/datasets/folder_bs64_75px.py',
    '../_base_/default_runtime.py',
]
EPOCHS = 8

train_pipeline = [
    dict(type='mmpretrain_inception.LoadImage'),
    dict(type='RandomResizedCrop', scale=75),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='PackInputs'),
]
test_pipeline = [
    dict(type='mmpretrain_inception.LoadImage'),
    dict(type='ResizeEdge', scale=86, edge='short'),
    dict(type='CenterCrop', crop_size=75),
    dict(type='PackInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader

data_preprocessor = dict(num_classes=1000, mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True)
model = dict(
    type='ImageClassifier',
    backbone=dict(type='mmpretrain.InceptionV3', num_classes=1000, aux_logits=False),
    head=dict(type='ClsHead', loss=dict(type='CrossEntropyLoss', loss_weight=1.0), topk=(1, 5)),
)

optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.1 * 64 / 256, momentum=0.9, weight_decay=0.0001))
param_scheduler = dict(type='CosineAnnealingLR', T_max=EPOCHS, by_epoch=True, begin=0, end=EPOCHS)
train_cfg = dict(by_epoch=True, max_epochs=EPOCHS, val_interval=1)
val_cfg = dict()
test_cfg = dict()

auto_scale_lr = dict(base_batch_size=64)
default_hooks = dict(logger=dict(interval=10))
