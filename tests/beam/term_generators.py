"""Terms for property tests."""

from __future__ import annotations

from hypothesis import strategies as st

from imagesmith.beam.etf import encode
from imagesmith.beam.term import Atom, BitString, ExternalFun, ImproperList, Map, Term, cons

__all__ = ["normal", "terms"]

# All that erl_scan takes: neither surrogates nor the two noncharacters of the first plane.
_CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\ufffe\uffff")
_ATOMS = st.text(_CHARACTERS, max_size=20).map(Atom) | st.sampled_from(
    [Atom(name) for name in ("ok", "maybe", "end", "Elixir.Shop", "a@b", "", "fun", "x" * 255)]
)
_BITS = st.builds(
    lambda data, bits: BitString(data[:-1] + bytes([data[-1] >> 8 - bits << 8 - bits]), bits),
    st.binary(min_size=1, max_size=4),
    st.integers(1, 7),
)
_LEAVES: st.SearchStrategy[Term] = st.one_of(
    _ATOMS,
    st.integers(),
    st.integers(-(1 << 3000), 1 << 3000),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(_CHARACTERS, min_size=1),
    st.binary(),
    st.text(_CHARACTERS).map(str.encode),
    _BITS,
    st.builds(ExternalFun, _ATOMS, _ATOMS, st.integers(0, 255)),
)


def terms() -> st.SearchStrategy[Term]:
    """Any term, a few levels deep."""
    return st.recursive(_LEAVES, _nested, max_leaves=20)


def _nested(inner: st.SearchStrategy[Term]) -> st.SearchStrategy[Term]:
    return st.one_of(
        st.lists(inner),
        st.lists(inner).map(tuple),
        st.builds(cons, st.lists(inner, min_size=1), inner),
        st.lists(st.tuples(inner, inner), max_size=5).map(_map),
    )


def _map(pairs: list[tuple[Term, Term]]) -> Map:
    return Map(tuple({encode(key): (key, value) for key, value in pairs}.values()))


def normal(term: Term) -> Term:
    """The term as `decode` gives it: it cannot know which lists were written as strings."""
    match term:
        case Atom():
            return term
        case str():
            return _list([ord(character) for character in term])
        case list():
            return _list([normal(element) for element in term])
        case tuple():
            return tuple(normal(element) for element in term)
        case Map():
            return Map(tuple((normal(key), normal(value)) for key, value in term.pairs))
        case ImproperList():
            return ImproperList(tuple(map(normal, term.elements)), normal(term.tail))
    return term


def _list(elements: list[Term]) -> Term:
    small = [element for element in elements if type(element) is int and 0 <= element < 256]
    return bytes(small).decode("latin-1") if elements and len(small) == len(elements) else elements
