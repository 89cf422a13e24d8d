# Inception V3 on ImageNet-1k, trained with the auxiliary classifier and label smoothing, 8 GPUs x 32 images.
#
#   bash tools/dist_train.sh configs/inception_v3/inception-v3-aux_8xb32_in1k.py 8
#
# Expected: not measured on ImageNet. 27.16 M parameters in training, 23.83 M and 5.75 GFLOPs in testing.
_base_ = [
    '../_base_/models/inception-v3-aux.py',
    '../_base_/datasets/imagenet_bs32_299px.py',
    '../_base_/schedules/imagenet_bs256_coslr.py',
    '../_base_/default_runtime.py',
]
