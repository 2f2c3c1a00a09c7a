"""Solutions of lesson 03, and mistakes that its checks should find."""


def multiply_adds(sizes):
    return sum(I * O for I, O in zip(sizes, sizes[1:]))


def wrong_multiply_adds(sizes):  # counts the biases too
    return sum((I + 1) * O for I, O in zip(sizes, sizes[1:]))


def loads_for_each_fma(r, c):
    return (r + c) / (r * c)


def wrong_loads_for_each_fma(r, c):  # loads both factors of each product anew
    return 2


def backward_input(dx, dz, W):
    for n in range(dx.shape[0]):
        for i in range(dx.shape[1]):
            total = 0.0
            for o in range(dz.shape[1]):
                total += dz[n, o] * W[i, o]
            dx[n, i] = total


def wrong_backward_input(dx, dz, W):  # keeps the last product only
    for n in range(dx.shape[0]):
        for i in range(dx.shape[1]):
            for o in range(dz.shape[1]):
                dx[n, i] = dz[n, o] * W[i, o]
