"""Solutions of lesson 15, and mistakes that its checks should find."""


def warm_up(epoch, lr, epochs):
    return lr * min((epoch + 1) / epochs, 1)


def wrong_warm_up(epoch, lr, epochs):  # nothing is learned in epoch 0
    return lr * min(epoch / epochs, 1)


def should_stop(losses, patience):
    best = min(range(len(losses)), key=losses.__getitem__)
    return len(losses) - 1 - best >= patience


def wrong_should_stop(losses, patience):  # compares neighbours only
    return losses[-1] > losses[-2]


def best_three(losses):
    return sorted(losses)[:3]


def wrong_best_three(losses):  # the largest
    return sorted(losses)[-3:]
