# ImageNet at 299 px, tested as in TensorFlow's slim: the center 0.875 of each side is resized to 299 x 299 with
# TensorFlow 1's bilinear interpolation, without antialiasing or keeping the aspect ratio. EXIF orientation is ignored.
_base_ = 'imagenet_bs32_299px.py'

test_pipeline = [
    dict(type='mmpretrain_inception.LoadImage', imdecode_backend='pillow', color_type='color_ignore_orientation'),
    dict(type='mmpretrain_inception.TensorFlowCentralCrop', fraction=0.875),
    dict(type='mmpretrain_inception.TensorFlowResize', scale=299),
    dict(type='PackInputs'),
]

val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
