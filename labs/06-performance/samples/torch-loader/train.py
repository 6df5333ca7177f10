"""PyTorch's DataLoader with the numbers of loader.py: 2 workers, 2 batches ahead, 24 MiB each."""

import time

import torch
from torch.utils.data import DataLoader, Dataset


class Pictures(Dataset[torch.Tensor]):
    def __len__(self) -> int:
        return 12 * 32

    def __getitem__(self, number: int) -> torch.Tensor:
        return torch.full((3, 512, 512), number % 256, dtype=torch.uint8)


if __name__ == "__main__":
    for batch in DataLoader(Pictures(), batch_size=32, num_workers=2, prefetch_factor=2):
        print(tuple(batch.shape), flush=True)
        time.sleep(0.1)
