"""Where the service computes. serve.py asks once, at its start."""

from torchlet import cuda


def choose() -> list[str]:
    """The names of the devices to compute on: those of the GPUs that are here, else cpu."""
    # Dies where there is no driver, as a model does that is sent to "cuda" unasked.
    return [cuda.get_device_name(number) for number in range(max(1, cuda.device_count()))]
