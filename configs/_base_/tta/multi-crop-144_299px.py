# `--tta` averages the scores of GoogLeNet's 144 crops (section 7 of arXiv:1409.4842) at 299 px: four scales, three
# squares of each, and for each square the corners, the center and the whole, with their mirror images.
#
# Add it to the `_base_` of any config. For another size set `crop_size`; the scales follow. The model cuts the crops
# one at a time, so the pipeline only loads images, as the config's test pipeline does, and memory does not grow with
# the number of crops. Images are resized with OpenCV's bilinear interpolation, which does not antialias.
tta_pipeline = [
    dict(type='mmpretrain_inception.LoadImage'),
    dict(type='PackInputs'),
]

tta_model = dict(
    type='mmpretrain_inception.MultiCropTTA',
    crop_size=299,
    # The paper's short sides for 224 px; times 299 / 224 and rounded they are 342, 384, 427 and 470.
    scales=(256, 288, 320, 352),
    squares=('start', 'centre', 'end'),
)
