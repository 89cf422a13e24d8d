# Table 3 of arXiv:1512.00567, row "Inception-v2": the next row with SGD instead of RMSProp, 50 GPUs x 32 images.
#
#   bash tools/dist_train.sh configs/inception_v3/inception-v2_50xb32_in1k.py 5
#
# on each of ten machines with 5 GPUs; inception-v3-paper_50xb32_in1k.py shows how to use fewer GPUs.
#
# Expected: top-1 error 23.4 (the paper's table 3; not measured here). 5.315 GFLOPs, the paper 3.8.
#
# Section 8 says that the earlier models were trained with momentum 0.9. It gives one learning rate and one schedule for
# all, 0.045 times 0.94 every two epochs, so these stay, as do clipping, weight decay and averaging.
_base_ = 'inception-v2-rmsprop_50xb32_in1k.py'

optim_wrapper = dict(optimizer=dict(_delete_=True, type='SGD', lr=0.045, momentum=0.9, weight_decay=4e-5))
