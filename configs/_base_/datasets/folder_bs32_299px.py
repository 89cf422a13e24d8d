# A folder of one's own images at 299 px, 32 a step: folder/train/<class>/* and folder/val/<class>/*.
# `--data DIR`, or image_folder in a config of one's own, names the folder; the tools take the classes from it.
image_folder = None

train_pipeline = [
    dict(type='mmpretrain_inception.LoadImage'),
    dict(type='RandomResizedCrop', scale=299),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='PackInputs'),
]

test_pipeline = [
    # Large JPEG files are decoded at a half, a quarter or an eighth; docs/data.md has the difference.
    dict(type='mmpretrain_inception.LoadImage', min_size=342),
    dict(type='ResizeEdge', scale=342, edge='short'),
    dict(type='CenterCrop', crop_size=299),
    dict(type='PackInputs'),
]

train_dataloader = dict(
    batch_size=32,
    dataset=dict(type='mmpretrain_inception.ImageFolder', pipeline=train_pipeline),
    sampler=dict(type='DefaultSampler', shuffle=True),
)

val_dataloader = dict(
    batch_size=32,
    dataset=dict(type='mmpretrain_inception.ImageFolder', pipeline=test_pipeline),
    sampler=dict(type='DefaultSampler', shuffle=False),
)
val_evaluator = [
    dict(type='mmpretrain_inception.TopKAccuracy', topk=(1, 5)),
    dict(type='mmpretrain_inception.CrossEntropy'),
]

test_dataloader = val_dataloader
test_evaluator = val_evaluator
