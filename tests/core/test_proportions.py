import pytest

from nf.core.proportions import beside


@pytest.mark.parametrize(
    ("value", "limit", "shown"),
    [
        (0.01234, 0.01, "0.012"),
        (0.01, 0.01, "0.01"),
        (0.01041, 0.01, "0.0104"),  # two digits would be the limit itself
        (0.010000001, 0.01, "0.010000001"),
        (0.00996, 0.01, "0.01"),
        (0.0000012, 0.01, "1.2e-06"),
        (0.05 + 1e-17, 0.05, "0.05000000000000001"),
    ],
)
def test_a_number_beside_a_limit_shows_on_which_side_it_is(value, limit, shown):
    assert beside(value, limit) == shown
    assert (float(shown) <= limit) == (value <= limit)
