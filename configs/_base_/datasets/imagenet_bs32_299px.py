# ImageNet at 299 px, 32 images per GPU. Training crops as mmpretrain does. Testing resizes the short side to 342 and
# crops the center 299, as mmpretrain does for its published row.
#
# data/imagenet/{train,val}/<class>/*.JPEG, or val/*.JPEG with meta/val.txt, as in mmpretrain's documentation.
dataset_type = 'mmpretrain_inception.ImageNetFiles'
data_root = 'data/imagenet'

train_pipeline = [
    dict(type='mmpretrain_inception.LoadImage'),
    dict(type='RandomResizedCrop', scale=299),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='PackInputs'),
]

test_pipeline = [
    dict(type='mmpretrain_inception.LoadImage'),
    dict(type='ResizeEdge', scale=342, edge='short'),
    dict(type='CenterCrop', crop_size=299),
    dict(type='PackInputs'),
]

train_dataloader = dict(
    batch_size=32,
    dataset=dict(type=dataset_type, data_root=data_root, split='train', pipeline=train_pipeline),
    sampler=dict(type='DefaultSampler', shuffle=True),
)

val_dataloader = dict(
    batch_size=32,
    dataset=dict(type=dataset_type, data_root=data_root, split='val', pipeline=test_pipeline),
    sampler=dict(type='DefaultSampler', shuffle=False),
)
val_evaluator = [
    dict(type='mmpretrain_inception.TopKAccuracy', topk=(1, 5)),
    dict(type='mmpretrain_inception.CrossEntropy'),
]

test_dataloader = val_dataloader
test_evaluator = val_evaluator
