"""Where the service computes. serve.py asks once, at its start."""

from torchlet import cuda


def choose() -> list[str]:
    """The names of the devices to compute on: those of the GPUs that are here, else cpu."""
    if not cuda.is_available():
        return ["cpu"]
    return [cuda.get_device_name(number) for number in range(cuda.device_count())]
