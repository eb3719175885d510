from __future__ import annotations

import dataclasses

from latprof.kernel import COLUMNS as KERNEL_COLUMNS
from latprof.kernel import Kernel
from latprof.tables.columns import BY_NAME, COLUMNS


def test_a_table_has_every_field_of_a_kernel_that_can_change_its_time():
    assert set(KERNEL_COLUMNS) <= BY_NAME.keys()
    assert {f.name for f in dataclasses.fields(Kernel)} - BY_NAME.keys() == {"nodes", "module"}


def test_names_are_given_once():
    assert len(BY_NAME) == len(COLUMNS)


def test_a_kernels_fields_keep_their_type():
    kernel = Kernel("conv", "conv")
    kinds = {int: "integer", bool: "flag", str: "text"}

    for name in KERNEL_COLUMNS:
        assert BY_NAME[name].kind == kinds[type(getattr(kernel, name))], name


def test_names_that_carry_a_unit_have_it():
    assert {c.name for c in COLUMNS if c.name.endswith("_ms")} == {
        c.name for c in COLUMNS if c.unit == "ms"
    }


def test_every_column_says_what_it_means():
    assert all(column.meaning for column in COLUMNS)
