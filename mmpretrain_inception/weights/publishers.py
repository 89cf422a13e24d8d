"""The publishers whose weights can be read, and what can be written.

It imports only the standard library, so that tools can read it without importing the package, which takes seconds.
"""

from __future__ import annotations

# The names that --source takes, and who uses these names for the parameters, for messages.
PUBLISHERS = {
    'ours': 'this package',
    'backbone': 'a bare backbone',
    'torchvision': 'torchvision or timm',
    'mmpretrain': 'mmpretrain',
    'pytorch-fid': "pytorch-fid's InceptionV3",
    'keras': 'Keras',
}
# Publishers that use the names of another one. torch-fidelity's extractor uses torchvision's.
ALIASES = {'timm': 'torchvision', 'torch-fidelity': 'torchvision'}
SOURCES = ('auto', *PUBLISHERS, *ALIASES)

# The names that can be written, and the kinds of files.
TARGETS = ('ours', 'torchvision', 'timm')
SUFFIXES = ('.pth', '.safetensors')
