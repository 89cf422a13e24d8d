# Inception V3 with 1000 classes, trained with the auxiliary classifier on the 17x17 feature map (section 4 of
# arXiv:1512.00567) and label smoothing 0.1 (section 7).
_base_ = 'inception-v3.py'

model = dict(
    backbone=dict(out_indices=(3, 4)),
    head=dict(
        with_aux=True,
        aux_weight=0.4,
        loss=dict(_delete_=True, type='LabelSmoothLoss', label_smooth_val=0.1, mode='original'),
    ),
)
