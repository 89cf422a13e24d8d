# ImageNet at 299 px, tested as Keras loads images (`image_dataset_from_directory`): the whole image is resized to
# 299 x 299 with TensorFlow 2's bilinear interpolation, without antialiasing or keeping the aspect ratio. The EXIF
# orientation is ignored.
_base_ = 'imagenet_bs32_299px.py'

test_pipeline = [
    dict(type='mmpretrain_inception.LoadImage', imdecode_backend='pillow', color_type='color_ignore_orientation'),
    dict(type='mmpretrain_inception.TensorFlowResize', scale=299, half_pixel_centers=True),
    dict(type='PackInputs'),
]

val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
