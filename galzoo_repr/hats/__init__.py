"""The same verbs over catalogues larger than one machine: HATS folders, through LSDB and Dask, or as job arrays."""

from galzoo_repr.hats._convert import from_hats, to_hats

__all__ = ["from_hats", "to_hats"]
