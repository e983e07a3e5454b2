import pytest

from keras_l4.events import tags

pytestmark = pytest.mark.any_backend


def test_quantiles_of_a_layer_stand_below_its_rate():
    assert tags.scalar("effective_learning_rate", "mlp/a") == "effective_learning_rate/mlp/a"
    assert tags.scalar("effective_learning_rate_p5", "mlp/a") == "effective_learning_rate/mlp/a/p5"


def test_braces_in_a_layer_name_stay_as_they_are():
    assert tags.scalar("gradient_norm", "{name}") == "gradient_norm/{name}"


def test_segments_sort_by_their_first_step():
    assert sorted([tags.record("index", "", 10), tags.record("index", "", 9)]) == [
        "index/000000000009",
        "index/000000000010",
    ]


def test_no_quantity_of_the_full_record_hides_the_index():
    assert tags.record("full", "index", 1) != tags.record("index", "", 1)
