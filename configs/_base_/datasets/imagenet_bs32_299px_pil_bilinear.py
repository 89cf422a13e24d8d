# ImageNet at 299 px, tested as in torchvision: Pillow decodes and resizes the short side to 342 with its antialiasing
# bilinear filter; the center 299 is cropped. The EXIF orientation is ignored, as in torchvision.
_base_ = 'imagenet_bs32_299px.py'

test_pipeline = [
    dict(type='mmpretrain_inception.LoadImage', imdecode_backend='pillow', color_type='color_ignore_orientation'),
    dict(type='ResizeEdge', scale=342, edge='short', backend='pillow', interpolation='bilinear'),
    dict(type='CenterCrop', crop_size=299),
    dict(type='PackInputs'),
]

val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
