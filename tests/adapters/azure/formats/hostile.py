"""JSON that nobody should send: any value at all, and good documents with one thing wrong anywhere."""

from __future__ import annotations

import copy

from hypothesis import strategies as st

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(10**30, 10**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)


def _paths(value, here=()):
    yield here
    if isinstance(value, (dict, list)):
        for name in value if isinstance(value, dict) else range(len(value)):
            yield from _paths(value[name], (*here, name))


@st.composite
def spoilt(draw, document):
    """`document` with any one value in it replaced by any other, or taken out."""
    path = draw(st.sampled_from(list(_paths(document))[1:]))
    changed = copy.deepcopy(document)
    holder = changed
    for name in path[:-1]:
        holder = holder[name]
    if draw(st.booleans()):
        del holder[path[-1]]
    else:
        holder[path[-1]] = draw(values)
    return changed
