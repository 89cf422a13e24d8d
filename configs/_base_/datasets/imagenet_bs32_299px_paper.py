# ImageNet at 299 px, 32 images per GPU, augmented as in the paper's TensorFlow code (research/slim/preprocessing/
# inception_preprocessing.py): crops of 0.05 to 1 of the area with aspect ratio 3/4 to 4/3, a horizontal flip, and
# changes of brightness, saturation, hue and contrast in one of four orders. Testing is unchanged from its base.
#
# Two differences: slim picks one of four interpolations for each crop, here it is always bilinear; and slim requires a
# crop to cover a tenth of an annotated box.
_base_ = 'imagenet_bs32_299px_tf1.py'

train_pipeline = [
    dict(type='mmpretrain_inception.LoadImage', color_type='color_ignore_orientation'),
    dict(
        type='RandomResizedCrop',
        scale=299,
        crop_ratio_range=(0.05, 1.0),
        aspect_ratio_range=(3 / 4, 4 / 3),
        max_attempts=100,
    ),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='mmpretrain_inception.TensorFlowColorDistortion'),
    dict(type='PackInputs'),
]

train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
