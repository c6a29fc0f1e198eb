#!/usr/bin/env python3
"""Cuts the demonstration's data out of the sample photographs in the scikit-image wheel.

Writes into the output folder:
  photos/*           the photographs as the wheel carries them
  crops.npz          `input`, float32 [320, 3, 32, 32]: square crops, normalised as for CIFAR-10
  cat.npy            float32 [1, 3, 32, 32]: the photograph of a cat, normalised likewise
The same wheel and the same versions of numpy and pillow give the same bytes.
"""

import argparse
import io
import pathlib
import zipfile

import numpy as np
from PIL import Image

# Colour photographs dedicated to the public domain: an astronaut, a cat, a cup of coffee, a rocket
# on its pad, and galaxies. The wheel's other pictures are drawings, textures or of another licence.
PHOTOGRAPHS = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "hubble_deep_field.jpg")
CROPS_PER_PHOTOGRAPH = 64
SIDE = 32
SEED = 20
# Left, upper, right, lower: the head of the cat fills this square of chelsea.png (451 x 300).
CAT_BOX = (55, 0, 355, 300)
# Mean and standard deviation of CIFAR-10's training images, per channel, in 0..1.
MEAN = np.array([0.4914, 0.4822, 0.4465], np.float32).reshape(3, 1, 1)
STD = np.array([0.2470, 0.2435, 0.2616], np.float32).reshape(3, 1, 1)


def normalise(picture):
    """A 32 x 32 RGB picture as the float32 [3, 32, 32] that networks trained on CIFAR-10 take."""
    pixels = np.asarray(picture, np.float32).transpose(2, 0, 1)
    return (pixels / np.float32(255) - MEAN) / STD


def shrink(picture, box):
    # Area averaging, as the pictures of CIFAR-10 were made from larger ones.
    return normalise(picture.crop(box).resize((SIDE, SIDE), Image.Resampling.BOX))


def random_crops(picture, rng, count):
    """Square crops of every scale, from the full height down to four pixels for each one kept."""
    largest = min(picture.size)
    crops = []
    for _ in range(count):
        side = int(rng.integers(4 * SIDE, largest + 1))
        left = int(rng.integers(0, picture.width - side + 1))
        upper = int(rng.integers(0, picture.height - side + 1))
        crops.append(shrink(picture, (left, upper, left + side, upper + side)))
    return crops


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--wheel", type=pathlib.Path, required=True)
    parser.add_argument("--output", type=pathlib.Path, required=True)
    arguments = parser.parse_args()

    (arguments.output / "photos").mkdir(parents=True, exist_ok=True)
    pictures = {}
    with zipfile.ZipFile(arguments.wheel) as wheel:
        for name in PHOTOGRAPHS:
            content = wheel.read(f"skimage/data/{name}")
            (arguments.output / "photos" / name).write_bytes(content)
            pictures[name] = Image.open(io.BytesIO(content)).convert("RGB")

    rng = np.random.default_rng(SEED)
    crops = [random_crops(pictures[name], rng, CROPS_PER_PHOTOGRAPH) for name in PHOTOGRAPHS]
    # Photograph by photograph within the batch, so that the first N samples show all of them.
    mixed = np.stack([crop for group in zip(*crops) for crop in group])
    np.savez(arguments.output / "crops.npz", input=mixed)
    np.save(arguments.output / "cat.npy", shrink(pictures["chelsea.png"], CAT_BOX)[np.newaxis])
    print(f"{len(mixed)} crops of {len(PHOTOGRAPHS)} photographs -> {arguments.output}")


if __name__ == "__main__":
    main()
