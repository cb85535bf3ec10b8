"""Configuration of the package, read at the moment of each call so that `conf.set_temp` works."""

import logging
import os
from pathlib import Path

from astropy import config

__all__ = ["Conf", "cache_path", "conf", "log"]

log = logging.getLogger("galzoo_repr")


class Conf(config.ConfigNamespace):
    """Configuration parameters of the package."""

    rootname = "galzoo_repr"

    viewer_server = config.ConfigItem(
        "https://www.legacysurvey.org/viewer", "Base URL of the Legacy Survey viewer."
    )
    layer = config.ConfigItem("ls-dr10", "Image layer asked for when none is given.")
    timeout = config.ConfigItem(
        60.0, "Seconds allowed for one request, from the first byte sent to the last received."
    )
    viewer_rate = config.ConfigItem(
        0.0,
        "Requests per second to the viewer at most; 0 stands for 5, and for no limit on this machine itself.",
    )
    hips_server = config.ConfigItem(
        "https://alasky.cds.unistra.fr/hips-image-services/hips2fits", "URL of the hips2fits service."
    )
    hips = config.ConfigItem(
        "CDS/P/DESI-Legacy-Surveys/DR10", "HiPS asked for when none is given, without the band at its end."
    )
    hips_rate = config.ConfigItem(
        0.0,
        "Requests per second to hips2fits at most; 0 stands for 5, and for no limit on this machine itself.",
    )
    moc_server = config.ConfigItem(
        "https://alasky.unistra.fr/MocServer/query", "URL of the service that knows where surveys have data."
    )
    brick_server = config.ConfigItem(
        "https://portal.nersc.gov/cfs/cosmo/data/legacysurvey", "URL or folder of the coadded bricks."
    )
    brick_rate = config.ConfigItem(
        0.0, "Bricks per second at most; 0 stands for 1, and for no limit on this machine itself."
    )
    workers = config.ConfigItem(4, "Requests in flight at once to one service.")
    cache_dir = config.ConfigItem(
        os.environ.get("GALZOO_REPR_CACHE_DIR", ""),
        "Folder of downloaded cutouts and computed embeddings; empty for astropy's.",
    )
    keep = config.ConfigItem(
        os.environ.get("GALZOO_REPR_KEEP", "fits"),
        "What add_embeddings keeps of a cutout that it has fetched and encoded: fits, jpeg (a small picture) or none.",
    )
    max_cache_size = config.ConfigItem(
        os.environ.get("GALZOO_REPR_MAX_CACHE_SIZE", ""),
        "Room for cutouts on disk, such as 20 GB: those used longest ago go first. Empty for no limit.",
    )
    mapped_above = config.ConfigItem(
        1.0,
        "Gigabytes above which a column of embeddings is a file mapped into memory, and columns of a catalogue are "
        "shared with the results made of it, read-only there, instead of copied.",
    )
    reductions_size = config.ConfigItem(
        2.0,
        "Gigabytes on disk for catalogues reduced to their principal components; 0 keeps none, nor in memory.",
    )


conf = Conf()


def cache_path(name: str) -> Path:
    """
    Folder in which the package keeps one kind of thing between runs.

    Parameters
    ----------
    name : str
        Kind of thing, such as ``"cutouts"``.

    Returns
    -------
    pathlib.Path
        Below ``conf.cache_dir`` if that is set, below astropy's cache otherwise. It need not exist yet, nor be one
        that can be made: whoever writes there says what becomes of that.
    """
    if conf.cache_dir:
        return Path(conf.cache_dir).expanduser() / name
    try:
        return config.get_cache_dir_path("galzoo_repr") / name
    except OSError:
        # A home that cannot be written: astropy makes its folder, and fails.
        return Path("~/.astropy/cache/galzoo_repr").expanduser() / name
