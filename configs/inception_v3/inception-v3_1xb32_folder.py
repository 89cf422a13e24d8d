# Inception V3 on your own images: DIR/train/<class>/* and DIR/val/<class>/*, at least two classes.
#
#   python tools/train.py configs/inception_v3/inception-v3_1xb32_folder.py --data DIR
#   python tools/test.py  configs/inception_v3/inception-v3_1xb32_folder.py CHECKPOINT --data DIR
#
# It fine-tunes torchvision's weights, which are downloaded the first time (104 MB). Others, or none at all:
#
#   --weights FILE      --weights timm-gluon      --weights none
#
# Expected: depends on the images.
_base_ = [
    '../_base_/models/inception-v3-aux.py',
    '../_base_/datasets/folder_bs32_299px.py',
    '../_base_/schedules/sgd_bs32_coslr_30e.py',
    '../_base_/default_runtime.py',
]

load_from = 'torchvision'
# Torchvision's preprocessing in one step, as in inception-v3_torchvision_in1k.py.
data_preprocessor = dict(mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5])
