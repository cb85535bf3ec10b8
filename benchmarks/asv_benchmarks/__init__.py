"""The few figures that are followed from commit to commit; the functions beside this folder measure them."""
