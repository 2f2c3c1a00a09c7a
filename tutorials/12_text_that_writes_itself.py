# %% [markdown]
# # 12 Text that writes itself
#
# Goal: guess the next character of a book so well that the guesses become a text.

# %%
import numpy as np

from kerasnb import Sequential, activations, datasets, set_seed
from kerasnb.layers import Dense
from kerasnb.lessons import axes, check, figure, quick, show
from kerasnb.optimizers import Adam
from kerasnb.recurrent import LSTM, RNN
from kerasnb.text import text_to_word_sequence as words_of

text = " ".join(datasets.alice.load_text().lower().split())  # two chapters
symbols = sorted(set(text))
numbers = np.array([symbols.index(symbol) for symbol in text])
S, cut = len(symbols), len(text) * 9 // 10  # the last tenth is held out

# %% [markdown]
# ## A first writer counts pairs
# How often does b follow a? That gives p[k], the chance that k comes next. To write,
# draw a character from p, look up what follows it, draw again. A temperature T changes
# p first: below 1 likely ones become likelier still, above 1 all come closer together.
#
#     q[k] = p[k]^(1/T) / sum_j p[j]^(1/T)


# %%
def draw(p, T, u):
    """Return a character's number for a random number u between 0 and 1."""
    u *= sum(p_k ** (1 / T) for p_k in p)  # the length of a line of S pieces
    for k, p_k in enumerate(p):  # in which piece is u?
        u -= p_k ** (1 / T)
        if u < 0:
            return k


def draw_all(p, T, u):
    """Do the same for rows of p, each with a T and a u of its own."""
    ends = np.cumsum(p ** (1 / T[:, None]), axis=1)
    return np.sum(ends <= u[:, None] * ends[:, -1:], axis=1)


counts = np.full((S, S), 0.01)  # a little for pairs that never occur
for a, b in zip(numbers[: cut - 1], numbers[1:cut]):
    counts[a, b] += 1
pairs = counts / counts.sum(axis=1, keepdims=True)
random = np.random.default_rng(0)
p, T, u = pairs[:30], random.uniform(0.5, 2, 30), random.uniform(size=30)
assert draw_all(p, T, u).tolist() == [draw(*row) for row in zip(p, T, u)]

# %% [markdown]
# ## A second writer remembers
# An LSTM (lesson 11) reads 40 characters, each as a one-hot row, and says after each
# what may come next. The targets are the same characters, moved by one.

# %%
one_hot = np.eye(S, dtype="float32")
early, late = np.arange(0, cut - 40, 10), np.arange(cut, len(text) - 40, 10)
early, late = (starts[:, None] + np.arange(40) for starts in (early, late))
x, y = one_hot[numbers[early]], numbers[early + 1][..., None]
held_out = one_hot[numbers[late]], numbers[late + 1][..., None]


def network(**words):
    first = LSTM(quick(96, 48), return_sequences=True, **words)
    return Sequential([first, Dense(S, "softmax")])


set_seed(0)
model = network(input_shape=(40, S))
model.compile(Adam(lr=0.01), "sparse_categorical_crossentropy")
told = model.fit(x, y, 32, quick(25, 4), 0, validation_data=held_out).history

# %% [markdown]
# ## The library's way
# To write, the network reads one character at a time and must not forget those before:
# it is `stateful`. In which line does the memory survive the call?

# %%
show(RNN.forward)
writer = network(stateful=True, batch_input_shape=(5, 1, S))
writer.set_weights(model.get_weights())
by_one = [writer.predict(x[:5, t : t + 1]) for t in range(40)]
assert np.allclose(np.concatenate(by_one, axis=1), model.predict(x[:5]), atol=1e-4)

# %% [markdown]
# Five texts at once, from T = 0.2 to 1.4. A word is right if the book has it. Question:
# which text of the LSTM reads best, and which one has the most right words?

# %%
drawn, (left, right) = axes(2)
book, heat = set(words_of(text)), np.array([0.2, 0.5, 0.8, 1.1, 1.4])
for name in ("LSTM", "pairs"):
    writer.reset_states()
    written = [[symbols.index(s)] * 5 for s in "alice was "]
    for k in range(quick(1000, 400)):
        p = pairs[written[k]]
        if name == "LSTM":
            p = writer.predict(one_hot[written[k]][:, None])[:, 0].astype(float)
        if k + 1 == len(written):  # all that is written has been read
            written.append(draw_all(p, heat, random.uniform(size=5)).tolist())
    texts = ["".join(symbols[k] for k in row) for row in zip(*written)]
    print(*(f"{name}, T = {T}: {t[:99]}" for T, t in zip(heat, texts)), sep="\n")
    rates = [np.mean([word in book for word in words_of(t)[:-1]]) for t in texts]
    right.plot(heat, rates, {"LSTM": "o-", "pairs": "s--"}[name], label=name)
    assert rates[0] > rates[4] + 0.1
of_pairs = -np.mean(np.log(pairs[numbers[cut:-1], numbers[cut + 1 :]]))
left.plot(told["loss"], label="LSTM, training part")
left.plot(told["val_loss"], label="LSTM, held out")
left.axhline(of_pairs, color="0.4", linestyle=":", label="pairs, held out")
left.set(xlabel="epoch", title="loss"), left.legend()
right.set(xlabel="temperature", title="right words", ylim=(0, 1)), right.legend()
figure(drawn, "12_writing")
assert min(told["val_loss"]) < of_pairs < np.log(S)  # log(S): all equally likely

# %% [markdown]
# Cold texts repeat themselves: "the the" is right, and says nothing. Hot texts invent
# words. In the end the network recites (lesson 08): on the held-out tenth, pairs win.
#
# ## Exercises


# %%
def tempered(p, T):
    """1. Return q for probabilities p (S,) and a temperature T."""
    ...


check(1, tempered, activations.softmax(np.log(p[:1]) / 2)[0], lambda r: (p[0], 2))


# %%
def perplexity(p):
    """2. p holds what the true characters got. Return e to the power of the loss."""
    ...


check(2, perplexity, 4.0, lambda r: (np.array([1 / 2, 1 / 8]),))


# %%
def windows(numbers, length):
    """3. Return x and y, both (n, length), y one later: all windows that fit."""
    ...


check(3, windows, (np.c_[5:7, 6:8], np.c_[6:8, 7:9]), lambda r: (np.arange(5, 9), 2))
