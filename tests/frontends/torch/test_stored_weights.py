import pytest

from latprof.errors import WrongWeights
from latprof.frontends.torch.stored_weights import Collection, Weight, fit

NETWORK = {
    "conv.weight": Weight((4, 3, 3, 3), "float32"),
    "conv.bias": Weight((4,), "float32"),
    "norm.num_batches_tracked": Weight((), "int64"),
}


def fitted(*collections):
    held = [Collection(where, weights) for where, weights in collections]
    return fit(held, NETWORK, file="'w.pt'", network="'net:small'")


def renamed(before, weights=NETWORK):
    return {before + name: weight for name, weight in weights.items()}


def test_the_same_weights_need_no_word():
    assert fitted(("", NETWORK)) == ()


def test_counters_of_norms_may_be_missing_and_those_of_tools_left_over():
    held = {name: weight for name, weight in NETWORK.items() if "conv" in name}
    assert fitted(("", held | {"n_averaged": Weight(()), "conv.total_ops": Weight((1,))})) == ()


@pytest.mark.parametrize(
    ("before", "cut"),
    [
        ("module.", "'module.'"),
        ("_orig_mod.", "'_orig_mod.'"),
        ("model.", "'model.'"),
        ("_orig_mod.module.", "'_orig_mod.' and 'module.'"),
        ("model._orig_mod.", "'_orig_mod.' and 'model.'"),
    ],
)
def test_what_wraps_a_network_is_cut_off_and_said(before, cut):
    (said,) = fitted(("", renamed(before)))
    assert said == f"left {cut} out of the names that the file gives its weights"


def test_a_compiled_part_is_found_too():
    wanted = renamed("head.")
    held = [Collection("", renamed("head._orig_mod."))]
    assert len(fit(held, wanted, file="", network="")) == 1


def test_the_collection_with_most_names_in_common_is_taken_and_others_said():
    optimizer = {str(i): Weight((4,)) for i in range(50)}
    (said,) = fitted(("optimizer", optimizer), ("model", NETWORK), ("ema", NETWORK))
    assert said == "took the weights under the key 'model' (others would do: 'ema')"


def test_another_dtype_is_said():
    half = {name: Weight(weight.shape, "float16") for name, weight in NETWORK.items()}
    (said,) = fitted(("", half))
    assert said == "the file stores float16 weights; the network is taken as built, in float32"


def test_shapes_that_the_file_does_not_tell_are_said():
    (said,) = fitted(("", NETWORK | {"conv.weight": Weight(None)}))
    assert said == "the file does not tell the shapes of 1 weights; not compared"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"conv.bias": Weight((5,))},
            "1 of another shape (conv.bias is 5 in the file and 4 in the network)",
        ),
        ({"conv.bias": None}, "1 missing from the file (conv.bias)"),
        ({"head.weight": Weight((2,))}, "1 that the network lacks (head.weight)"),
        (
            {f"layer{i}.weight": Weight((2,)) for i in range(5)},
            "5 that the network lacks (layer0.weight, layer1.weight, layer2.weight, ...)",
        ),
    ],
)
def test_weights_of_another_network_are_refused(change, said):
    held = {name: weight for name, weight in (NETWORK | change).items() if weight}
    with pytest.raises(WrongWeights) as caught:
        fitted(("", held))
    assert said in str(caught.value)
    assert "--arch 'zoo:mobilenet_v2?num_classes=10'" in str(caught.value)


def test_weights_with_nothing_in_common_are_shown_side_by_side():
    with pytest.raises(WrongWeights) as caught:
        fitted(("", {"features.0.weight": Weight((2,))}))
    assert "the file calls them features.0.weight, the network conv.weight" in str(caught.value)
