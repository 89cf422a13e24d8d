# Table 3 of arXiv:1512.00567, row "Inception-v2": the next row with SGD for RMSProp, 50 GPUs x 32 images.
#
#   bash tools/dist_train.sh configs/inception_v3/inception-v2_50xb32_in1k.py 5
#
# on each of ten machines of 5 GPUs, or on others as inception-v3-paper_50xb32_in1k.py says.
#
# Expected: top-1 error 23.4 (the paper's table 3; not measured here). 5.315 GFLOPs, the paper 3.8.
#
# Section 8 says of the earlier models that they were trained with a momentum of 0.9. It gives one learning rate and one
# schedule for all, 0.045 times 0.94 every two epochs, which therefore stay, as do clipping, decay and averaging.
_base_ = 'inception-v2-rmsprop_50xb32_in1k.py'

optim_wrapper = dict(optimizer=dict(_delete_=True, type='SGD', lr=0.045, momentum=0.9, weight_decay=4e-5))
