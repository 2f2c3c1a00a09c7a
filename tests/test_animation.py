"""Movies: their frames, their files, and the training they show."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from kerasnb import Sequential, animation, plotting
from kerasnb.animation import Movie, animate_training
from kerasnb.layers import Dense

X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
T = np.array([0, 1, 1, 0])


def small():
    """A model for points of the plane."""
    model = Sequential([Dense(4, activation="tanh", input_shape=(2,))])
    model.add(Dense(1, activation="sigmoid"))
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    return model


def filmed(count=3):
    """A movie of a line that rises."""
    movie = Movie(size=(2, 1.5), dpi=40)
    for k in range(count):
        movie.add(lambda ax, k=k: ax.plot([0, 1], [0, k]) and ax.set_ylim(0, 3))
    return movie


# ---- files ------------------------------------------------------------------------


def test_a_gif_has_all_frames(tmp_path):
    """As many as were added, of their size, each for its time, the last for longer."""
    path = tmp_path / "x.gif"
    filmed().save(path, fps=10, hold=2)
    with Image.open(path) as gif:
        assert gif.format == "GIF" and gif.size == (80, 60)
        assert gif.n_frames == 3 and gif.info["loop"] == 0
        times = []
        for k in range(3):
            gif.seek(k)
            times.append(gif.info["duration"])
            shown = np.asarray(gif.convert("RGB")).astype(int)
            assert abs(shown - filmed().frames[k]).mean() < 2
    assert times == [100, 100, 2100]


def test_a_page_holds_all_frames(tmp_path):
    """As pictures inside the text, with the speed."""
    movie = filmed()
    page = movie.to_html(fps=5)
    assert page.count("data:image/png;base64,") == 3
    assert "200" in page
    path = tmp_path / "x.html"
    movie.save(str(path))
    assert path.read_text(encoding="utf-8").count("data:image/png;base64,") == 3
    assert movie._repr_html_() and Movie()._repr_html_() is None


def test_frames_have_the_size_asked_for():
    """Inches times dots; pyplot hears nothing of it."""
    movie = filmed(1)
    assert len(movie) == 1
    assert movie.frames[0].shape == (60, 80, 3) and movie.frames[0].dtype == np.uint8
    assert not plt.get_fignums()


# ---- of a training ----------------------------------------------------------------


def test_a_frame_before_training_and_after_each_epoch():
    """The function gets the model as it is then, and axes."""
    seen = []

    def draw(model, ax, color):
        seen.append((model.predict(X).sum(), color))
        ax.plot(seen[-1][:1], color=color)

    model = small()
    start = model.predict(X).sum()
    movie = animate_training(draw, size=(2, 1.5), dpi=40, color="red")
    model.fit(X, T, epochs=4, verbose=0, callbacks=[movie])
    assert len(movie) == len(seen) == 5
    assert seen[0] == (start, "red")
    assert seen[-1][0] == model.predict(X).sum()
    assert len({value for value, _ in seen}) == 5


def test_not_every_epoch_needs_a_frame():
    """Every third: the start and epochs 3 and 6."""
    movie = animate_training("weights", every=3, size=(3, 2), dpi=40)
    small().fit(X, T, epochs=7, verbose=0, callbacks=[movie])
    assert len(movie) == 3


def test_a_long_film_is_thinned_out(monkeypatch):
    """Beyond the largest number every second frame goes, and half as many come."""
    monkeypatch.setattr(animation, "MOST_FRAMES", 4)
    movie = animate_training(lambda model, ax: None, size=(1, 1), dpi=20)
    small().fit(X, T, epochs=12, verbose=0, callbacks=[movie])
    assert len(movie) <= 4 and movie.every == 4


@pytest.mark.parametrize("draw", ["curves", "boundary", "weights", "embedding"])
def test_each_picture_changes_while_the_model_learns(draw):
    """And a second training starts a new film."""
    model = small()
    movie = plotting.animate_training(draw, X, T, size=(4, 3), dpi=40)
    for epochs in (3, 2):
        model.fit(X, T, epochs=epochs, verbose=0, callbacks=[movie])
        assert len(movie) == epochs + 1
        assert (movie.frames[0] != movie.frames[-1]).any()
    assert not plt.get_fignums()


def test_filming_changes_no_number():
    """The training is the same with and without."""
    losses = []
    weights = small().get_weights()
    for callbacks in ([], [animate_training("boundary", X, T, size=(2, 2), dpi=30)]):
        model = small()
        model.set_weights(weights)
        history = model.fit(X, T, epochs=3, verbose=0, seed=1, callbacks=callbacks)
        losses.append(history.history["loss"])
    assert losses[0] == losses[1]


# ---- errors -----------------------------------------------------------------------


def test_what_cannot_be_filmed_is_refused(tmp_path):
    """An unknown picture, missing data, no frames, another kind of file."""
    with pytest.raises(ValueError, match="draw of animate_training: 'x'. Known: bound"):
        animate_training("x")
    with pytest.raises(ValueError, match="'boundary' needs data, pass x and y"):
        animate_training("boundary", X)
    with pytest.raises(ValueError, match="'embedding' needs data, pass x"):
        animate_training("embedding")
    with pytest.raises(ValueError, match="animate_training: every"):
        animate_training("curves", every=0)
    movie = animate_training("curves")
    with pytest.raises(ValueError, match="there is no frame yet.* after fit"):
        movie.save(tmp_path / "x.gif")
    with pytest.raises(ValueError, match="there is no frame yet"):
        movie.to_html()
    with pytest.raises(ValueError, match="ends in .gif or .html, got '.*x.mp4'"):
        filmed().save(tmp_path / "x.mp4")
    with pytest.raises(ValueError, match="fps above 0, got 0"):
        filmed().save(tmp_path / "x.gif", fps=0)
