"""How each value of a recipe is written: pydantic models that validate it and describe it.

A class of the grammar, a `Section`, names the class of `imagesmith.recipe` that it `makes`, field
by field. So the shape stands twice: here with its rules and words, there as plain values. That is
because validating costs more than all the rest of an unchanged build's recipe: only `parse` and
`schema` import this. That both say the same, names, types and defaults, is held by
tests/recipe/test_recipe_values.py.
"""
