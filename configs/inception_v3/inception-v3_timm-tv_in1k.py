# timm's inception_v3.tv_in1k on ImageNet-1k (torchvision's weights), with timm's preprocessing.
#
#   python tools/test.py configs/inception_v3/inception-v3_timm-tv_in1k.py timm-tv
#
# Expected: top-1 77.472, top-5 93.468 (timm's results-imagenet.csv; not measured here).
#
# timm's own result has changed by 0.04 between its releases since 2019.
_base_ = [
    '../_base_/models/inception-v3.py',
    '../_base_/datasets/imagenet_bs32_299px_pil_bicubic.py',
    '../_base_/schedules/imagenet_bs256_coslr.py',
    '../_base_/default_runtime.py',
]

data_preprocessor = dict(mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5])
