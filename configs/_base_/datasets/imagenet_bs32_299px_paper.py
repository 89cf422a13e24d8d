# ImageNet at 299 px, 32 images a GPU, prepared as the paper's TensorFlow code does it (research/slim/preprocessing/
# inception_preprocessing.py): crops of 0.05 to 1 of the area with an aspect ratio of 3/4 to 4/3, a mirror, and
# brightness, saturation, hue and contrast changed in one of four orders. Testing is that of its base.
#
# slim besides picks one of four interpolations for each crop where this is always bilinear, and asks that a crop covers
# a tenth of an annotated box.
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
