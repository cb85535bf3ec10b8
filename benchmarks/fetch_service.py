"""A light viewer in a process of its own, for the benchmarks of fetching.

``python fetch_service.py '{"latency": 0.2, "fraction": 0.2}'`` prints its address and answers until its
input closes.
"""

import json
import sys
import time
from collections import Counter

import numpy as np
from astropy.io import fits

from galzoo_repr.simulation import Faults, Reply, SurveyService, encode_jpeg, html_reply

NORTH = 60.0  # degrees; beyond it there is no data
EMPTY, HALF, BROKEN, CUT = range(1, 5)  # whole degrees of declination at which lasting trouble lies


class LightViewer:
    """One image, sent with the header of every request."""

    def __init__(self, latency):
        self.latency = latency
        self._images = {}

    def _image(self, size, bands, hole):
        if (size, bands, hole) not in self._images:
            planes = np.random.default_rng(0).normal(0, 0.01, (len(bands), size, size)).astype(">f4")
            planes[0, : int(size * hole)] = 0
            self._images[size, bands, hole] = planes.tobytes()
        return self._images[size, bands, hole]

    def fits(self, request):
        """Send noise on the grid asked for, or what the declination stands for."""
        time.sleep(self.latency)
        query = request.query
        ra, dec, size = float(query["ra"]), float(query["dec"]), int(query["size"])
        if dec > NORTH or int(dec) == BROKEN:
            return html_reply(500, "Server Error (500)")
        hole = {EMPTY: 1.0, HALF: 0.5}.get(int(dec), 0.0)
        pixels = self._image(size, query["bands"], hole)
        scale = float(query["pixscale"]) / 3600
        axes = {"NAXIS": 3, "NAXIS1": size, "NAXIS2": size, "NAXIS3": len(query["bands"])}
        grid = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": ra, "CRVAL2": dec}
        centre = {"CRPIX1": (size + 1) / 2, "CRPIX2": (size + 1) / 2, "CD1_1": -scale, "CD2_2": scale}
        header = fits.Header(
            {"SIMPLE": True, "BITPIX": -32, **axes, "BANDS": query["bands"], **grid, **centre}
        )
        body = header.tostring().encode() + pixels
        body += bytes(-len(body) % 2880)
        return Reply(200, "image/fits", body[: len(body) // 2] if int(dec) == CUT else body)

    def jpeg(self, request):
        """Send noise, or grey outside the survey."""
        size = int(request.query["size"])
        blank = float(request.query["dec"]) > NORTH
        pixels = np.full((size, size, 3), 32, np.uint8)
        if not blank:
            pixels[:] = np.random.default_rng(0).integers(20, 90, pixels.shape, np.uint8)
        from PIL import Image

        return Reply(200, "image/jpeg", encode_jpeg(Image.fromarray(pixels)))

    def plane(self, request):
        """Send one band, as hips2fits does."""
        time.sleep(self.latency)
        grid = json.loads(request.query.get("wcs", "{}"))
        size = int(request.query.get("width") or grid["NAXIS1"])
        axes = {"SIMPLE": True, "BITPIX": -32, "NAXIS": 2, "NAXIS1": size, "NAXIS2": size}
        header = fits.Header(
            {**axes, **{name: grid[name] for name in grid if name[:2] in ("CR", "CD", "CT")}}
        )
        body = header.tostring().encode() + self._image(size, "r", 0.0)
        return Reply(200, "image/fits", body + bytes(-len(body) % 2880))


def main(settings):
    """Serve until standard input closes."""
    viewer = LightViewer(settings.pop("latency", 0.0))
    faults = Faults(**settings) if settings else None
    routes = {"/viewer/fits-cutout": viewer.fits, "/viewer/jpeg-cutout": viewer.jpeg, "/hips": viewer.plane}
    service = SurveyService(routes, base="/viewer", faults=faults)

    def stats(_request):
        asked = [entry for entry in service.requests if "cutout" in entry.path]
        times = Counter(entry.query["ra"] + entry.query["dec"] for entry in asked if "fits" in entry.path)
        report = {
            "requests": len(asked),
            "max_in_flight": service.max_in_flight,
            "busiest_second": service.most_requests_within(1.0),
            "times": times,
            "faults": dict(faults.counts) if faults else {},
        }
        return Reply(200, "application/json", json.dumps(report).encode())

    routes["/stats"] = stats
    service.routes = dict(sorted(routes.items(), key=lambda item: -len(item[0])))
    with service:
        print(service.url, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]) if len(sys.argv) > 1 else {})
