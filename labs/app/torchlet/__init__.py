"""As much of PyTorch as one lesson needs."""

from torchlet._build import CUDA, VERSION

__version__ = VERSION
__all__ = ["CUDA", "__version__"]
