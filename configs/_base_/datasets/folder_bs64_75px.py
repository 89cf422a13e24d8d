# Your own small images at 75 px, the smallest input of the network, batches of 64. They are enlarged and only slightly
# cropped.
_base_ = 'folder_bs32_299px.py'

train_pipeline = [
    dict(type='mmpretrain_inception.LoadImage'),
    dict(type='RandomResizedCrop', scale=75, crop_ratio_range=(0.5, 1.0)),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='PackInputs'),
]

test_pipeline = [
    dict(type='mmpretrain_inception.LoadImage'),
    dict(type='ResizeEdge', scale=75, edge='short'),
    dict(type='CenterCrop', crop_size=75),
    dict(type='PackInputs'),
]

train_dataloader = dict(batch_size=64, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(batch_size=64, dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
