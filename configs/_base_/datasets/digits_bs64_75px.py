# scikit-learn's 1,797 handwritten digits as PNG files, written to data/digits on first use: 1,442 for training and 355
# for validation, 8 x 8 pixels each, enlarged to 75.
dataset_type = 'mmpretrain_inception.Digits'
data_root = 'data/digits'

train_pipeline = [
    dict(type='mmpretrain_inception.LoadImage'),
    dict(type='RandomResizedCrop', scale=75, crop_ratio_range=(0.7, 1.0), aspect_ratio_range=(0.8, 1.25)),
    # Up to 15 degrees in either direction, uniformly distributed.
    dict(type='Rotate', prob=1.0, magnitude_range=(0, 15), magnitude_level=10, magnitude_std='inf'),
    dict(type='PackInputs'),
]

test_pipeline = [
    dict(type='mmpretrain_inception.LoadImage'),
    dict(type='Resize', scale=83),
    dict(type='CenterCrop', crop_size=75),
    dict(type='PackInputs'),
]

train_dataloader = dict(
    batch_size=64,
    dataset=dict(type=dataset_type, data_root=data_root, split='train', pipeline=train_pipeline),
    sampler=dict(type='DefaultSampler', shuffle=True),
)

val_dataloader = dict(
    batch_size=64,
    dataset=dict(type=dataset_type, data_root=data_root, split='val', pipeline=test_pipeline),
    sampler=dict(type='DefaultSampler', shuffle=False),
)
val_evaluator = [
    dict(type='mmpretrain_inception.TopKAccuracy', topk=(1, 5)),
    dict(type='mmpretrain_inception.CrossEntropy'),
]

test_dataloader = val_dataloader
test_evaluator = val_evaluator
