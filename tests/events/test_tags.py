import pytest

from keras_l4.events import tags

pytestmark = pytest.mark.any_backend


def test_tag_of_a_quantile_extends_the_tag_of_the_rate():
    assert tags.scalar("effective_learning_rate", "mlp/a") == "effective_learning_rate/mlp/a"
    assert tags.scalar("effective_learning_rate_p5", "mlp/a") == "effective_learning_rate/mlp/a/p5"


def test_braces_in_a_layer_name_are_kept():
    assert tags.scalar("gradient_norm", "{name}") == "gradient_norm/{name}"


def test_tags_of_segments_sort_by_their_first_step():
    assert sorted([tags.block_tensor("layer", "", 10), tags.block_tensor("layer", "", 9)]) == [
        "layer/000000000009",
        "layer/000000000010",
    ]


def test_tag_of_a_quantity_differs_from_the_tag_of_the_step_columns():
    assert tags.block_tensor("variable", "step_integers", 1) != tags.block_tensor(
        "step_integers", "", 1
    )
