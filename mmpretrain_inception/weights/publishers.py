"""Whose files of weights are read, and what is written.

It imports only the standard library, so that tools can read it without importing the package, which takes seconds.
"""

from __future__ import annotations

# By what --source calls them: whose names the parameters have, for messages.
PUBLISHERS = {
    'ours': 'this package',
    'backbone': 'a bare backbone',
    'torchvision': 'torchvision or timm',
    'mmpretrain': 'mmpretrain',
    'pytorch-fid': "pytorch-fid's InceptionV3",
    'keras': 'Keras',
}
# Publishers with the names of another; torch-fidelity's extractor has torchvision's.
ALIASES = {'timm': 'torchvision', 'torch-fidelity': 'torchvision'}
SOURCES = ('auto', *PUBLISHERS, *ALIASES)

# Whose names can be written, and in which files.
TARGETS = ('ours', 'torchvision', 'timm')
SUFFIXES = ('.pth', '.safetensors')
