"""Solutions of lesson 14, and mistakes that its checks should find."""


def batches_in(samples, size):
    return -(-samples // size)


def wrong_batches_in(samples, size):  # forgets the shorter batch
    return samples // size


def rows_of(k, size, samples):
    return k * size, min((k + 1) * size, samples)


def wrong_rows_of(k, size, samples):  # goes beyond the end
    return k * size, (k + 1) * size


def mirrored(image):
    return image[:, ::-1]


def wrong_mirrored(image):  # upside down
    return image[::-1]
