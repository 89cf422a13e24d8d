# The paper's Inception-v3 tested with 144 crops (its table 4).
#
#   python tools/test.py configs/inception_v3/inception-v3-paper-144crop_in1k.py CHECKPOINT --tta
#
# Expected: not measured. The paper: top-1 81.23, top-5 95.8 on 48,238 images; inception-v3-paper-48238_in1k.py shows
# how to leave out the others. Without --tta it is one crop.
_base_ = [
    'inception-v3-paper_50xb32_in1k.py',
    '../_base_/tta/multi-crop-144_299px.py',
]

# Decoded as in the config's own test pipeline.
tta_pipeline = [
    dict(type='mmpretrain_inception.LoadImage', imdecode_backend='pillow', color_type='color_ignore_orientation'),
    dict(type='PackInputs'),
]
