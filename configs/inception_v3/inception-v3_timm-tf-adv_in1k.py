# timm's inception_v3.tf_adv_in1k on ImageNet-1k (TensorFlow slim's adversarially trained weights of 2017-08-18), with
# timm's preprocessing.
#
#   python tools/test.py configs/inception_v3/inception-v3_timm-tf-adv_in1k.py timm-tf-adv
#
# Expected: top-1 77.598, top-5 93.726 (timm's results-imagenet.csv; not measured here).
#
# timm counts padded zeros in its average pools, although these weights were trained in TensorFlow, which does not:
# inception-v3_timm-tf-adv-tfeval_in1k.py tests them as TensorFlow does.
_base_ = [
    '../_base_/models/inception-v3.py',
    '../_base_/datasets/imagenet_bs32_299px_pil_bicubic.py',
    '../_base_/schedules/imagenet_bs256_coslr.py',
    '../_base_/default_runtime.py',
]

data_preprocessor = dict(mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5])
