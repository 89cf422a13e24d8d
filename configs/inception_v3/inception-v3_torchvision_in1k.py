# torchvision's Inception V3 on ImageNet-1k, with torchvision's preprocessing and padding.
#
#   python tools/test.py configs/inception_v3/inception-v3_torchvision_in1k.py torchvision
#
# Expected: top-1 77.294, top-5 93.450 (torchvision 0.29.1, Inception_V3_Weights.IMAGENET1K_V1; not measured here).
#
# torchvision normalises with ImageNet's mean and std, and its model then maps that to [-1, 1] (transform_input), which
# is what the weights expect. Here the preprocessor does both in one step: the same function up to rounding.
_base_ = [
    '../_base_/models/inception-v3.py',
    '../_base_/datasets/imagenet_bs32_299px_pil_bilinear.py',
    '../_base_/schedules/imagenet_bs256_coslr.py',
    '../_base_/default_runtime.py',
]

data_preprocessor = dict(mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5])
