from __future__ import annotations

import pytest
import torch

from latprof.errors import BadReference
from latprof.zoo import build, parse_reference
from latprof.zoo.vision_transformer import Attention


def test_parameters_and_macs_worked_by_hand(count):
    # 14 x 14 patches and a class token; d channels, 12 blocks of 3d + d + 4d + 4d columns.
    tokens, d = 197, 192
    linear = 12 * (3 * d * d + d * d + 2 * 4 * d * d)
    norms_and_biases = 12 * (2 * 2 * d + 3 * d + d + 4 * d + d) + 2 * d
    embeddings = 16 * 16 * 3 * d + d + d + tokens * d
    head = d * 1000
    params, macs = count("vit_tiny")
    assert params == linear + norms_and_biases + embeddings + head + 1000
    attention = 12 * 2 * tokens * tokens * d
    assert macs == 196 * 16 * 16 * 3 * d + tokens * linear + attention + head


def test_a_larger_image_has_more_positions(count):
    # timm 1.0.31 vit_tiny_patch16_384, counted beside ours.
    assert count("vit_tiny?size=384") == (5_790_376, 4_682_219_520)


def test_the_image_size_comes_from_the_input():
    assert parse_reference("vit_tiny?input=2x3x96x64")[1] == {"image_size": (96, 64)}


def test_the_image_size_is_not_an_argument_of_its_own():
    with pytest.raises(BadReference, match=r"no argument 'image_size'. It has num_classes, "):
        parse_reference("vit_tiny?image_size=96")


def test_an_image_of_broken_patches_is_refused():
    with pytest.raises(BadReference, match="multiples of 16, such as size=224"):
        build("vit_tiny?size=100")


def test_an_image_of_another_size_is_told_where_to_say_it():
    with torch.device("meta"):
        model, _ = build("vit_tiny")
        with pytest.raises(BadReference, match=r"\?size=384"):
            model(torch.empty(1, 3, 384, 384))


def test_attention_is_torch_own_for_the_same_weights():
    torch.manual_seed(0)
    ours = Attention(8, heads=2)
    theirs = torch.nn.MultiheadAttention(8, 2, batch_first=True)
    theirs.in_proj_weight.data = ours.query_key_value.weight.data
    theirs.in_proj_bias.data = ours.query_key_value.bias.data
    theirs.out_proj.load_state_dict(ours.project.state_dict())
    x = torch.randn(2, 5, 8)
    torch.testing.assert_close(ours(x), theirs(x, x, x)[0])
