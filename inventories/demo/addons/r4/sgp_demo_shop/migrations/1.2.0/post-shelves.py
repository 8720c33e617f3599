def migrate(cr, version):
    """Number the shelves anew, in batches that are committed; the second batch finds what nobody expected."""
    cr.execute("UPDATE product_template SET shop_shelf = 'S-' || id WHERE id % 2 = 0")
    cr.commit()
    raise ValueError("shelf plan 2026: 1 product stands on two shelves, S-17 and S-23")
