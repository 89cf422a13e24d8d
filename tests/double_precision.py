"""mmpretrain's classifier in float64, where the order of additions changes the last of 16 digits and not of 7."""

from mmpretrain.models import ImageClassifier
from mmpretrain.registry import MODELS


@MODELS.register_module()
class DoubleClassifier(ImageClassifier):
    def __init__(self, **settings):
        super().__init__(**settings)
        self.double()

    def forward(self, inputs, data_samples=None, mode='tensor'):
        return super().forward(inputs.double(), data_samples, mode)
