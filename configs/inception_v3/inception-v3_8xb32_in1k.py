# Inception V3 on ImageNet-1k: mmpretrain's published row, 8 GPUs x 32 images.
#
#   bash tools/dist_test.sh configs/inception_v3/inception-v3_8xb32_in1k.py mmpretrain 8
#   bash tools/dist_train.sh configs/inception_v3/inception-v3_8xb32_in1k.py 8
#
# Expected in testing: top-1 77.57, top-5 93.58 with mmpretrain's checkpoint (mmpretrain's metafile; not measured here).
# 23.83 M parameters, 5.75 GFLOPs. From scratch: not measured; mmpretrain does not guarantee this recipe either.
_base_ = [
    '../_base_/models/inception-v3.py',
    '../_base_/datasets/imagenet_bs32_299px.py',
    '../_base_/schedules/imagenet_bs256_coslr.py',
    '../_base_/default_runtime.py',
]
