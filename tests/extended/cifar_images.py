"""The pictures of CIFAR-10 as the networks of the zoo take them."""

import numpy

MEAN = numpy.array([0.4914, 0.4822, 0.4465], numpy.float32).reshape(1, 3, 1, 1)
DEVIATION = numpy.array([0.2470, 0.2435, 0.2616], numpy.float32).reshape(1, 3, 1, 1)


def read_images(path):
    """Normalised images and labels of a CIFAR-10 binary file."""
    records = numpy.fromfile(path, numpy.uint8).reshape(-1, 3073)
    images = records[:, 1:].reshape(-1, 3, 32, 32).astype(numpy.float32) / 255
    return (images - MEAN) / DEVIATION, records[:, 0].astype(numpy.int64)
