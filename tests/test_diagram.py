"""The picture of a model: every layer has a box, and the arrows lead downwards."""

import matplotlib.pyplot as plt
import pytest

from kerasnb import Fork, Merge, Sequential, diagram
from kerasnb.diagram import plot_model
from kerasnb.layers import Add, Dense, Flatten


@pytest.fixture
def chain():
    """Three layers in a row."""
    return Sequential(
        [
            Dense(4, input_shape=(3, 2), name="first"),
            Flatten(name="flat"),
            Dense(1, name="last"),
        ]
    )


@pytest.fixture
def branched():
    """Two branches that meet, and two heads."""
    left = Sequential([Dense(4, input_dim=3, name="a"), Dense(4, name="b")])
    right = Sequential([Dense(4, input_dim=2, name="c")])
    heads = Fork([Dense(1, name="e"), Dense(2, name="f")], name="fork")
    joined = Merge([left, right], mode="sum", name="merge")
    return Sequential([joined, Dense(3, name="d"), heads])


def texts(figure):
    """What is written."""
    return [text.get_text() for text in figure.axes[0].texts if text.get_text()]


def plan_of(model, **options):
    """Boxes by the name of the layer, and the arrows as pairs of names."""
    options = {"show_shapes": False, "show_layer_names": True, **options}
    plan = diagram.Plan(model.sublayers, **options)
    name = {id(box): box.lines[0].partition(":")[0] for box in plan.boxes}
    boxes = {name[id(box)]: box for box in plan.boxes}
    return boxes, {(name[id(a)], name[id(b)]) for a, b in plan.arrows}


def test_every_layer_has_a_box(chain, tmp_path):
    """With its name and its class; a file is written."""
    path = tmp_path / "model.png"
    figure = plot_model(chain, path)
    assert texts(figure) == ["first: Dense", "flat: Flatten", "last: Dense"]
    assert path.read_bytes().startswith(b"\x89PNG")
    assert not plt.get_fignums()


def test_boxes_say_shapes_and_leave_names_out(chain):
    """As one likes."""
    figure = plot_model(chain, None, show_shapes=True, show_layer_names=False)
    assert texts(figure)[:3] == ["Dense", "in   (batch, 3, 2)", "out  (batch, 3, 4)"]
    assert len(texts(figure)) == 9


def test_boxes_say_how_many_parameters(chain):
    """Below the name and the shapes."""
    figure = plot_model(chain, None, show_params=True)
    assert texts(figure)[1::2] == ["12 parameters", "0 parameters", "13 parameters"]


def test_layers_in_a_row_stand_in_a_row(chain):
    """Downwards, or to the right."""
    boxes, arrows = plan_of(chain)
    assert [box.along for box in boxes.values()] == [0, 1, 2]
    assert {box.across for box in boxes.values()} == {0}
    assert arrows == {("first", "flat"), ("flat", "last")}
    tall, wide = (plot_model(chain, None, rankdir=way) for way in ("TB", "LR"))
    assert tall.get_figheight() > wide.get_figheight()
    assert tall.get_figwidth() < wide.get_figwidth()


def test_branches_stand_side_by_side(branched):
    """What meets in a Merge, and what leaves a Fork."""
    boxes, arrows = plan_of(branched, show_shapes=True)
    assert arrows == {
        ("a", "b"), ("b", "merge"), ("c", "merge"), ("merge", "d"), ("d", "fork"),
        ("fork", "e"), ("fork", "f"),
    }  # fmt: skip
    assert (boxes["a"].across, boxes["c"].across, boxes["merge"].across) == (0, 1, 0.5)
    assert boxes["merge"].along == 2
    assert boxes["merge"].lines[1] == "in   (batch, 4), (batch, 4)"
    places = [(box.across, box.along) for box in boxes.values()]
    assert len(set(places)) == len(places) == 8
    assert len(texts(plot_model(branched, None))) == 8


def test_branches_of_one_input_get_it_from_above():
    """A Merge in the middle, and one that joins what a Fork hands on."""
    model = Sequential(
        [
            Dense(2, input_dim=2, name="a"),
            Add([Dense(3, name="b"), Dense(3, name="c")], name="sum"),
            Fork([Dense(1, name="d"), Dense(1, name="e")], name="fork"),
            Merge(mode="sum", name="merge"),
        ]
    )
    _, arrows = plan_of(model)
    assert {("a", "b"), ("a", "c"), ("b", "sum"), ("c", "sum")} < arrows
    assert {("d", "merge"), ("e", "merge")} < arrows


def test_the_settings_of_the_user_stay(chain):
    """Colours and fonts of other figures are as before."""
    before = dict(plt.rcParams)
    plot_model(chain, None)
    assert dict(plt.rcParams) == before


# ---- errors -----------------------------------------------------------------------


def test_what_cannot_be_drawn_is_refused(chain):
    """No model, no layers, no shapes, no such direction."""
    with pytest.raises(TypeError, match="expected a Sequential model, got Dense"):
        plot_model(Dense(1), None)
    with pytest.raises(ValueError, match="has no layers to draw"):
        plot_model(Sequential(), None)
    with pytest.raises(ValueError, match="no shapes to show before it is built"):
        plot_model(Sequential([Dense(1)]), None, show_shapes=True)
    with pytest.raises(ValueError, match="no params to show .* leave show_params out"):
        plot_model(Sequential([Dense(1)]), None, show_params=True)
    assert texts(plot_model(Sequential([Dense(1, name="x")]), None)) == ["x: Dense"]
    with pytest.raises(ValueError, match="rankdir of plot_model: 'BT'. Known: LR, TB"):
        plot_model(chain, None, rankdir="BT")
