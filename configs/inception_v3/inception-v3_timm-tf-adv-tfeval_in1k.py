# timm's inception_v3.tf_adv_in1k on ImageNet-1k, tested as in TensorFlow's slim: average pools do not count padded
# zeros, and the center 0.875 of an image is resized to 299 x 299 with TensorFlow 1's bilinear interpolation.
#
#   python tools/test.py configs/inception_v3/inception-v3_timm-tf-adv-tfeval_in1k.py timm-tf-adv
#
# Expected: not known; there is no published result for this preprocessing, and it was not measured here.
_base_ = [
    '../_base_/models/inception-v3.py',
    '../_base_/datasets/imagenet_bs32_299px_tf1.py',
    '../_base_/schedules/imagenet_bs256_coslr.py',
    '../_base_/default_runtime.py',
]

data_preprocessor = dict(mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5])
model = dict(backbone=dict(count_include_pad=False))
