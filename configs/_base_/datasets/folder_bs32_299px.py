# Your own images at 299 px, batches of 32: a folder with train/<class>/* and val/<class>/*, one folder with <class>/*,
# or a .csv file of path,label. Set it with `--data PATH`, or as image_folder in your config. The tools take the classes
# from there; docs/data.md has the details.
image_folder = None

train_pipeline = [
    dict(type='mmpretrain_inception.LoadImage'),
    dict(type='RandomResizedCrop', scale=299),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='PackInputs'),
]

test_pipeline = [
    # Large JPEG files are decoded at 1/2, 1/4 or 1/8 of their size; docs/data.md shows the difference.
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
