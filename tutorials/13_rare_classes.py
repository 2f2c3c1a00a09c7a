# %% [markdown]
# # 13 Rare classes: weights, and why accuracy misleads
#
# Goal: find the few ill people among many healthy ones, and judge a model that does.

# %%
import numpy as np

from kerasnb import Sequential, plotting, set_seed
from kerasnb.kernels.plain.masks import sample_coefficients
from kerasnb.layers import Dense
from kerasnb.lessons import axes, check, figure, quick, show
from kerasnb.optimizers import Adam

random = np.random.default_rng(0)


def draw(n):
    """Return two blood values of n people, and who is ill: one in twenty."""
    ill = (random.uniform(size=n) < 0.05).astype(int)
    return random.normal(size=(n, 2)) + np.outer(ill, [1.6, 1.2]), ill


(x, t), (x_test, t_test) = draw(3000), draw(10000)

# %% [markdown]
# ## Four numbers, not one
# A doctor who calls everybody healthy is right for 95 of 100 people, and useless. Count
# apart: ill and found (tp, true positives), ill and missed (fn, false negatives),
# healthy and alarmed (fp), healthy and left alone (tn).
#
#     accuracy = (tp + tn) / (tp + tn + fp + fn)
#     precision = tp / (tp + fp)        which part of the alarms is right?
#     recall = tp / (tp + fn)           which part of the ill is found?


# %%
def count(t, alarm):
    """Return [[tn, fp], [fn, tp]]: one person after the other."""
    table = np.zeros((2, 2), int)
    for ill, alarmed in zip(t, 1 * alarm):
        table[ill, alarmed] += 1
    return table


def judge(name, alarm):
    (tn, fp), (fn, tp) = count(t_test, alarm)
    rates = (tp + tn) / len(t_test), tp / max(tp + fp, 1), tp / (tp + fn)
    print(f"{name:21}", *(f"{one:10.1%}" for one in rates))
    return rates


print(f"{'':21}   accuracy  precision     recall")
judge("everybody is healthy", np.zeros(len(t_test), bool))

# %% [markdown]
# ## Weights
# Every sample n can have a weight w[n] in the loss; N samples (w is not 0) give
#
#     L = 1/N sum_n w[n] L[n]
#
# A class weight is the weight of all samples of a class. Question: let an ill person
# count as much as 19 healthy ones. Which of the three rates will rise, which fall?


# %%
def train(**weights):
    set_seed(0)
    model = Sequential([Dense(16, "relu", input_shape=(2,)), Dense(1, "sigmoid")])
    model.compile(Adam(lr=0.01), "binary_crossentropy")
    model.fit(x, t, epochs=quick(20, 10), verbose=0, **weights)
    return model


plain, weighted = train(), train(class_weight={0: 1, 1: 19})
p, p_weighted = (model.predict(x_test)[:, 0] for model in (plain, weighted))
without = judge("no weights", p > 0.5)
with_weights = judge("ill people count 19", p_weighted > 0.5)
assert with_weights[0] < without[0] - 0.03 and with_weights[1] < without[1]
assert with_weights[2] > without[2] + 0.3, "only recall rises"

drawn, panels = axes(2, size=(6, 6))
for panel, alarm in zip(panels, (p > 0.5, p_weighted > 0.5)):
    panel.grid(False)
    plotting.plot_confusion_matrix(t_test, 1 * alarm, ["healthy", "ill"], ax=panel)
figure(drawn, "13_counts")
assert (plotting.confusion_matrix(t_test, 1 * alarm) == count(t_test, alarm)).all()

# %% [markdown]
# ## The same without weights
# The loss pushes p towards the true chance of being ill. A weight of 19 multiplies the
# odds p / (1 - p) by 19, so 1/20 becomes 1/2. We may as well leave the loss alone and
# raise the alarm from p = 1/20 on. Each threshold gives its precision and recall:

# %%
moved = judge("no weights, p > 1/20", p > 1 / 20)
assert abs(moved[2] - with_weights[2]) < 0.05
drawn, ax = axes()
for name, chances in (("no weights", p), ("ill people count 19", p_weighted)):
    found = np.cumsum(t_test[np.argsort(-chances)])  # ill ones, highest chance first
    precision = found / np.arange(1, len(found) + 1)
    ax.plot((found / found[-1])[20:], precision[20:], label=name)
    at = np.sum(chances > 0.5) - 1
    ax.plot(found[at] / found[-1], precision[at], "ko", zorder=3)
ax.legend(title="dots: p > 1/2")
ax.set(xlabel="recall", ylabel="precision", ylim=(0, 1))
figure(drawn, "13_trade")

# %% [markdown]
# Weights, or a threshold, choose a place on the curve. The curve itself hardly moves.
#
# ## The library's way
# Class weights become sample weights. From those a kernel makes the factors c of the
# loss. Where is it said that samples of weight 0 do not count in N?

# %%
show(sample_coefficients)
by_sample = train(sample_weight=np.where(t == 1, 19.0, 1.0))
assert np.array_equal(by_sample.predict(x_test), weighted.predict(x_test))

# %% [markdown]
# ## Exercises


# %%
def balanced(t):
    """1. Return {class: weight}: a class's weights add up to N / number of classes."""
    ...


classes = np.repeat([0, 1, 2], [5, 1, 12])
check(1, balanced, {0: 1.2, 1: 6.0, 2: 0.5}, lambda r: (classes,))


# %%
def f1(precision, recall):
    """2. Return f1, where 1 / f1 is the mean of 1 / precision and 1 / recall."""
    ...


check(2, f1, 0.6, lambda r: (0.5, 0.75))


# %%
def threshold(cost):
    """3. A missed ill person costs `cost`, a false alarm 1. Alarm from which p on?"""
    ...


check(3, threshold, 0.05, lambda r: (19,))
