"""What makes a folder of partitions a HATS catalogue: the same columns in all, and files that say what there is."""

from collections.abc import Mapping
from pathlib import Path

from pyarrow import parquet

from galzoo_repr._folder import published
from galzoo_repr.catalogue import with_columns_of
from galzoo_repr.hats._folder import INDEX, Pixel, along_sky, partition_path, read_rows, write_partition

__all__ = ["conform", "declare_complete", "flat_provenance"]


def flat_provenance(meta: Mapping[str, object]) -> dict[str, object]:
    """Give the short entries of the provenance of a table as properties of its catalogue."""
    return {f"galzoo_repr_{key.lower()}": meta[key] for key in meta if str(key).startswith("GZR")}


def conform(root: Path, pixels: list[Pixel]) -> None:
    """Give all partitions the same columns: what only some have, such as a flux scale, is null in the others."""
    paths = [partition_path(root, pixel) for pixel in pixels]
    schemas = [parquet.read_schema(path) for path in paths]
    names = list(dict.fromkeys(name for schema in schemas for name in schema.names))
    if all(schema.names == names for schema in schemas):
        return
    for path, schema in zip(paths, schemas, strict=True):
        if schema.names != names:
            arrow = read_rows(path)
            for other in schemas:
                if not set(other.names) <= set(arrow.column_names):
                    arrow = with_columns_of(arrow, other)
            write_partition(arrow.select(names), path)


def declare_complete(root: Path, pixels: list[Pixel], properties: Mapping[str, str]) -> None:
    """
    Write what makes a folder of partitions a HATS catalogue; its properties, by which it is known, last.

    Parameters
    ----------
    root : pathlib.Path
    pixels : list of Pixel
        All of its partitions.
    properties : mapping of str to str
        Name, columns of positions and whatever else is to be told; the counts are added.
    """
    pixels = sorted(pixels, key=along_sky)
    footers = []
    for pixel in pixels:
        path = partition_path(root, pixel)
        footers.append(parquet.read_metadata(path))
        footers[-1].set_file_path(path.relative_to(root / "dataset").as_posix())
    schema = parquet.read_schema(partition_path(root, pixels[0]))
    for name, collected in (("_metadata", footers), ("_common_metadata", None)):
        with published(root / "dataset" / name) as draft:
            parquet.write_metadata(schema, draft, metadata_collector=collected)
    rows = "".join(f"{pixel.order},{pixel.number}\n" for pixel in pixels)
    with published(root / "partition_info.csv") as draft:
        draft.write_text(f"Norder,Npix\n{rows}", encoding="utf-8")
    lengths = [footer.num_rows for footer in footers]
    sky = sum(4.0**-pixel.order for pixel in pixels) / 12
    entries = {
        **properties,
        "dataproduct_type": "object",
        "hats_nrows": sum(lengths),
        "hats_max_rows": max(lengths),
        "hats_order": max(pixel.order for pixel in pixels),
        "hats_col_healpix": INDEX,
        "hats_col_healpix_order": 29,
        "hats_npix_suffix": ".parquet",
        "moc_sky_fraction": f"{sky:.6g}",
        "hats_version": "v1.0",
    }
    text = "".join(f"{key}={value}\n" for key, value in entries.items())
    with published(root / "hats.properties") as draft:
        draft.write_text(f"#HATS catalog\n{text}", encoding="utf-8")
