# inception-v3-aux_8xb32_in1k with FSDP: sharded parameters, gradients and optimizer state, 8 GPUs x 32 images.
#
#   bash tools/dist_train.sh configs/inception_v3/inception-v3-aux-fsdp_8xb32_in1k.py 8
#   python tools/test.py configs/inception_v3/inception-v3-aux-fsdp_8xb32_in1k.py CHECKPOINT    (one process or more)
#
# Expected: the result of inception-v3-aux_8xb32_in1k, to rounding; not measured on ImageNet.
_base_ = [
    '../_base_/models/inception-v3-aux.py',
    '../_base_/datasets/imagenet_bs32_299px.py',
    '../_base_/schedules/imagenet_bs256_coslr.py',
    '../_base_/fsdp_runtime.py',
]
