"""The networks whose weights are known, one folder each.

To add a network, add a folder with two tables, ``names.py`` (our names, in the order of the state dict) and
``schemes.py`` (every publisher's prefixes and ours), join them in its ``__init__.py`` as a
:class:`~mmpretrain_inception.weights.families.family.Family`, and list that below. The class of the backbone names it
as its ``family``. Opening, renaming, checking, loading and converting then work as they are.
"""

from mmpretrain_inception.weights.families.family import Family, Network, Place, Scheme, Weights, networks_in
from mmpretrain_inception.weights.families.inception_v3 import INCEPTION_V3

FAMILIES: tuple[Family, ...] = (INCEPTION_V3,)

__all__ = ['FAMILIES', 'INCEPTION_V3', 'Family', 'Network', 'Place', 'Scheme', 'Weights', 'networks_in']
