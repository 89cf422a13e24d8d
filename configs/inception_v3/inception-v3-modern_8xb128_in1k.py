# Inception V3 on ImageNet-1k with a modern recipe, 8 GPUs x 128 images, 300 epochs. Each base names the source of its
# choices: model (mixup and CutMix), dataset (augmentation, resolution), schedule.
#
#   bash tools/dist_train.sh configs/inception_v3/inception-v3-modern_8xb128_in1k.py 8 --amp
#   bash tools/dist_test.sh  configs/inception_v3/inception-v3-modern_8xb128_in1k.py CHECKPOINT 8
#
# 8 x 128 = 1024 images per step, 1251 steps per epoch, 375,000 in all. With fewer GPUs, keep the step with
# `optim_wrapper.accumulative_counts=k custom_hooks.0.interval=k` (2 GPUs: k=4), or use a smaller one with
# `--auto-scale-lr`. Without the auxiliary classifier: --cfg-options model.head.with_aux=False
#
# Expected: not measured on ImageNet. It should exceed top-1 79.25, the best published result for this network from
# scratch (MindCV, 200 epochs at 299 px). PaddleClas has 79.1 and GluonCV 78.8 with parts of this recipe.
_base_ = [
    '../_base_/models/inception-v3-modern.py',
    '../_base_/datasets/imagenet_bs128_256px_modern.py',
    '../_base_/schedules/imagenet_bs1024_sgd_300e.py',
    '../_base_/default_runtime.py',
]
