# Inception V3 on your own images: DIR/train/<class>/* and DIR/val/<class>/*, at least two classes.
#
#   python tools/train.py configs/inception_v3/inception-v3_1xb32_folder.py --data DIR
#   python tools/test.py  configs/inception_v3/inception-v3_1xb32_folder.py CHECKPOINT --data DIR
#
# To fine-tune, start from a pretrained file; you can also freeze the first stages and the batch-norm statistics:
#
#   --cfg-options load_from=FILE model.backbone.frozen_stages=2 model.backbone.norm_eval=True
#
# Expected: depends on the images.
_base_ = [
    '../_base_/models/inception-v3-aux.py',
    '../_base_/datasets/folder_bs32_299px.py',
    '../_base_/schedules/sgd_bs32_coslr_30e.py',
    '../_base_/default_runtime.py',
]
