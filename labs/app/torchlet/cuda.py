"""What torch.cuda says of the devices, and in its way: asking never fails, using may.

Like PyTorch it brings its own CUDA and asks the machine's driver, which no image can bring: the
NVIDIA Container Toolkit puts it into the container.
"""

import ctypes
import warnings

from torchlet._build import CUDA

LONGEST = 256


def is_available() -> bool:
    """Whether this build can use a GPU here. A driver that is too old is a warning, and a no."""
    why = _why_not()
    if "too old" in why:
        warnings.warn(why, stacklevel=2)
    return not why


def device_count() -> int:
    """How many GPUs this build can use; 0 without a driver."""
    if _why_not():
        return 0
    count = ctypes.c_int(0)
    _driver().cuDeviceGetCount(ctypes.byref(count))
    return count.value


def get_device_name(number: int) -> str:
    """A GPU's name. Raises RuntimeError where there is none to use."""
    if why := _why_not():
        raise RuntimeError(why)
    text = ctypes.create_string_buffer(LONGEST)
    if _driver().cuDeviceGetName(text, LONGEST, number):
        raise RuntimeError(f"There is no GPU {number} here.")
    return text.value.decode()


def _why_not() -> str:
    """Why no GPU can be used; empty when one can."""
    try:
        driver = _driver()
    except OSError:
        return "Found no NVIDIA driver on your system."
    if driver.cuInit(0):
        return "No CUDA-capable device is detected."
    version = ctypes.c_int(0)
    driver.cuDriverGetVersion(ctypes.byref(version))
    if version.value // 1000 < int(CUDA.partition(".")[0]):
        return (
            f"The NVIDIA driver on your system is too old (found version {version.value}):"
            f" this build is for CUDA {CUDA}."
        )
    return ""


def _driver() -> ctypes.CDLL:
    return ctypes.CDLL("libcuda.so.1")
