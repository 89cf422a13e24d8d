# ImageNet at 299 px, tested as in timm: Pillow decodes and resizes the short side to 341 = floor(299 / 0.875) with its
# antialiasing bicubic filter; the center 299 is cropped. The EXIF orientation is ignored, as in timm.
_base_ = 'imagenet_bs32_299px.py'

test_pipeline = [
    dict(type='mmpretrain_inception.LoadImage', imdecode_backend='pillow', color_type='color_ignore_orientation'),
    dict(type='ResizeEdge', scale=341, edge='short', backend='pillow', interpolation='bicubic'),
    dict(type='CenterCrop', crop_size=299),
    dict(type='PackInputs'),
]

val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
