# `--tta` averages the scores of 12 crops at 299 px: the corners, the center and the whole of the center square at the
# first of GoogLeNet's scales, with their mirror images.
#
# Table 4 of arXiv:1512.00567 reports "12 crops" and does not say which. This is GoogLeNet's scheme for one scale and
# one square, 6 x 2; four scales and three squares give its 144.
_base_ = 'multi-crop-144_299px.py'

tta_model = dict(scales=(256,), squares=('centre',))
