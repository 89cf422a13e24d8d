# ImageNet at 299 px, tested as torchvision tests: Pillow decodes, the short side becomes 342 by its bilinear filter,
# which antialiases, and the central 299 are taken. EXIF's orientation is ignored, as torchvision does.
_base_ = 'imagenet_bs32_299px.py'

test_pipeline = [
    dict(type='mmpretrain_inception.LoadImage', imdecode_backend='pillow', color_type='color_ignore_orientation'),
    dict(type='ResizeEdge', scale=342, edge='short', backend='pillow', interpolation='bilinear'),
    dict(type='CenterCrop', crop_size=299),
    dict(type='PackInputs'),
]

val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
