"""Image augmentation: what varies, what is standardised, and what decides it."""

import pickle
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kerasnb
from kerasnb import random
from kerasnb.augmentation import UNCHANGED, ImageDataGenerator
from kerasnb.device import ops
from kerasnb.generators import Sequence
from kerasnb.image_iterators import DirectoryIterator, ImageIterator, NumpyArrayIterator

EVERYTHING = {
    "rotation_range": 30,
    "width_shift_range": 0.2,
    "height_shift_range": 2,
    "brightness_range": (0.5, 1.5),
    "shear_range": 10,
    "zoom_range": 0.3,
    "channel_shift_range": 2.0,
    "horizontal_flip": True,
    "vertical_flip": True,
}
sizes = st.integers(1, 7)
seeds = st.integers(0, 2**63 - 1)


def pictures(n=7, rows=5, columns=4, channels=1, seed=0):
    """Return images of random numbers from 0 to 10."""
    return np.random.default_rng(seed).uniform(0, 10, (n, rows, columns, channels))


def marked(n):
    """Return images that hold nothing but their number."""
    return np.broadcast_to(np.arange(n)[:, None, None, None], (n, 2, 2, 1))


def drawn(options, shape=(10, 20, 1), draws=200):
    """Return the parameters of many variations: name -> list."""
    images = ImageDataGenerator(**options)
    found = [images.get_random_transform(shape, seed) for seed in range(draws)]
    return {name: [one[name] for one in found] for name in UNCHANGED}


def equal(a, b):
    """Tell whether two batches hold the same bits."""
    return len(a) == len(b) and all(np.array_equal(u, v) for u, v in zip(a, b))


# ---- variations -------------------------------------------------------------------


def test_without_options_nothing_varies():
    """The parameters are those that change nothing, whatever the seed."""
    images = ImageDataGenerator()
    x = pictures()[0]
    assert images.get_random_transform(x.shape, 3) == UNCHANGED
    assert np.array_equal(images.random_transform(x, 3), x.astype("float32"))


@pytest.mark.parametrize(
    "options, name, low, high",
    [
        ({"rotation_range": 30}, "theta", -30, 30),
        ({"shear_range": 5}, "shear", -5, 5),
        ({"height_shift_range": 0.2}, "tx", -2, 2),
        ({"width_shift_range": 0.2}, "ty", -4, 4),
        ({"width_shift_range": 3.0}, "ty", -3, 3),
        ({"zoom_range": 0.25}, "zx", 0.75, 1.25),
        ({"zoom_range": (0.5, 0.8)}, "zy", 0.5, 0.8),
        ({"zoom_range": [1.5, 1.0]}, "zy", 1.0, 1.5),
        ({"brightness_range": (0.2, 1.2)}, "brightness", 0.2, 1.2),
        ({"channel_shift_range": 4}, "channel_shift_intencity", -4, 4),
    ],
)
def test_a_range_is_filled_and_kept(options, name, low, high):
    """200 draws lie within the range, and come near both ends."""
    found = drawn(options)[name]
    assert low <= min(found) < low + 0.1 * (high - low)
    assert high - 0.1 * (high - low) < max(found) <= high


@pytest.mark.parametrize(
    "shift, expected",
    [
        (3, {-2, -1, 0, 1, 2}),
        (np.int64(2), {-1, 0, 1}),
        (1, {0}),
        (0, {0}),
        ([5, -7], {5, -7}),
        (np.array([0.5, -0.1]), {10.0, -2.0}),
        ((0.5, 2), {0.5, 2}),
    ],
)
def test_whole_shifts_and_lists_are_chosen_from(shift, expected):
    """An int n: whole pixels below n; a list: its elements, fractions if all are."""
    assert set(drawn({"width_shift_range": shift})["ty"]) == expected
    assert set(drawn({"height_shift_range": shift}, (20, 10, 1))["tx"]) == expected


def test_rows_and_columns_zoom_apart_and_flips_are_a_coin():
    """Two factors, and about every other image is mirrored."""
    found = drawn({"zoom_range": 0.5, "horizontal_flip": True})
    assert found["zx"] != found["zy"]
    assert 70 < sum(found["flip_horizontal"]) < 130
    assert not any(found["flip_vertical"])


def test_generators_with_other_options_draw_the_same_angle():
    """Images and masks stay together: a seed decides each quantity by itself."""
    some = ImageDataGenerator(rotation_range=30, horizontal_flip=True)
    more = ImageDataGenerator(**EVERYTHING)
    a, b = (g.get_random_transform((5, 4, 1), 8) for g in (some, more))
    assert a["theta"] == b["theta"] != 0
    assert a["flip_horizontal"] == b["flip_horizontal"]


@pytest.mark.parametrize(
    "change, expected",
    [
        ({"flip_horizontal": True}, lambda x: x[:, ::-1]),
        ({"flip_vertical": True}, lambda x: x[::-1]),
        ({"tx": 1, "ty": 0}, lambda x: np.concatenate([x[1:], x[-1:]])),
        ({"ty": -1}, lambda x: np.concatenate([x[:, :1], x[:, :-1]], 1)),
        ({"brightness": 0.5}, lambda x: x / 2),
        ({"channel_shift_intencity": 2.0}, lambda x: np.minimum(x + 2, x.max())),
        ({"channel_shift_intencity": -9.0}, lambda x: np.maximum(x - 9, x.min())),
        ({"theta": 180}, lambda x: x[::-1, ::-1]),
        ({"theta": 90, "flip_vertical": True}, lambda x: np.rot90(x, -1)[::-1]),
    ],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_each_parameter_does_what_its_name_says(change, expected, channels):
    """On an image of either format; the image that comes in stays as it is."""
    x = pictures(1, 4, 4, channels)[0].astype("float32")
    given = x.copy()
    y = ImageDataGenerator().apply_transform(x, change)
    np.testing.assert_allclose(y, expected(x), rtol=1e-6)
    assert np.array_equal(x, given) and y.dtype == np.float32
    first = ImageDataGenerator(data_format="channels_first")
    z = first.apply_transform(np.moveaxis(x, -1, 0), change)
    assert np.array_equal(np.moveaxis(z, 0, -1), y)


def test_beyond_the_edge_lies_cval():
    """fill_mode and cval reach the kernel."""
    images = ImageDataGenerator(fill_mode="constant", cval=-1)
    y = images.apply_transform(np.ones((2, 2, 1)), {"tx": 1})
    assert y.ravel().tolist() == [1, 1, -1, -1]


def test_random_transform_follows_its_seed_or_the_stream():
    """A seed decides; without one the process-wide stream goes on."""
    images = ImageDataGenerator(**EVERYTHING)
    x = pictures()[0]
    assert np.array_equal(images.random_transform(x, 1), images.random_transform(x, 1))
    kerasnb.set_seed(3)
    a, b = images.random_transform(x), images.random_transform(x)
    kerasnb.set_seed(3)
    assert np.array_equal(images.random_transform(x), a)
    assert not np.array_equal(a, b)


# ---- standardisation --------------------------------------------------------------


def test_the_order_of_standardisation():
    """Function, factor, mean and deviation of the image, then those of the data."""
    x = pictures(6, channels=3)
    images = ImageDataGenerator(
        featurewise_center=True,
        featurewise_std_normalization=True,
        samplewise_center=True,
        samplewise_std_normalization=True,
        preprocessing_function=lambda image: image**2,
        rescale=0.1,
        dtype="float64",
    )
    images.fit(x)
    z = 0.1 * x**2
    z = z - z.mean((1, 2, 3), keepdims=True)
    z = z / (z.std((1, 2, 3), keepdims=True) + 1e-6)
    z = z - z.mean((0, 1, 2))
    z = z / (z.std((0, 1, 2)) + 1e-6)
    np.testing.assert_allclose(images.standardize(x), z, 1e-9, 1e-9)
    np.testing.assert_allclose(images.standardize(x[2]), z[2], 1e-9, 1e-9)


@given(st.integers(2, 7), sizes, sizes, st.sampled_from([1, 3]), st.booleans())
def test_after_fit_every_channel_has_mean_zero_and_deviation_one(n, R, C, K, first):
    """Also with a factor before it, and for channels first."""
    x = pictures(n, R + 1, C, K)
    x = np.moveaxis(x, -1, 1) if first else x
    images = ImageDataGenerator(
        featurewise_center=True,
        featurewise_std_normalization=True,
        rescale=1 / 255,
        data_format="channels_first" if first else None,
        dtype="float64",
    )
    images.fit(x)
    z = images.standardize(x)
    z = z if first else np.moveaxis(z, -1, 1)
    np.testing.assert_allclose(z.mean((0, 2, 3)), 0, atol=1e-9)
    np.testing.assert_allclose(z.std((0, 2, 3)), 1, rtol=1e-3)
    assert images.mean.shape == ((K, 1, 1) if first else (1, 1, K))


def test_whitened_pixels_are_uncorrelated():
    """The second moments of white images are the identity, as far as epsilon lets."""
    x = pictures(200, 4, 3)
    x[:, 0] += x[:, 1]
    images = ImageDataGenerator(
        featurewise_center=True, zca_whitening=True, zca_epsilon=1e-9, dtype="float64"
    )
    images.fit(x)
    white = images.standardize(x).reshape(200, -1)
    np.testing.assert_allclose(white.T @ white / 200, np.eye(12), atol=1e-6)
    components = images.principal_components
    np.testing.assert_allclose(components, components.T, atol=1e-12)


def test_fit_on_variations_sees_rounds_times_the_images():
    """Statistics of 2 rounds are those of the varied images; the seed decides them."""
    x = pictures(4)
    images = ImageDataGenerator(featurewise_center=True, rotation_range=40)
    images.fit(x, augment=True, rounds=2, seed=5)
    stream = random.Generator(5)
    varied = [images.random_transform(x[i % 4], stream.spawn()) for i in range(8)]
    np.testing.assert_allclose(images.mean.item(), np.mean(varied), rtol=1e-5)
    images.fit(x)
    np.testing.assert_allclose(images.mean.item(), x.mean(), rtol=1e-5)


def test_arrays_that_come_in_stay_as_they_are():
    """fit, flow and standardize copy, even where a function works in place."""

    def spoil(image):
        image += 1
        return image

    x = pictures().astype("float32")
    given = x.copy()
    images = ImageDataGenerator(
        featurewise_center=True,
        samplewise_center=True,
        preprocessing_function=spoil,
        **EVERYTHING,
    )
    images.fit(x, augment=True)
    images.fit(x)
    images.standardize(x)
    next(images.flow(x))
    next(ImageDataGenerator(preprocessing_function=spoil).flow(x, shuffle=False))
    assert np.array_equal(x, given)


@pytest.mark.parametrize(
    "options, wanted",
    [
        ({"zca_whitening": True}, {"featurewise_center": True}),
        (
            {
                "zca_whitening": True,
                "featurewise_center": True,
                "featurewise_std_normalization": True,
            },
            {"featurewise_std_normalization": False},
        ),
        ({"featurewise_std_normalization": True}, {"featurewise_center": True}),
        ({"samplewise_std_normalization": True}, {"samplewise_center": True}),
    ],
)
def test_options_that_others_presuppose_are_set_with_a_warning(options, wanted):
    """Whoever divides by the deviation wants the mean off first."""
    (name, value), *_ = wanted.items()
    with pytest.warns(UserWarning, match=f"sets {name} to {value}") as caught:
        images = ImageDataGenerator(**options)
    assert getattr(images, name) is value
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    "option",
    ["featurewise_center", "featurewise_std_normalization", "zca_whitening"],
)
def test_statistics_that_are_missing_are_warned_about(option):
    """Without fit the images come out as they are, and a sentence says so."""
    x = pictures()
    images = ImageDataGenerator()
    setattr(images, option, True)
    with pytest.warns(UserWarning, match=f"{option} does nothing before fit"):
        y = images.standardize(x)
    assert np.array_equal(y, x.astype("float32"))


def test_statistics_of_ones_own():
    """Whoever knows the mean of each channel may set it."""
    images = ImageDataGenerator(featurewise_center=True)
    images.mean = np.array([1.0, 2.0, 3.0])
    assert (images.standardize(np.zeros((2, 2, 3)))[0, 0] == [-1, -2, -3]).all()


# ---- batches ----------------------------------------------------------------------


@given(st.integers(1, 23), st.integers(1, 9), seeds)
def test_every_epoch_sees_every_sample_once_in_its_own_order(n, batch_size, seed):
    """By index and by next, the batches of an epoch are a permutation."""
    flow = ImageDataGenerator().flow(marked(n), batch_size=batch_size, seed=seed)
    assert isinstance(flow, Sequence) and len(flow) == -(-n // batch_size)
    orders = []
    for _ in range(2):
        batches = [flow[i] for i in range(len(flow))]
        orders.append(np.concatenate(batches)[:, 0, 0, 0].astype(int).tolist())
        assert [len(batch) for batch in batches[:-1]] == [batch_size] * (len(flow) - 1)
        flow.on_epoch_end()
    assert all(sorted(order) == list(range(n)) for order in orders)
    if n > 8:
        assert orders[0] != orders[1]
    again = ImageDataGenerator().flow(marked(n), batch_size=batch_size, seed=seed)
    pulled = np.concatenate([next(again) for _ in range(2 * len(again))])[:, 0, 0, 0]
    assert pulled.astype(int).tolist() == orders[0] + orders[1]


def test_without_shuffling_the_order_is_as_given():
    """In every epoch."""
    flow = ImageDataGenerator().flow(marked(5), batch_size=2, shuffle=False)
    for _ in range(2):
        found = np.concatenate([next(flow) for _ in range(3)])[:, 0, 0, 0]
        assert found.tolist() == [0, 1, 2, 3, 4]


def everything(x, seed=3, batch_size=3, **options):
    return ImageDataGenerator(**EVERYTHING, **options).flow(
        x, np.arange(len(x)), batch_size=batch_size, seed=seed
    )


def test_batches_depend_neither_on_threads_nor_on_the_order_of_calls():
    """One thread, four threads, forwards and backwards: the same bits."""
    x = pictures(20, 9, 8, 3)
    flow = everything(x)
    expected = [flow[i] for i in range(len(flow))]
    backwards = everything(x)
    found = [backwards[i] for i in reversed(range(len(flow)))][::-1]
    assert all(map(equal, found, expected))
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(everything(x).__getitem__, list(range(len(flow))) * 3))
    assert all(map(equal, found, expected * 3))


def test_an_image_varies_alike_in_every_batch_size_and_anew_in_every_epoch():
    """A variation belongs to seed, epoch and sample, not to the place in a batch."""
    x = pictures(6)
    small, large = everything(x, batch_size=1), everything(x, batch_size=6)
    (ones, numbers), (sixes, order) = zip(*(small[i] for i in range(6))), large[0]
    assert np.array_equal(np.concatenate(numbers), order)
    assert np.array_equal(np.concatenate(ones), sixes)
    large.on_epoch_end()
    later, order_later = large[0]
    assert not np.array_equal(sixes[order == 2], later[order_later == 2])


def test_four_threads_may_pull_from_one_iterator():
    """`next` hands out each batch of each epoch once."""
    flow = everything(pictures(20), batch_size=2)
    pulled, lock = [], threading.Lock()

    def pull():
        for _ in range(10):
            _, y = next(flow)
            with lock:
                pulled.extend(y.tolist())

    threads = [threading.Thread(target=pull) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(pulled) == sorted(list(range(20)) * 4)
    assert flow.epoch == 4


def test_threads_may_vary_images_while_parallel_kernels_run():
    """Augmentation launches nothing parallel: large products beside it are safe."""
    flow = everything(pictures(16, 8, 8), batch_size=4)
    expected = [flow[i] for i in range(4)]
    n = 8 if kerasnb.device.numba.config.DISABLE_JIT else 128
    a = np.ones((n, n), np.float32)
    y, b = np.empty_like(a), np.zeros(n, np.float32)
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(flow.__getitem__, [0, 1, 2, 3] * 5)
        for _ in range(20):
            ops.dense_forward(y, a, a, b)
        assert all(map(equal, found, expected * 5))
    assert (y == n).all()


def test_the_seed_comes_from_the_stream_if_there_is_none():
    """set_seed makes flows without a seed repeatable."""
    x = pictures()
    kerasnb.set_seed(1)
    a, b = everything(x, seed=None), everything(x, seed=None)
    kerasnb.set_seed(1)
    assert equal(everything(x, seed=None)[0], a[0])
    assert not equal(a[0], b[0])


def test_reset_and_iteration():
    """`iter` goes on for ever; reset starts the epoch again."""
    flow = everything(pictures(5))
    assert iter(flow) is flow
    first = next(flow)
    flow.reset()
    assert equal(next(flow), first) and equal(flow[-2], first)
    next(flow)
    assert flow.epoch == 1


def test_an_iterator_can_go_to_another_process():
    """What is unpickled makes the same batches, and locks again."""
    flow = everything(pictures())
    next(flow)
    twin = pickle.loads(pickle.dumps(flow))
    assert all(equal(next(twin), next(flow)) for _ in range(4))


def test_what_travels_with_the_images():
    """Targets, weights and further inputs are those of the images, as they were."""
    x, y, w = marked(7), 10 * np.arange(7), np.arange(7) / 7
    others = [np.arange(7) + 100, np.arange(14).reshape(7, 2)]
    images = ImageDataGenerator()
    flow = images.flow((x, others), y, batch_size=3, sample_weight=w, seed=1)
    for _ in range(len(flow)):
        (varied, a, b), targets, weights = next(flow)
        row = varied[:, 0, 0, 0].astype(int)
        assert np.array_equal(targets, y[row]) and targets.dtype == y.dtype
        assert np.array_equal(weights, w[row])
        assert np.array_equal(a, others[0][row]) and np.array_equal(b, others[1][row])
    assert next(images.flow(x)).shape == (7, 2, 2, 1)
    assert [len(part) for part in next(images.flow((x, y)))] == [7, 7]
    assert len(next(images.flow(list(x[:2]), y[:2]))) == 2


def test_the_first_fraction_is_for_validation():
    """The two subsets part every array between them."""
    x, y = marked(10), np.arange(10)
    images = ImageDataGenerator(validation_split=0.25)
    held = images.flow(x, y, subset="validation", shuffle=False, sample_weight=y)
    train = images.flow(x, y, subset="training", shuffle=False, sample_weight=y)
    for flow, expected in ((held, [0, 1]), (train, [2, 3, 4, 5, 6, 7, 8, 9])):
        images, targets, weights = flow[0]
        assert images[:, 0, 0, 0].tolist() == expected == targets.tolist()
        assert weights.tolist() == expected


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("given", ["uint8", "float64", "bool"])
def test_numbers_come_out_as_floats(dtype, given):
    """Whatever type the images have; float32 if nothing else is said."""
    x = marked(2).astype(given)
    assert next(ImageDataGenerator(dtype=dtype).flow(x)).dtype == dtype
    assert next(ImageDataGenerator().flow(x)).dtype == np.float32


def test_channels_first_flows_are_the_same_images():
    """The format changes the place of the channels and nothing else."""
    x = pictures(5, 4, 6, 3)
    a, _ = everything(x)[0]
    b, _ = everything(np.moveaxis(x, -1, 1), data_format="channels_first")[0]
    assert np.array_equal(np.moveaxis(b, 1, -1), a)


def test_a_subclass_says_where_images_come_from():
    """The base orders, varies and counts; `image` and `batch` are the subclass's."""

    class Circles(ImageIterator):
        def image(self, row):
            return np.full(self.image_shape, row)

        def batch(self, x, rows):
            return x, rows % 2

    images = ImageDataGenerator(rescale=2)
    x, y = Circles(3, (2, 2, 1), images, shuffle=False)[0]
    assert x[:, 0, 0, 0].tolist() == [0, 2, 4] and y.tolist() == [0, 1, 0]
    with pytest.raises(NotImplementedError, match="ImageIterator has no image"):
        ImageIterator(3, (2, 2, 1), images)[0]
    with pytest.raises(NotImplementedError, match="ImageIterator has no batch"):
        ImageIterator(3, (2, 2, 1), images).batch(x, y)


# ---- files ------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    """Four files of cats and two of dogs, grey 10, 20, ...; things to be left out."""
    image = pytest.importorskip("PIL.Image")
    for k, name in enumerate(["cats/1", "cats/2", "cats/deep/3", "cats/4"]):
        path = tmp_path / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        image.fromarray(np.full((3, 5), 10 * k + 10, np.uint8)).save(path)
    (tmp_path / "dogs").mkdir()
    for k in (5, 6):
        pixels = np.full((4, 4, 3), [10 * k, 0, 0], np.uint8)
        image.fromarray(pixels).save(tmp_path / f"dogs/{k}.BMP")
    (tmp_path / "dogs/readme.txt").write_text("no image")
    (tmp_path / ".hidden").mkdir()
    return tmp_path


def test_files_become_images_and_classes(folder, capsys):
    """Classes are the folders in order; files are found at any depth."""
    images = ImageDataGenerator()
    flow = images.flow_from_directory(folder, (4, 4), shuffle=False, batch_size=4)
    assert isinstance(flow, DirectoryIterator) and "6 images" in capsys.readouterr().out
    assert flow.class_indices == {"cats": 0, "dogs": 1} and flow.num_classes == 2
    assert flow.classes.tolist() == [0, 0, 0, 0, 1, 1]
    assert [len(flow), flow.n, flow.samples] == [2, 6, 6]
    x, y = flow[0]
    assert x.shape == (4, 4, 4, 3) and y.tolist() == [[1, 0]] * 4
    assert x[:, 1, 1, 0].tolist() == [10, 20, 40, 30]
    x, y = flow[1]
    assert x[:, 0, 0].tolist() == [[50, 0, 0], [60, 0, 0]]


@pytest.mark.parametrize(
    "mode, expected", [("binary", [1, 1, 0, 0, 0, 0]), ("sparse", [1, 1, 0, 0, 0, 0])]
)
def test_class_modes(folder, mode, expected):
    """The order of `classes` numbers them."""
    images = ImageDataGenerator()
    settings = {"classes": ["dogs", "cats"], "target_size": (2, 2), "shuffle": False}
    flow = images.flow_from_directory(folder, class_mode=mode, **settings)
    assert flow[0][1].tolist() == [0, 0, 1, 1, 1, 1] == [1 - k for k in expected]
    alone = images.flow_from_directory(folder, class_mode=None, **settings)[0]
    x, y = images.flow_from_directory(folder, class_mode="input", **settings)[0]
    assert np.array_equal(x, y) and np.array_equal(x, alone) and x is not y


@pytest.mark.parametrize("mode, channels", [("grayscale", 1), ("rgb", 3), ("rgba", 4)])
@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
def test_color_modes_and_sizes(folder, mode, channels, first, interpolation):
    """All files have the size and the channels that were asked for."""
    images = ImageDataGenerator(data_format="channels_first" if first else None)
    flow = images.flow_from_directory(
        folder, (2, 7), mode, interpolation=interpolation, shuffle=False
    )
    x = flow[0][0]
    assert x.shape == ((6, channels, 2, 7) if first else (6, 2, 7, channels))
    assert (x[0] == 10).sum() == 14 * min(channels, 3)


def test_each_class_is_split(folder):
    """The first half of each class is for validation; together they are all."""
    images = ImageDataGenerator(validation_split=0.5)
    flows = {
        subset: images.flow_from_directory(folder, subset=subset)
        for subset in ("validation", "training", None)
    }
    assert flows["validation"].classes.tolist() == [0, 0, 1]
    names = flows["validation"].filenames + flows["training"].filenames
    assert sorted(names) == sorted(flows[None].filenames)


def test_links_are_followed_when_wanted(folder):
    """A link to a folder inside a class counts only with follow_links."""
    (folder / "dogs/more").symlink_to(folder / "cats", target_is_directory=True)
    images = ImageDataGenerator()
    assert images.flow_from_directory(folder).n == 6
    assert images.flow_from_directory(folder, follow_links=True).n == 10


def test_files_vary_like_arrays(folder):
    """A DirectoryIterator is an ImageIterator: epochs, seeds and threads as there."""
    images = ImageDataGenerator(**EVERYTHING)
    a, b = (images.flow_from_directory(folder, (6, 6), seed=4) for _ in range(2))
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(a.__getitem__, [0] * 4))
    assert all(equal(one, b[0]) for one in found)
    b.on_epoch_end()
    assert not equal(a[0], b[0])


@pytest.mark.parametrize("channels, form", [(1, "png"), (3, "png"), (3, "jpeg")])
def test_images_are_written_to_look_at(tmp_path, channels, form):
    """One file per image and epoch, from black to white."""
    image = pytest.importorskip("PIL.Image")
    x = pictures(3, 5, 4, channels)
    target = tmp_path / "new"
    flow = ImageDataGenerator().flow(
        x, save_to_dir=target, save_prefix="seen", save_format=form, seed=1
    )
    next(flow)
    next(flow)
    names = sorted(path.name for path in target.iterdir())
    assert names == [f"seen_{n}_{epoch}.{form}" for n in range(3) for epoch in range(2)]
    with image.open(target / f"seen_0_1.{form}") as file:
        pixels = np.asarray(file).reshape(5, 4, channels)
    if form == "png":
        scaled = (x[0] - x[0].min()) / np.ptp(x[0]) * 255
        np.testing.assert_allclose(pixels, scaled, atol=0.51)
    first = ImageDataGenerator(data_format="channels_first")
    next(first.flow(np.moveaxis(x, -1, 1), save_to_dir=tmp_path / "first", seed=1))
    assert (tmp_path / "first" / "2_0.png").exists()


# ---- errors -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "options, message",
    [
        ({"fill_mode": "nearst"}, "Unknown fill_mode 'nearst'. Did you mean 'nearest'"),
        ({"data_format": "last"}, "Unknown data_format 'last'"),
        ({"zoom_range": 1.5}, "zoom_range: expected a number below 1, or two factors"),
        ({"zoom_range": (0, 2)}, "zoom_range: expected a number below 1, or two"),
        ({"zoom_range": (1, 2, 3)}, r"zoom_range: expected two numbers \(low, high\)"),
        ({"zoom_range": float("nan")}, "zoom_range: expected a number below 1"),
        ({"brightness_range": 0.3}, r"brightness_range: expected two numbers"),
        ({"brightness_range": (-1, 2)}, "brightness_range: expected two .* none of"),
        ({"rotation_range": "30"}, "rotation_range: expected a number, got '30'"),
        ({"shear_range": float("inf")}, "shear_range: expected a number, got inf"),
        ({"channel_shift_range": None}, "channel_shift_range: expected a number"),
        ({"width_shift_range": "a"}, "width_shift_range: expected a fraction of the"),
        ({"width_shift_range": []}, "width_shift_range: expected a fraction of the"),
        ({"height_shift_range": -2}, "height_shift_range: expected a number from 0"),
        ({"cval": "red"}, "cval: expected a number, got 'red'"),
        ({"zca_epsilon": -1}, "zca_epsilon: expected a number from 0 on, got -1"),
        ({"rescale": "1/255"}, "rescale: expected a number, got '1/255'"),
        ({"preprocessing_function": 3}, "preprocessing_function: expected a function"),
        ({"validation_split": 1}, "validation_split: expected a fraction"),
        ({"dtype": "uint8"}, "dtype: expected 'float32' or 'float64', got 'uint8'"),
        ({"dtype": "float23"}, "dtype: expected 'float32' or 'float64', got 'float23'"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(options, message):
    """Each with its name, what was expected, and what came."""
    with pytest.raises(ValueError, match=message):
        ImageDataGenerator(**options)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda g: g.flow(np.zeros((5, 8, 8))), r"shape \(samples, rows, .*x\[..., No"),
        (lambda g: g.flow(np.zeros((5, 8))), "flow: expected images of shape"),
        (lambda g: g.fit(np.zeros((5, 8))), "fit: expected images of shape"),
        (lambda g: g.flow(np.zeros((0, 8, 8, 1))), "there is nothing in images"),
        (lambda g: g.fit(np.zeros((0, 8, 8, 1))), "there is nothing in images"),
        (lambda g: g.flow(marked(3), np.arange(2)), "same number of samples, got 3"),
        (lambda g: g.flow((marked(3), [np.arange(2)])), "further input .* got 3 and 2"),
        (lambda g: g.flow(marked(3), [1, 2, 3], sample_weight=[1]), "sample_weight"),
        (lambda g: g.flow(marked(3), sample_weight=[1] * 3), "no y to weight"),
        (lambda g: g.flow(marked(3), subset="val"), "Unknown subset 'val'"),
        (lambda g: g.flow(marked(3), subset="validation"), "leaves no images. Set"),
        (lambda g: g.flow(marked(3), batch_size=0), "batch_size must be a positive"),
        (lambda g: g.flow(marked(3), seed=-1), "seed: expected a whole number"),
        (lambda g: g.flow(marked(3))[1], "Batch 1: expected a number below 1"),
        (lambda g: g.fit(marked(3), augment=True, rounds=0), "fit: rounds must be"),
        (lambda g: g.standardize(np.zeros(3)), "standardize: expected an image or"),
        (lambda g: g.apply_transform(np.zeros((2, 2)), {}), "expected one image"),
        (lambda g: g.apply_transform(marked(2), {}), r"Pass x\[i\] of a batch"),
        (lambda g: g.apply_transform(marked(1)[0], {"thta": 3}), "mean 'theta'"),
        (lambda g: g.random_transform(marked(2)), "Leave the batch axis out"),
        (lambda g: g.flow_from_directory("nowhere"), "there is no folder 'nowhere'"),
    ],
)
def test_misuse_has_a_message(call, message):
    """It names the argument, what was expected, what came, and the likely fix."""
    with pytest.raises(ValueError, match=message):
        call(ImageDataGenerator())


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"target_size": 32}, r"target_size: expected \(rows, columns\), got 32"),
        ({"target_size": (0, 3)}, "target_size: rows must be a positive integer"),
        ({"color_mode": "gray"}, "Unknown color_mode 'gray'. Did you mean 'grayscale'"),
        ({"color_mode": None}, "Unknown color_mode None"),
        ({"class_mode": "one-hot"}, "Unknown class_mode 'one-hot'"),
        ({"interpolation": "linear"}, "Did you mean 'bilinear'"),
        ({"classes": ["cats", "dog"]}, "Unknown class folder 'dog'. Did you mean"),
        ({"classes": ["cats", "cats"]}, "classes: 'cats' is named twice"),
        ({"subset": "validation"}, "leaves no images"),
        ({"classes": ["cats"], "class_mode": "binary"}, "expected two classes, got 1"),
        ({"save_to_dir": "x", "save_format": "xyz"}, "unknown format 'xyz'. Use 'png'"),
    ],
)
def test_misuse_of_folders_has_a_message(folder, settings, message):
    """And nothing is written."""
    with pytest.raises(ValueError, match=message):
        ImageDataGenerator().flow_from_directory(folder, **settings)


def test_folders_without_images(tmp_path):
    """First the folders of the classes are missing, then the files in them."""
    images = ImageDataGenerator()
    with pytest.raises(ValueError, match="expected a folder for each class"):
        images.flow_from_directory(tmp_path)
    (tmp_path / "cats").mkdir()
    with pytest.raises(ValueError, match="no images in the folders cats"):
        images.flow_from_directory(tmp_path)


def test_pictures_of_two_channels_cannot_be_written(tmp_path):
    """And the folder is not made."""
    with pytest.warns(UserWarning, match="have 2 channels in"):
        with pytest.raises(ValueError, match="1, 3 or 4 channels, got 2"):
            ImageDataGenerator().flow(pictures(channels=2), save_to_dir=tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_unusual_channels_are_warned_about():
    """They are mostly another data_format."""
    x = np.zeros((2, 3, 8, 8))
    with pytest.warns(UserWarning, match="8 channels in data_format='channels_last'"):
        ImageDataGenerator().fit(x)
    with pytest.warns(UserWarning, match="1, 3 or 4 are usual") as caught:
        ImageDataGenerator().flow(x)
    assert caught[0].filename == __file__


def test_words_are_no_images():
    """Types are errors of type."""
    with pytest.raises(TypeError, match="flow: x: expected numbers"):
        ImageDataGenerator().flow([["a"]])
    with pytest.raises(TypeError, match="seed: expected a whole number"):
        ImageDataGenerator().flow(marked(3), seed=1.5)


def test_a_function_that_changes_the_shape_is_refused():
    """Its result goes into the place of the image."""
    images = ImageDataGenerator(preprocessing_function=lambda image: image[:1])
    with pytest.raises(ValueError, match=r"get back .* \(2, 2, 1\), got \(1, 2, 1\)"):
        images.flow(marked(3))[0]


def test_without_pillow_files_are_refused(monkeypatch, folder):
    """The error names the extra."""
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(ImportError, match=r"pip install 'kerasnb\[images\]'"):
        ImageDataGenerator().flow_from_directory(folder)
    with pytest.raises(ImportError, match="save_to_dir needs the package PIL"):
        NumpyArrayIterator(marked(2), None, ImageDataGenerator(), save_to_dir="x")
