# timm's inception_v3.gluon_in1k on ImageNet-1k (GluonCV's weights), with timm's preprocessing.
#
#   python tools/test.py configs/inception_v3/inception-v3_timm-gluon_in1k.py timm-gluon
#
# Expected: top-1 78.806, top-5 94.372 (timm's results-imagenet.csv; not measured here).
#
# These weights use ImageNet's mean and std, which are in the model's base.
_base_ = [
    '../_base_/models/inception-v3.py',
    '../_base_/datasets/imagenet_bs32_299px_pil_bicubic.py',
    '../_base_/schedules/imagenet_bs256_coslr.py',
    '../_base_/default_runtime.py',
]
