"""Sensors' products, recognized by what their files hold, one file a product.

A product's file opens it lazily, with what the product says of its bands, values and place; numbers
stay as they are stored. A new product is a file here and a line in `PRODUCTS`.
"""

from __future__ import annotations

from pathlib import Path

from hsitf.scenes.products import (
    aviris,
    cubert,
    desis,
    emit,
    enmap,
    headwall,
    hyperion,
    hypso,
    neon,
    pace,
    prisma,
    specim,
)
from hsitf.scenes.products.base import Product
from hsitf.scenes.readers.base import ArrayFile, parser_errors_reported

__all__ = ["PRODUCTS", "Product", "open_product"]

# In the order in which they are asked.
PRODUCTS: tuple[Product, ...] = (
    prisma.PRODUCT,
    emit.PRODUCT,
    aviris.PRODUCT,
    neon.PRODUCT,
    hypso.PRODUCT,
    pace.PRODUCT,
    enmap.PRODUCT,
    desis.PRODUCT,
    hyperion.PRODUCT,
    specim.PRODUCT,
    headwall.PRODUCT,
    cubert.PRODUCT,
)


def open_product(path: Path, file_format: str, variable: str | None) -> ArrayFile | None:
    """Opens a file as the product that it is; None where it is none that is known.

    Args:
        path: The file.
        file_format: Its format, as `products.base` names them.
        variable: What the user names; a product answers for its cubes, the reader of the format
            for all else.

    Raises:
        DataError: It is a product, and damaged or of a form that is not published.
        InputError: The product can be read in several ways, or not here.
    """
    for product in PRODUCTS:
        if file_format in product.formats:
            with parser_errors_reported(path, f"{product.name} ({file_format})"):
                file = product.open(path, variable)
            if file is not None:
                return file
    return None
