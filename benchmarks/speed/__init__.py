"""Times our network against those of mmpretrain, torchvision and timm, and against exported files."""
